//! `cargo xtask ci`: exactly what CI runs.

use crate::conformance::{self, Page};
use crate::shell::{self, Outcome, Told};
use crate::{test, tidy};

type Step = (&'static str, fn() -> Outcome<()>);

/// The tests come last, so that their summary closes the output.
const STEPS: &[Step] = &[
    ("fmt", || cargo(&["fmt", "--all", "--check"])),
    ("clippy", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    ("doc", || {
        let mut command = shell::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        shell::run(command.env("RUSTDOCFLAGS", "-Dwarnings"))
    }),
    ("tidy", tidy::run),
    ("conformance", || conformance::run(Page::Check)),
    ("test", || test::run(&["--locked"])),
];

/// Runs every step, also after one that failed, so that one run shows all there is to mend.
pub(crate) fn run() -> Outcome<()> {
    let mut failed = Vec::new();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        if index + 1 == STEPS.len() && !failed.is_empty() {
            eprintln!("\nxtask: failed before the tests: {}", failed.join(", "));
        }
        eprintln!("\n== {name}");
        if let Err(problem) = step() {
            if !problem.is::<Told>() {
                eprintln!("xtask: {name}: {problem}");
            }
            failed.push(*name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Told.into()) }
}

fn cargo(args: &[&str]) -> Outcome<()> {
    shell::run(&mut shell::cargo(args))
}
