//! No test lets time pass by sleeping; library code that waits is listed here.

use super::finding::Finding;
use crate::source::{SourceFile, has_word};

/// Library files and folders that may wait, with the reason. Tests within them still may not.
const ALLOWED: &[(&str, &str)] = &[
    ("crates/ff-runtime/src/", "polling and backing off are the trade of its loops"),
    ("crates/ff-cli/src/checksum/patience.rs", "it waits for a store that is away"),
    ("crates/ff-cli/src/checksum.rs", "it looks again and again whether its work is done"),
    ("crates/ff-backend-postgres/src/claim.rs", "a claim may wait for work to appear"),
    ("crates/ff-backend-postgres/src/notify.rs", "it gathers lanes, and listens again"),
    ("crates/ff-backend-postgres/src/retry.rs", "it pauses between two tries"),
    ("crates/ff-backend-sqlite/src/claim.rs", "a claim may wait for work to appear"),
    ("crates/ff-backend-sqlite/src/pool.rs", "an opening store waits for another process"),
    ("crates/ff-backend-sqlite/src/writer.rs", "it waits for the lock of another process"),
    ("crates/ff-sql/src/members.rs", "a cancellation may wait for workers to let go"),
];

pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    check_against(files, ALLOWED)
}

fn check_against(files: &[SourceFile], allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = vec![false; allowed.len()];
    for file in files.iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")) {
        let allowance = allowed.iter().position(|(path, _)| file.path.starts_with(path));
        let code = file.scanned().code;
        let tests_from = match is_test_file(&file.path) {
            true => Some(0),
            false => code.iter().position(|line| line.contains("#[cfg(test)]")),
        };
        for (index, _) in code.iter().enumerate().filter(|(_, line)| calls_sleep(line)) {
            let is_test = tests_from.is_some_and(|from| index >= from);
            match allowance.filter(|_| !is_test) {
                Some(allowance) => used[allowance] = true,
                None => findings.push(Finding::at(&file.path, index + 1, "it sleeps")),
            }
        }
    }
    for ((path, _), _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        findings.push(Finding::of(*path, "it may sleep and does not; take it off the list"));
    }
    findings
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn calls_sleep(line: &str) -> bool {
    has_word(line, "sleep") || has_word(line, "sleep_until")
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    #[test]
    fn a_sleep_is_found_wherever_time_is_not_waited_for_by_trade() {
        let source = "\
            use std::thread::sleep;\n\
            fn wait() { tokio::time::sleep(d).await; }\n\
            fn f() { asleep(d); \"sleep(\"; } // sleep(\n\
            #[cfg(test)]\n\
            mod tests { fn t() { thread::sleep(d); } }\n";
        let file = |path: &str| SourceFile::new(path, source);
        let files = [
            file("crates/a/src/lib.rs"),
            file("crates/b/src/poll.rs"),
            file("xtask/a.rs"),
            file("crates/c/src/x/tests.rs"),
        ];
        let allowed = [
            ("crates/b/src/poll.rs", "it polls"),
            ("crates/b/src/gone.rs", "it is gone"),
            ("crates/c/", "it waits"),
        ];
        assert_eq!(
            texts(&check_against(&files, &allowed)),
            [
                "crates/a/src/lib.rs:1: it sleeps",
                "crates/a/src/lib.rs:2: it sleeps",
                "crates/a/src/lib.rs:5: it sleeps",
                "crates/b/src/poll.rs:5: it sleeps",
                "crates/c/src/x/tests.rs:1: it sleeps",
                "crates/c/src/x/tests.rs:2: it sleeps",
                "crates/c/src/x/tests.rs:5: it sleeps",
                "crates/b/src/gone.rs: it may sleep and does not; take it off the list",
                "crates/c/: it may sleep and does not; take it off the list",
            ]
        );
    }
}
