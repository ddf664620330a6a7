//! Kills and signals in the middle of the work.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::workbench::{Kept, Workbench, text};

const FILES: usize = 4_000;
const COMPLETED: &str = "completed";

/// A file that takes longer to read than any test runs, so that a run is never over too soon.
pub(crate) struct Endless(PathBuf);

impl Endless {
    pub(crate) fn new(bench: &Workbench) -> Self {
        let path = bench.write(Path::new("tree/0/endless"), b"");
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        Self(path)
    }

    pub(crate) fn remove(self) {
        std::fs::remove_file(self.0).unwrap();
    }
}

/// Waits until this many executions have completed, or the process has ended.
fn wait_until_completed(bench: &Workbench, child: &mut Child, completed: u64) {
    while child.try_wait().unwrap().is_none() && bench.completed() < completed {}
}

#[tokio::test]
async fn a_killed_run_goes_on_where_it_was() {
    let bench = Workbench::with_files(FILES);
    let endless = Endless::new(&bench);
    for completed in [0, 1, 500, 1_500, 3_000] {
        let mut child = bench.spawn(&["checksum", "tree", "--workers", "2"]);
        wait_until_completed(&bench, &mut child, completed);
        child.kill().unwrap();
        assert!(child.wait().unwrap().signal().is_some());
        if bench.path().join("flowfabric.db").exists() {
            bench.kept().await;
        }
    }
    endless.remove();

    let output = bench.ff(&["checksum", "tree"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    bench.assert_sums_check();
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(states.get(COMPLETED), Some(&FILES), "{states:?}");
}

#[test]
fn a_file_that_has_become_a_pipe_holds_up_nothing() {
    let bench = Workbench::with_files(20);
    let endless = Endless::new(&bench);
    let path = endless.0.clone();
    let mut child = bench.spawn(&["checksum", "tree", "--workers", "2"]);
    wait_until_completed(&bench, &mut child, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    endless.remove();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());

    let output = bench.ff(&["checksum", "tree", "--workers", "1"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&bench.sums()).lines().count(), 20);
}

#[tokio::test]
async fn an_interrupted_run_gives_its_work_back() {
    let bench = Workbench::with_files(FILES);
    let endless = Endless::new(&bench);
    let mut child = bench.spawn(&["checksum", "tree", "--workers", "2"]);
    wait_until_completed(&bench, &mut child, 1);
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(states.get("running"), None, "{states:?}");
    endless.remove();

    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench.assert_sums_check();
}
