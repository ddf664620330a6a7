//! The conformance suite as a program: `cargo run -p ff-backend-postgres --example conformance_postgres`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a check fails by panicking")]

use std::process::ExitCode;

#[path = "../tests/common/database.rs"]
mod database;
#[path = "../tests/common/fixture.rs"]
mod fixture;

fn main() -> ExitCode {
    ff_conformance::runner::main(fixture::DatabaseFixture, "postgres")
}
