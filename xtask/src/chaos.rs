//! `cargo xtask chaos`: what happens to the work when everything around it fails.

use crate::shell::{self, Outcome};

/// Runs the program, which says what its arguments may be.
pub(crate) fn run(args: &[&str]) -> Outcome<()> {
    let program = ["run", "--quiet", "--release", "-p", "ff-proof", "--bin", "ff-chaos", "--"];
    shell::run(&mut shell::cargo(&[&program, args].concat()))
}
