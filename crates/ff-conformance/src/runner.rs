//! The list of cases as a program, with a report in JSON: for backends outside Rust's test harness.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use ff_core::clock::ManualClock;
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Serialize;

use crate::case::Case;
use crate::cases;
use crate::cx::START;
use crate::fixture::{Fixture, Store};
use crate::suite::{run_case, runtime};

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// The backend keeps it.
    Passed,
    /// It does not.
    Failed,
    /// The store lacks what the case needs to see: see `detail`.
    Ignored,
    /// The backend does not claim an area that the case needs: see `detail`.
    Unavailable,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReportEntry {
    /// The backend's label.
    pub backend: String,
    /// The case's area.
    pub area: &'static str,
    /// Its name.
    pub case: &'static str,
    /// The rules that it proves.
    pub rules: &'static [&'static str],
    /// What became of it.
    pub status: Status,
    /// Why, unless it passed.
    pub detail: String,
}

/// Runs every case, or those that the arguments name, and writes the report.
///
/// The arguments are those of Rust's test harness (`--list`, `--test-threads`, a filter...), and
/// `--report PATH`; without it the report goes to the path in `FF_CONFORMANCE_REPORT`, if there is one.
/// Cases that a filter leaves out are not in the report.
pub fn main(fixture: impl Fixture, backend: &str) -> ExitCode {
    let (report, arguments) = split_report(std::env::args());
    let arguments = Arguments::from_iter(arguments);
    let run =
        Run { fixture: Arc::new(fixture), backend: backend.to_owned(), entries: Arc::default() };
    let conclusion = libtest_mimic::run(&arguments, run.trials());
    let written = match report.filter(|_| !arguments.list) {
        Some(path) => write_report(&path, &run.entries).map_err(|error| complain(&path, &error)),
        None => Ok(()),
    };
    written.err().unwrap_or_else(|| conclusion.exit_code())
}

/// Takes `--report PATH` off the arguments.
fn split_report(arguments: impl Iterator<Item = String>) -> (Option<PathBuf>, Vec<String>) {
    let mut report = std::env::var_os("FF_CONFORMANCE_REPORT").map(PathBuf::from);
    let mut rest = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--report") {
            Some("") => report = arguments.next().map(PathBuf::from),
            Some(value) if value.starts_with('=') => report = Some(PathBuf::from(&value[1..])),
            _ => rest.push(argument),
        }
    }
    (report, rest)
}

type Entries = Mutex<BTreeMap<String, ReportEntry>>;

#[derive(Clone)]
struct Run<F> {
    fixture: Arc<F>,
    backend: String,
    entries: Arc<Entries>,
}

impl<F: Fixture> Run<F> {
    /// A store is opened once to see what the backend has; after that each case opens its own.
    fn trials(&self) -> Vec<Trial> {
        let runtime = runtime();
        let clock = Arc::new(ManualClock::starting_at(START));
        let store = runtime.block_on(self.fixture.open(clock));
        cases().iter().map(|case| self.trial(case, store.as_ref())).collect()
    }

    fn trial(&self, case: &'static Case, store: &dyn Store) -> Trial {
        let lacking = case.lacking(store);
        if let Some(lacking) = lacking {
            let (status, detail) = match lacking {
                "probe" => (Status::Ignored, "no probe".to_owned()),
                "transaction" => (Status::Ignored, "no transactions".to_owned()),
                area => (Status::Unavailable, format!("unavailable: {area}")),
            };
            self.record(case, status, detail);
        }
        let fixture = Arc::clone(&self.fixture);
        let run =
            Run { fixture, backend: self.backend.clone(), entries: Arc::clone(&self.entries) };
        Trial::test(case.path(), move || run.run(case)).with_ignored_flag(lacking.is_some())
    }

    fn run(&self, case: &'static Case) -> Result<(), Failed> {
        match catch_unwind(AssertUnwindSafe(|| run_case(self.fixture.as_ref(), case))) {
            Ok(()) => {
                self.record(case, Status::Passed, String::new());
                Ok(())
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let message = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let message = message.unwrap_or("it panicked").to_owned();
                self.record(case, Status::Failed, message.clone());
                Err(Failed::from(message))
            }
        }
    }

    fn record(&self, case: &'static Case, status: Status, detail: String) {
        let entry = ReportEntry {
            backend: self.backend.clone(),
            area: case.area,
            case: case.name,
            rules: case.rules,
            status,
            detail,
        };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(case.path(), entry);
    }
}

fn write_report(path: &Path, entries: &Entries) -> io::Result<()> {
    let entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
    let entries: Vec<&ReportEntry> = entries.values().collect();
    serde_json::to_writer_pretty(File::create(path)?, &entries)?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "it is a program's front end")]
fn complain(path: &Path, error: &io::Error) -> ExitCode {
    eprintln!("the report {} cannot be written: {error}", path.display());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(arguments: &[&str]) -> (Option<PathBuf>, Vec<String>) {
        split_report(arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn the_report_is_taken_off_the_arguments() {
        let plain = split(&["program", "--report", "a.json", "--list", "claim"]);
        assert_eq!(
            plain,
            (Some("a.json".into()), vec!["program".into(), "--list".into(), "claim".into()])
        );
        let joined = split(&["program", "--report=b.json"]);
        assert_eq!(joined, (Some("b.json".into()), vec!["program".into()]));
    }
}
