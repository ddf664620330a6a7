//! The `ff` command as a user runs it: real processes, real files, real kills.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod checksum;
mod flows;
mod look;
mod operate;
mod registry;
mod workbench;

#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod operating;
#[cfg(unix)]
mod permission;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
