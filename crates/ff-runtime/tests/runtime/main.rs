//! The client, the worker and the supervisor against the reference backend.
//!
//! Stored time is a `ManualClock` that only a test moves. The runtime's own waits run in tokio's paused
//! time, which jumps to the next wait when nothing else is to do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod build;
mod cancel;
mod client;
mod common;
mod drain;
mod faults;
mod finish;
mod handlers;
mod leases;
mod load;
mod presence;
mod spy;
mod supervisor;
