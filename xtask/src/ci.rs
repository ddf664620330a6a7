//! `cargo xtask ci`: exactly what CI runs.

use crate::conformance::{self, Page};
use crate::postgres::Postgres;
use crate::shell::{self, Outcome, Told};
use crate::{test, tidy};

type Step = (&'static str, fn(&Postgres) -> Outcome<()>);

/// The tests come last, so that their summary closes the output.
const STEPS: &[Step] = &[
    ("fmt", |_| cargo(&["fmt", "--all", "--check"])),
    ("clippy", |_| {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    ("doc", |_| {
        let mut command = shell::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        shell::run(command.env("RUSTDOCFLAGS", "-Dwarnings"))
    }),
    ("tidy", |_| tidy::run()),
    ("conformance", |postgres| conformance::run(postgres, Page::Check)),
    ("test", |postgres| test::run(postgres, &["--locked"])),
];

/// Runs every step, also after one that failed, so that one run shows all there is to mend.
pub(crate) fn run(postgres: &Postgres) -> Outcome<()> {
    let mut failed = Vec::new();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        if index + 1 == STEPS.len() && !failed.is_empty() {
            eprintln!("\nxtask: failed before the tests: {}", failed.join(", "));
        }
        eprintln!("\n== {name}");
        if let Err(problem) = step(postgres) {
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
