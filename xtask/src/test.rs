//! `cargo xtask test`: every test of the workspace, and one line that sums them up.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::postgres::{self, Postgres};
use crate::shell::{self, Outcome, Told};

/// What the test programs that have ended said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Summary {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs unit, integration and documentation tests and builds the examples. `flags` go to cargo.
pub(crate) fn run(postgres: &Postgres, flags: &[&str]) -> Outcome<()> {
    let args = ["test", "--workspace", "--no-fail-fast"];
    let mut command = shell::cargo(&[&args, flags].concat());
    command.env(postgres::URL, postgres.url()?);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut summary = Summary::default();
    if let Some(stdout) = child.stdout.take() {
        summary = stream(BufReader::new(stdout), std::io::stdout().lock())?;
    }
    let status = child.wait()?;
    if !status.success() && summary.failed == 0 {
        // A program that does not build or that dies says nothing of its tests.
        summary.failed = 1;
    }
    println!("\n{summary}");
    if summary.failed == 0 { Ok(()) } else { Err(Told.into()) }
}

/// Passes the output on line by line and adds up what it says.
fn stream(input: impl BufRead, mut output: impl Write) -> Outcome<Summary> {
    let mut summary = Summary::default();
    for line in input.split(b'\n') {
        let line = line?;
        output.write_all(&line)?;
        output.write_all(b"\n")?;
        output.flush()?;
        summary.add(&String::from_utf8_lossy(&line));
    }
    Ok(summary)
}

impl Summary {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let counts = rest.split_once(". ").map_or("", |(_, counts)| counts);
        for count in counts.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let number: u64 = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 2 tests
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s

test says::test_result ... ok
test result: FAILED. 40 passed; 3 failed; 0 ignored; 9 measured; 0 filtered out; finished in 1s
test result: oops
";

    #[test]
    fn the_results_of_all_programs_are_added_up() {
        let mut shown = Vec::new();
        let summary = stream(OUTPUT.as_bytes(), &mut shown).unwrap();
        assert_eq!(summary.to_string(), "42 passed, 3 failed, 1 skipped");
        assert_eq!(shown, OUTPUT.as_bytes());
    }

    #[test]
    fn output_that_is_not_text_is_passed_on() {
        let mut shown = Vec::new();
        stream(&b"\xff\xfe\n"[..], &mut shown).unwrap();
        assert_eq!(shown, b"\xff\xfe\n");
    }
}
