//! Kills and signals in the middle of the work.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use crate::workbench::{Kept, Workbench, text};

const FILES: usize = 4_000;
const COMPLETED: &str = "completed";

/// Waits until this many executions have completed, or the process has ended.
fn wait_until_completed(bench: &Workbench, child: &mut Child, completed: u64) {
    while child.try_wait().unwrap().is_none() && count(bench) < completed {}
}

/// Nothing, before the store is there.
fn count(bench: &Workbench) -> u64 {
    if bench.path().join("flowfabric.db").exists() { bench.count(COMPLETED) } else { 0 }
}

#[tokio::test]
async fn a_killed_run_goes_on_where_it_was() {
    let bench = Workbench::with_files(FILES);
    let mut kills = 0;
    for completed in [0, 1, 500, 1_500, 3_000] {
        let mut child = bench.spawn(&["checksum", "tree"]);
        wait_until_completed(&bench, &mut child, completed);
        child.kill().unwrap();
        if child.wait().unwrap().signal().is_some() {
            kills += 1;
            if bench.path().join("flowfabric.db").exists() {
                bench.kept().await;
            }
        }
    }
    assert!(kills >= 3, "the runs were over before they could be killed");

    let output = bench.ff(&["checksum", "tree"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    bench.assert_sums_check();
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(Vec::from_iter(states), [(COMPLETED.to_owned(), FILES)]);
}

#[test]
fn a_file_that_has_become_a_pipe_holds_up_nothing() {
    let bench = Workbench::with_files(20);
    let path = bench.path().join("tree/1/1");
    let mut child = bench.spawn(&["checksum", "tree", "--workers", "1"]);
    wait_until_completed(&bench, &mut child, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());

    let output = bench.ff(&["checksum", "tree", "--workers", "1"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&bench.sums()).lines().count(), 19);
}

#[tokio::test]
async fn an_interrupted_run_gives_its_work_back() {
    let bench = Workbench::with_files(FILES);
    let mut child = bench.spawn(&["checksum", "tree"]);
    wait_until_completed(&bench, &mut child, 1);
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(states.get("running"), None, "{states:?}");

    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench.assert_sums_check();
}
