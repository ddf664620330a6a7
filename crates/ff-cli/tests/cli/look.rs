//! `ff list`, `ff show`, `ff stats`, `ff migrate` and `ff doctor`.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::workbench::{Workbench, text};

fn with_checksums(files: usize) -> Workbench {
    let bench = Workbench::with_files(files);
    assert!(bench.ff(&["checksum", "tree"]).status.success());
    bench
}

#[test]
fn a_list_is_read_page_by_page() {
    let bench = with_checksums(7);
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments =
            vec!["list", "--state", "completed", "--kind", "checksum", "--limit", "3"];
        arguments.extend(after.iter().flat_map(|cursor| ["--after", cursor]));
        let page = bench.json(&arguments);
        let executions = page["executions"].as_array().unwrap();
        seen.extend(executions.iter().map(|entry| entry["execution_id"].clone()));
        match page["after"].as_str() {
            Some(cursor) => after = Some(cursor.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    seen.dedup();
    assert_eq!(seen.len(), 7);
    let none = bench.json(&["list", "--state", "failed"]);
    assert_eq!(none["executions"].as_array().unwrap().len(), 0);
}

#[test]
fn one_is_shown_with_its_attempts_and_events() {
    let bench = with_checksums(1);
    let id = bench.json(&["list"])["executions"][0]["execution_id"].as_str().unwrap().to_owned();
    let shown = bench.json(&["show", &id]);
    assert_eq!(shown["execution"]["public_state"], "completed");
    assert_eq!(shown["attempts"][0]["outcome"], "success");
    let events = shown["events"].as_array().unwrap();
    let names: Vec<&str> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["acquired", "success"]);
    let human = text(&bench.ff(&["show", &id]).stdout);
    assert!(human.starts_with(&format!("{id}  completed  checksum in lane checksum-")), "{human}");
}

#[test]
fn an_unknown_execution_is_an_error() {
    let bench = with_checksums(1);
    let output = bench.ff(&["show", "{fp:0}:550e8400-e29b-41d4-a716-446655440000"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no execution"));
}

#[test]
fn counts_are_by_lane_and_state() {
    let bench = with_checksums(5);
    assert_eq!(bench.count("completed"), 5);
    let human = text(&bench.ff(&["stats"]).stdout);
    assert!(human.lines().nth(1).unwrap().ends_with("completed  5"), "{human}");
}

#[test]
fn a_migration_tells_what_it_did_and_the_doctor_finds_nothing_wrong_then() {
    let bench = Workbench::new();
    assert_eq!(bench.json(&["migrate"]), json!({ "before": null, "after": 2 }));
    assert_eq!(text(&bench.ff(&["migrate"]).stdout), "already up to date at version 2\n");
    let examination = bench.json(&["doctor"]);
    assert_eq!((&examination["schema_version"], &examination["findings"]), (&json!(2), &json!([])));
    let human = text(&bench.ff(&["doctor"]).stdout);
    let (server, rest) = human.split_once(", ").unwrap();
    assert!(server.starts_with("SQLite 3."), "{server}");
    assert_eq!(rest, "schema version 2\nnothing is wrong\n");
}

#[test]
fn the_doctor_fails_when_something_is_wrong() {
    let bench = Workbench::new();
    bench.write(Path::new("notes.txt"), "not a database ".repeat(100).as_bytes());
    let output = bench.ff(&["doctor", "--db", "notes.txt"]);
    assert_eq!(output.status.code(), Some(1));
    let human = text(&output.stdout);
    assert!(human.contains("problem: the file is not a SQLite database"), "{human}");
    assert!(!human.contains("nothing is wrong"), "{human}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = with_checksums(3);
    let mut child = bench.command(&["list"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
