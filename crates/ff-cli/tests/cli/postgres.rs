//! The command on PostgreSQL.

#[path = "../../../ff-backend-postgres/tests/common/cluster.rs"]
mod cluster;
mod database;
mod fleet;
mod server;

use std::process::Output;

use crate::flows;
use crate::workbench::{HOLDER, Workbench, claim, submit, text};
use database::Database;

fn succeed(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The one line that a command which fails says.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[tokio::test]
async fn checksums_are_right_and_a_second_run_hashes_nothing_again() {
    let database = Database::new();
    let bench = Workbench::with_files(300).at(database.url());
    assert_eq!(
        succeed(&bench, &["checksum", "tree"]),
        "300 checksums in SHA256SUMS, 0 files failed\n"
    );
    bench.assert_sums_check();
    let (sums, kept) = (bench.sums(), bench.kept().await);
    assert_eq!(kept.attempts, 300);
    succeed(&bench, &["checksum", "tree"]);
    assert_eq!((bench.sums(), bench.kept().await), (sums, kept));
}

#[test]
fn executions_are_listed_shown_and_counted() {
    let database = Database::new();
    let bench = Workbench::with_files(7).at(database.url());
    succeed(&bench, &["checksum", "tree"]);
    let page = bench.json(&["list", "--state", "completed", "--limit", "3"]);
    assert_eq!(page["executions"].as_array().unwrap().len(), 3);
    let rest = bench.json(&["list", "--after", page["after"].as_str().unwrap()]);
    assert_eq!(rest["executions"].as_array().unwrap().len(), 4);
    let id = page["executions"][0]["execution_id"].as_str().unwrap();
    let shown = bench.json(&["show", id]);
    assert_eq!(shown["attempts"][0]["outcome"], "success");
    assert_eq!(shown["events"].as_array().unwrap().len(), 2);
    assert_eq!(bench.count("completed"), 7);
}

#[test]
fn looking_makes_no_tables_and_a_migration_tells_what_it_did() {
    let database = Database::new();
    let bench = Workbench::new().at(database.url());
    for command in
        [&["list"][..], &["stats"], &["show", "{fp:0}:550e8400-e29b-41d4-a716-446655440000"]]
    {
        let error = refusal(&bench.ff(command));
        assert!(error.contains("`ff migrate` makes one"), "{error}");
    }
    assert_eq!(succeed(&bench, &["migrate"]), "made a store at version 2\n");
    assert_eq!(succeed(&bench, &["migrate"]), "already up to date at version 2\n");
    assert_eq!(bench.json(&["migrate"]), serde_json::json!({ "before": 2, "after": 2 }));
    assert_eq!(bench.count("completed"), 0);
}

#[test]
fn the_doctor_tells_a_line_for_each_finding() {
    let database = Database::new();
    let bench = Workbench::new().at(database.url());
    let output = bench.ff(&["doctor"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("PostgreSQL "), "{said}");
    let missing = said.lines().find(|line| line.contains("there is no store")).unwrap();
    assert!(missing.starts_with("problem: ") && missing.contains("ff migrate"), "{missing}");
    assert!(said.lines().skip(1).all(|line| line.contains(". To do: ")), "{said}");
}

#[tokio::test]
async fn operators_act_on_executions_flows_and_lanes() {
    let database = Database::new();
    let bench = Workbench::new().at(database.url());
    let backend = bench.backend().await;
    let id = submit(&backend).await;
    claim(&*backend).await.unwrap();

    let revoked = succeed(&bench, &["revoke", &id]);
    assert_eq!(revoked, format!("revoked {id} from {HOLDER}: it waits for a worker now\n"));
    succeed(&bench, &["reprioritize", &id, "-5"]);
    assert_eq!(succeed(&bench, &["cancel", &id]), format!("cancelled {id}\n"));
    let replayed = succeed(&bench, &["replay", &id]);
    assert_eq!(replayed, format!("replayed {id}: it is waiting now\n"));
    succeed(&bench, &["lanes", "pause", "default"]);
    assert_eq!(claim(&*backend).await, None);
    assert_eq!(succeed(&bench, &["lanes", "resume", "default"]), "resumed default\n");

    let flow = flows::create(&backend, "default", 3).await;
    let cancelled = succeed(&bench, &["flows", "cancel", &flow]);
    assert_eq!(cancelled, format!("cancelled flow {flow} by cancel_all: 3 members with it\n"));
    let shown = bench.json(&["flows", "show", &flow, "--members"]);
    assert_eq!(shown["counts"], serde_json::json!({ "cancelled": 3 }));
    assert_eq!(bench.json(&["flows", "list"])["flows"][0], shown["flow"]);
    assert_eq!(bench.json(&["workers"]), serde_json::json!({ "workers": [] }));
}
