//! `cargo xtask conformance`: the suite on every backend, as a page and as JSON.

mod page;
mod report;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::postgres::{self, Postgres};
use crate::rules_page;
use crate::shell::{self, Outcome};
use report::{Report, Status};

/// What becomes of docs/conformance.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// It is written.
    Write,
    /// It must be as the one that would be written.
    Check,
}

/// The page's path from the workspace's folder.
const PATH: &str = "docs/conformance.md";

/// The backends, and the crate whose example `conformance_BACKEND` runs the suite on it.
const BACKENDS: &[(&str, &str)] = &[
    ("reference", "ff-conformance"),
    ("sqlite", "ff-backend-sqlite"),
    ("postgres", "ff-backend-postgres"),
];

/// Runs the suite on every backend and prints, compares or writes what came of it.
pub(crate) fn run(postgres: &Postgres, page: Page) -> Outcome<()> {
    let root = shell::root();
    let metadata = shell::metadata()?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let target = Path::new(target);
    std::fs::create_dir_all(target)?;
    let mut reports = Vec::new();
    for (backend, package) in BACKENDS {
        let path = target.join(format!("conformance-{backend}.json"));
        let mut suite = suite(backend, package);
        suite.env(postgres::URL, postgres.url()?);
        reports.push(run_suite(backend, &mut suite, &path)?);
    }
    let text = page::render(&reports, &rules_page::load(&root)?);
    println!("{text}");
    std::fs::write(target.join("conformance.json"), to_json(&reports)?)?;
    check_failures(&reports)?;
    match page {
        Page::Write => Ok(std::fs::write(root.join(PATH), text)?),
        Page::Check => compare(&std::fs::read_to_string(root.join(PATH))?, &text),
    }
}

/// The command that runs the suite on a backend.
fn suite(backend: &str, package: &str) -> Command {
    let mut command = shell::cargo(&["run", "--quiet", "--locked", "-p", package]);
    command.args(["--example", &format!("conformance_{backend}"), "--", "--report"]);
    command
}

fn run_suite(backend: &str, suite: &mut Command, path: &Path) -> Outcome<Report> {
    // A report that an earlier run left must not pass for this one's.
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let output = suite.arg(path).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stdout));
    }
    if !path.exists() {
        shell::check(output.status, suite)?;
        return Err(format!("the suite on {backend} left no report").into());
    }
    let entries = serde_json::from_slice(&std::fs::read(path)?)?;
    Ok(Report { backend: backend.to_owned(), entries })
}

fn to_json(reports: &[Report]) -> Outcome<String> {
    let backends: Vec<_> = reports
        .iter()
        .map(|report| json!({ "backend": report.backend, "cases": report.entries }))
        .collect();
    Ok(serde_json::to_string_pretty(&backends)?)
}

fn check_failures(reports: &[Report]) -> Outcome<()> {
    for report in reports {
        if report.entries.is_empty() {
            return Err(format!("the suite on {} ran no case", report.backend).into());
        }
        let failed = report.entries.iter().filter(|entry| entry.status == Status::Failed).count();
        if failed > 0 {
            return Err(format!("{failed} cases failed on {}", report.backend).into());
        }
    }
    Ok(())
}

fn compare(committed: &str, written: &str) -> Outcome<()> {
    if committed.replace("\r\n", "\n") == written {
        return Ok(());
    }
    Err(format!("{PATH} is out of date: run `cargo xtask conformance` and commit it").into())
}

#[cfg(test)]
mod tests {
    use super::report::Entry;
    use super::*;

    #[test]
    fn failed_cases_and_empty_reports_are_errors() {
        let report = |entries| vec![Report { backend: "b".to_owned(), entries }];
        let entry = |status| Entry {
            area: "a".to_owned(),
            case: "c".to_owned(),
            rules: Vec::new(),
            status,
            detail: String::new(),
        };
        assert!(check_failures(&report(vec![])).is_err());
        assert!(check_failures(&report(vec![entry(Status::Failed)])).is_err());
        check_failures(&report(vec![entry(Status::Passed), entry(Status::Unavailable)])).unwrap();
    }

    #[test]
    fn a_page_that_differs_is_an_error() {
        assert!(compare("a\n", "b\n").is_err());
        compare("a\r\n", "a\n").unwrap();
    }
}
