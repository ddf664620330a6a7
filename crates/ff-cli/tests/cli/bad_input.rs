//! Bad input: one line that says what to do, exit 1, and nothing half-written; bad usage is exit 2.

use std::fs;
use std::path::Path;

use crate::workbench::{UNKNOWN, Workbench, text};

/// Runs the command and returns its one line.
fn refused(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(text(&output.stdout), "");
    error
}

fn files(bench: &Workbench) -> usize {
    fs::read_dir(bench.path()).unwrap().count()
}

#[test]
fn a_missing_directory_is_named() {
    let bench = Workbench::new();
    let error = refused(&bench, &["checksum", "nowhere"]);
    assert!(error.starts_with("ff: cannot read nowhere: "), "{error}");
    assert_eq!(files(&bench), 0);
}

#[test]
fn a_file_is_not_a_directory() {
    let bench = Workbench::new();
    bench.write(Path::new("file"), b"");
    assert_eq!(refused(&bench, &["checksum", "file"]), "ff: file is not a directory\n");
    assert_eq!(files(&bench), 1);
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_the_work() {
    let bench = Workbench::with_files(1);
    let error = refused(&bench, &["checksum", "tree", "--out", "nowhere/list"]);
    assert!(error.contains("there is no directory nowhere"), "{error}");
    let error = refused(&bench, &["checksum", "tree", "--out", "tree"]);
    assert!(error.contains("it is a directory"), "{error}");
    let error = refused(&bench, &["checksum", "tree", "--out", "new/"]);
    assert!(error.contains("it names no file"), "{error}");
    assert_eq!(files(&bench), 1);
}

#[test]
fn a_store_that_is_none_is_left_alone() {
    let bench = Workbench::with_files(1);
    let content = "not a database ".repeat(100);
    bench.write(Path::new("notes.txt"), content.as_bytes());
    let error = refused(&bench, &["checksum", "tree", "--db", "notes.txt"]);
    assert!(error.contains("notes.txt is not a SQLite database"), "{error}");
    assert_eq!(fs::read_to_string(bench.path().join("notes.txt")).unwrap(), content);
    assert_eq!(files(&bench), 2);
}

#[test]
fn a_store_in_a_missing_directory_is_told() {
    let bench = Workbench::with_files(1);
    let error = refused(&bench, &["checksum", "tree", "--db", "sqlite:nowhere/jobs.db"]);
    assert!(error.contains("there is no directory nowhere; create it first"), "{error}");
}

#[test]
fn an_unknown_scheme_is_told() {
    let bench = Workbench::with_files(1);
    for command in ["stats", "migrate", "doctor"] {
        let error = refused(&bench, &[command, "--db", "mysql://ff:secret@localhost/x"]);
        assert!(error.contains("there are sqlite: and postgres:"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_missing_feature_is_told() {
    let bench = Workbench::with_files(1);
    for command in ["stats", "migrate", "doctor"] {
        let error = refused(&bench, &[command, "--db", "postgres://localhost/x"]);
        assert!(error.contains("add the feature `postgres`"), "{error}");
    }
}

#[test]
fn looking_into_no_store_makes_none() {
    let bench = Workbench::new();
    let commands: [&[&str]; 12] = [
        &["stats"],
        &["list"],
        &["doctor"],
        &["cancel", UNKNOWN],
        &["replay", UNKNOWN],
        &["reprioritize", UNKNOWN, "1"],
        &["revoke", UNKNOWN],
        &["workers"],
        &["lanes"],
        &["lanes", "pause", "default"],
        &["flows", "list"],
        &["flows", "cancel", "550e8400-e29b-41d4-a716-446655440000"],
    ];
    for command in commands {
        let error = refused(&bench, command);
        assert!(error.contains("there is no store flowfabric.db"), "{error}");
    }
    assert_eq!(files(&bench), 0);
}

#[test]
fn every_spelling_of_a_store_names_the_same_file() {
    let bench = Workbench::new();
    let spellings =
        ["sqlite:my%20jobs.db", "sqlite:file:my%20jobs.db", "my jobs.db", "file:my%20jobs.db#x"];
    for db in spellings {
        let error = refused(&bench, &["--db", db, "stats"]);
        assert!(error.contains("there is no store my jobs.db"), "{db}: {error}");
        assert_eq!(files(&bench), 0, "{db}");
    }

    assert!(bench.ff(&["--db", spellings[0], "migrate"]).status.success());

    for db in spellings {
        assert!(bench.ff(&["--db", db, "stats"]).status.success(), "{db}");
    }
}

#[test]
fn a_path_with_a_colon_is_a_path() {
    let bench = Workbench::new();
    let error = refused(&bench, &["--db", "12 o'clock: jobs.db", "stats"]);
    assert!(error.contains("there is no store 12 o'clock: jobs.db"), "{error}");
    assert_eq!(files(&bench), 0);
}

#[test]
fn an_error_is_json_for_machines() {
    let bench = Workbench::new();
    let error = refused(&bench, &["stats", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert!(error["error"].as_str().unwrap().contains("there is no store"));
}

#[test]
fn bad_usage_is_exit_2() {
    let bench = Workbench::new();
    let cases: [&[&str]; 18] = [
        &[],
        &["checksum"],
        &["checksum", "tree", "--workers", "0"],
        &["list", "--state", "asleep"],
        &["list", "--limit", "0"],
        &["list", "--after", "nonsense"],
        &["show", "not-an-id"],
        &["cancel"],
        &["cancel", "not-an-id"],
        &["cancel", UNKNOWN, "not-an-id"],
        &["replay", "not-an-id"],
        &["reprioritize", UNKNOWN],
        &["reprioritize", UNKNOWN, "high"],
        &["revoke", "not-an-id"],
        &["lanes", "pause"],
        &["flows"],
        &["flows", "show", "not-an-id"],
        &["flows", "list", "--after", "nonsense"],
    ];
    for arguments in cases {
        assert_eq!(bench.ff(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
