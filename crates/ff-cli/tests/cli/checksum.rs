//! `ff checksum`.

use std::fs;
use std::path::Path;

use crate::workbench::{Workbench, text};

#[tokio::test]
async fn the_list_is_sorted_and_sha256sum_accepts_it() {
    let bench = Workbench::with_files(300);
    let output = bench.ff(&["checksum", "tree"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "300 checksums in SHA256SUMS, 0 files failed\n");
    bench.assert_sums_check();
    let sums = text(&bench.sums());
    let names: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    assert!(names.is_sorted());
    assert_eq!(names.len(), 300);
    assert_eq!(bench.kept().await.attempts, 300);
}

#[test]
fn a_known_checksum_is_right() {
    let bench = Workbench::new();
    bench.write(Path::new("tree/abc"), b"abc");
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    // FIPS 180-4's own example.
    assert_eq!(
        text(&bench.sums()),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  tree/abc\n"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_listed_as_sha256sum_lists_them() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Workbench::new();
    for name in
        [&b"with space"[..], b"new\nline", b"back\\slash", b"return\r", b"not\xffutf-8", b" "]
    {
        let name = Path::new("tree").join(std::ffi::OsStr::from_bytes(name));
        bench.write(&name, name.as_os_str().as_bytes());
    }
    std::os::unix::fs::symlink("with space", bench.path().join("tree/link")).unwrap();
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench.assert_sums_check();
    assert_eq!(text(&bench.sums()).lines().count(), 6, "the link is not followed");
}

#[tokio::test]
async fn a_second_run_hashes_nothing_again() {
    let bench = Workbench::with_files(50);
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    let (sums, kept) = (bench.sums(), bench.kept().await);
    assert!(bench.ff(&["checksum", "./tree"]).status.success());
    assert_eq!(bench.kept().await, kept);
    assert_eq!(text(&bench.sums()), text(&sums).replace("  tree", "  ./tree"));
}

#[tokio::test]
async fn a_file_that_changed_is_hashed_again_and_no_other() {
    let bench = Workbench::with_files(20);
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench.write(Path::new("tree/0/0"), b"another content, of another size");
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench.assert_sums_check();
    assert_eq!(bench.kept().await.attempts, 21);
}

#[test]
fn the_commands_own_files_are_left_out() {
    let bench = Workbench::with_files(3);
    for _ in 0..2 {
        assert!(bench.ff(&["checksum", "."]).status.success());
        let sums = text(&bench.sums());
        assert_eq!(sums.lines().count(), 3, "{sums}");
        assert!(sums.contains("  ./tree/0/0\n"), "{sums}");
    }
    bench.assert_sums_check();
}

#[test]
fn an_empty_directory_gives_an_empty_list() {
    let bench = Workbench::new();
    fs::create_dir(bench.path().join("tree")).unwrap();
    assert!(bench.ff(&["checksum", "tree", "--out", "list"]).status.success());
    assert_eq!(fs::read(bench.path().join("list")).unwrap(), b"");
}

#[test]
fn json_tells_what_was_written() {
    let bench = Workbench::with_files(2);
    let report = bench.json(&["checksum", "tree", "--workers", "1"]);
    assert_eq!(report, serde_json::json!({ "written": 2, "failed": [], "out": "SHA256SUMS" }));
}

#[tokio::test]
async fn two_processes_share_the_work_and_do_none_twice() {
    let bench = Workbench::with_files(600);
    let others = [(); 2].map(|()| bench.command(&["checksum", "tree"]).spawn().unwrap());
    for other in others {
        let output = other.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    bench.assert_sums_check();
    assert_eq!(bench.kept().await.attempts, 600);
}

#[cfg(unix)]
#[test]
fn a_link_is_written_through_and_a_pipe_is_written_to() {
    let bench = Workbench::with_files(2);
    bench.write(Path::new("target"), b"old");
    std::os::unix::fs::symlink("target", bench.path().join("link")).unwrap();
    assert!(bench.ff(&["checksum", "tree", "--out", "link"]).status.success());
    assert!(bench.path().join("link").is_symlink());
    let sums = fs::read(bench.path().join("target")).unwrap();
    assert_eq!(text(&sums).lines().count(), 2);

    let output = bench.ff(&["checksum", "tree", "--out", "/dev/stdout"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with(&text(&sums)));
}

#[cfg(unix)]
#[test]
fn a_store_that_is_reached_by_a_link_is_left_out_too() {
    let bench = Workbench::with_files(2);
    std::os::unix::fs::symlink("tree/real.db", bench.path().join("link.db")).unwrap();
    for _ in 0..2 {
        assert!(bench.ff(&["checksum", "tree", "--db", "link.db"]).status.success());
        assert_eq!(text(&bench.sums()).lines().count(), 2);
    }
}
