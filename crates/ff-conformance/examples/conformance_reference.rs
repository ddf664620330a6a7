//! The suite as a program: `cargo run -p ff-conformance --example conformance_reference -- --report report.json`.

use std::process::ExitCode;

use ff_conformance::reference::ReferenceFixture;
use ff_conformance::runner;

fn main() -> ExitCode {
    runner::main(ReferenceFixture, "reference")
}
