//! Files that cannot be read. The super-user reads everything, so the command runs as another user then.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::workbench::{Workbench, text};

const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A copy of the command that any user can run, in the bench's own directory.
fn copy_for_everybody(bench: &Workbench) -> PathBuf {
    let copy = bench.path().join("ff");
    fs::copy(env!("CARGO_BIN_EXE_ff"), &copy).unwrap();
    set_mode(&copy, 0o755);
    set_mode(bench.path(), 0o777);
    copy
}

fn checksum_without_privilege(bench: &Workbench, ff: &Path) -> Output {
    without_privilege(bench, ff, &["checksum", "tree"])
}

fn without_privilege(bench: &Workbench, ff: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(ff);
    command.args(arguments).current_dir(bench.path());
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn an_unreadable_file_is_listed_and_tried_again_by_the_next_run() {
    let bench = Workbench::with_files(10);
    let ff = copy_for_everybody(&bench);
    let secret = bench.write(Path::new("tree/secret"), b"s");
    set_mode(&secret, 0o000);

    let output = checksum_without_privilege(&bench, &ff);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("ff: tree/secret: Permission denied"));
    assert_eq!(text(&bench.sums()).lines().count(), 10);
    let attempts = bench.kept().await.attempts;
    assert_eq!(attempts, 11);

    set_mode(&secret, 0o644);
    let output = checksum_without_privilege(&bench, &ff);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&bench.sums()).lines().count(), 11);
    bench.assert_sums_check();
    assert_eq!(bench.kept().await.attempts, attempts + 1);
}

#[test]
fn an_unreadable_directory_is_listed() {
    let bench = Workbench::with_files(10);
    let ff = copy_for_everybody(&bench);
    let closed = bench.path().join("tree/0");
    set_mode(&closed, 0o000);
    let output = checksum_without_privilege(&bench, &ff);
    set_mode(&closed, 0o755);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ff: tree/0: Permission denied"));
    assert_eq!(text(&bench.sums()).lines().count(), 9);
}

#[test]
fn a_store_that_cannot_be_written_is_told() {
    let bench = Workbench::with_files(1);
    let ff = copy_for_everybody(&bench);
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    set_mode(&bench.path().join("flowfabric.db"), 0o444);
    let output = checksum_without_privilege(&bench, &ff);
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if is_root {
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains("flowfabric.db cannot be"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let output = without_privilege(&bench, &ff, &["doctor"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert!(said.contains("problem: flowfabric.db cannot be written"), "{said}");
    }
}
