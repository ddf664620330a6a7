//! The conformance suite as a program: `cargo run -p ff-backend-sqlite --example conformance_sqlite`.
#![expect(clippy::unwrap_used, reason = "a check fails by panicking")]

use std::process::ExitCode;

#[path = "../tests/common/fixture.rs"]
mod fixture;

fn main() -> ExitCode {
    ff_conformance::runner::main(fixture::FileFixture, "sqlite")
}
