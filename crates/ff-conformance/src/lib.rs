//! The specification of FlowFabric that runs: one suite for every backend, and the reference backend.
//!
//! `docs/writing-a-backend.md` leads from an empty crate to a backend that passes. Its author writes a
//! [`Fixture`] and one line, in `tests/conformance.rs`:
//!
//! ```
//! use ff_conformance::reference::ReferenceFixture as MyFixture;
//!
//! ff_conformance::suite!(MyFixture);
//! ```
//!
//! That line makes one `#[test]` of each [case](cases()), in a module for each area, so that the test
//! runner names, filters and repeats them one by one. What a backend lacks is said at compile time,
//! and is reported as *ignored* with its reason:
//!
//! ```
//! # use ff_conformance::reference::ReferenceFixture as MyFixture;
//! ff_conformance::suite!(MyFixture, without { probe, event }, skip {
//!     claim::a_paused_lane_gives_nothing: "lanes cannot be paused yet",
//! });
//! ```
//!
//! - `without` names areas, or what a [`Store`] need not have: `probe`, `transaction`. A case whose
//!   area the backend does not claim, or that needs what the store has not, *fails* unless it is
//!   named there: what is not proved never looks like what is.
//! - `skip` names cases; a name that is not a case does not compile.
//! - With `FF_CHECK_SKIPS=1` and `--include-ignored`, an ignored case that passes is a failure.
//!
//! [`runner::main`] runs the same list as a program of its own, with a report in JSON.
//!
//! A case has three paragraphs: what is given, what happens, what must hold then. It calls nothing but
//! [`EngineBackend`](ff_core::engine_backend::EngineBackend) and, where no operation can show or make
//! something, a [`Probe`]. Time is a [`ManualClock`](ff_core::clock::ManualClock).
//!
//! Beside the cases, [`history`] lets many tasks and processes hammer one store and checks what they were answered.

mod assertions;
mod case;
mod cases;
mod cx;
pub mod fault;
pub mod fixture;
pub mod history;
mod index;
mod list;
pub mod model;
pub mod reference;
pub mod runner;
mod suite;
pub mod zoo;

pub use case::Case;
pub use cx::Cx;
pub use fixture::{
    AttemptKey, EdgeGroupCounts, Fixture, ForeignExecution, Probe, RecordedWorkerEvent, Store,
    UncommittedEvent,
};
pub use index::cases;

/// What [`suite!`] expands to; not for anything else.
#[doc(hidden)]
pub mod private {
    pub use crate::index::index;
    pub use crate::suite::{run_case, run_skipped_case};
}
