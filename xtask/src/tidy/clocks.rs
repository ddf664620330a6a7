//! Time is read in one place, `ff_core::clock`.

use super::finding::Finding;
use crate::source::SourceFile;

/// Reads of the time of day, and ids that are minted from it.
const WALL_CLOCK: &[&str] =
    &["SystemTime::now", "Uuid::now_v7", "TimestampMs::now", "Utc::now", "Local::now"];

/// Reads of a clock that only measures.
const STOPWATCH: &str = "Instant::now";

/// The one place, and where a stopwatch is used: path or folder, reason.
const WALL_CLOCK_ALLOWED: &[(&str, &str)] = &[
    ("crates/ff-core/src/clock.rs", "it is the place that reads the clock"),
    ("crates/ff-runtime/src/clock.rs", "it stands in where a backend does not tell its time"),
];
const STOPWATCH_ALLOWED: &[(&str, &str)] = &[
    ("crates/ff-core/src/clock.rs", "it tells how long ago another machine's clock was read"),
    ("crates/ff-backend-postgres/src/pool.rs", "it tells which connections lay idle at a loss"),
    ("crates/ff-backend-postgres/src/queue_heads.rs", "it bounds how long a place is gone by"),
    ("crates/ff-backend-sqlite/src/writer.rs", "it bounds how long a group and a wait last"),
    ("crates/ff-backend-sqlite/src/writer/spin.rs", "it bounds how long a thread stays awake"),
    ("crates/ff-sql/src/calls", "it tells how long a call has waited"),
    ("crates/ff-runtime/src/", "it measures how long this process waits, by tokio's clock"),
    ("crates/ff-runtime/tests/", "they read tokio's clock, which stands still until it is moved"),
    ("crates/ff-cli/src/", "it shows how long a command takes"),
    ("xtask/", "it shows how long a step takes"),
    ("benches/", "measuring is what they are for"),
];

pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let wall_clock = if is_allowed(file, WALL_CLOCK_ALLOWED) { &[] } else { WALL_CLOCK };
    let stopwatch: &[&str] = if is_allowed(file, STOPWATCH_ALLOWED) { &[] } else { &[STOPWATCH] };
    for (index, line) in file.scanned().code.iter().enumerate() {
        for read in wall_clock.iter().chain(stopwatch).filter(|read| line.contains(**read)) {
            findings.push(Finding::at(&file.path, index + 1, format!("it reads {read}")));
        }
    }
    findings
}

fn is_allowed(file: &SourceFile, allowed: &[(&str, &str)]) -> bool {
    allowed.iter().any(|(path, _reason)| file.path.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    #[test]
    fn a_clock_read_outside_its_place_is_found() {
        let source = "a(SystemTime::now()); // Uuid::now_v7\nmap(std::time::Instant::now)";
        let file = |path: &str| SourceFile::new(path, source);
        let files =
            [file("crates/ff-core/src/clock.rs"), file("crates/a/src/b.rs"), file("benches/c.rs")];
        assert_eq!(
            texts(&check(&files)),
            [
                "crates/a/src/b.rs:1: it reads SystemTime::now",
                "crates/a/src/b.rs:2: it reads Instant::now",
                "benches/c.rs:1: it reads SystemTime::now",
            ]
        );
    }
}
