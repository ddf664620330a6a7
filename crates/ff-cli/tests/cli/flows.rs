//! `ff flows list`, `ff flows show` and `ff flows cancel`.

use std::sync::Arc;

use flowfabric::Client;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::types::Namespace;
use serde_json::{Value, json};

use crate::workbench::{Workbench, claim, submission, text};

const UNKNOWN_FLOW: &str = "550e8400-e29b-41d4-a716-446655440000";

pub(crate) async fn create(
    backend: &Arc<dyn EngineBackend>,
    namespace: &str,
    members: usize,
) -> String {
    let client = Client::new(backend.clone()).with_namespace(Namespace::new(namespace));
    let flow_id = client.create_flow("letters").await.unwrap();
    client.submit_batch(vec![submission().flow(flow_id); members]).await.unwrap();
    flow_id.to_string()
}

fn said(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn ids(page: &Value) -> Vec<&str> {
    let flows = page["flows"].as_array().unwrap();
    flows.iter().map(|flow| flow["flow_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn flows_are_listed_page_by_page_by_state_and_by_namespace() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let mut flows = Vec::new();
    for namespace in ["default", "post", "default"] {
        flows.push(create(&backend, namespace, 0).await);
    }
    said(&bench, &["flows", "cancel", &flows[2]]);

    let first = bench.json(&["flows", "list", "--limit", "2"]);
    let rest = bench.json(&["flows", "list", "--after", first["after"].as_str().unwrap()]);
    let mut seen = [ids(&first), ids(&rest)].concat();
    assert_eq!((seen.len(), &rest["after"]), (3, &Value::Null));
    seen.sort_unstable();
    let mut all = flows.iter().map(String::as_str).collect::<Vec<_>>();
    all.sort_unstable();
    assert_eq!(seen, all);

    let post = bench.json(&["flows", "list", "--namespace", "post"]);
    assert_eq!(ids(&post), [&flows[1]]);
    let cancelled = bench.json(&["flows", "list", "--state", "cancelled"]);
    assert_eq!(ids(&cancelled), [&flows[2]]);
    let human = said(&bench, &["flows", "list", "--namespace", "post"]);
    let words: Vec<&str> = human.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], [&flows[1], "open", "letters", "post"]);
}

#[tokio::test]
async fn a_flow_is_shown_with_its_members() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let flow = create(&backend, "default", 3).await;
    let handle = claim(&*backend).await.unwrap();

    let human = said(&bench, &["flows", "show", &flow]);
    let lines: Vec<&str> = human.lines().collect();
    assert_eq!(lines[0], format!("{flow}  open  letters in namespace default"));
    assert_eq!(lines[2..], ["members: 3", "  waiting  2", "  running  1"]);

    let shown = bench.json(&["flows", "show", &flow]);
    assert_eq!(shown["flow"]["graph_revision"], 3);
    assert_eq!(shown["counts"], json!({ "waiting": 2, "running": 1 }));
    assert_eq!(shown.get("members"), None);
    let shown = bench.json(&["flows", "show", &flow, "--members"]);
    let members = shown["members"].as_array().unwrap();
    let running: Vec<_> =
        members.iter().filter(|member| member["public_state"] == "running").collect();
    assert_eq!((members.len(), running.len()), (3, 1));
    assert_eq!(running[0]["execution_id"], handle.execution_id().to_string());
    let human = said(&bench, &["flows", "show", &flow, "--members"]);
    assert!(human.contains("\nEXECUTION ") && human.contains("  running  default"), "{human}");
}

#[tokio::test]
async fn a_flow_is_cancelled_with_its_members_and_the_same_again_changes_nothing() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let flow = create(&backend, "default", 3).await;
    let handle = claim(&*backend).await.unwrap();

    let cancelled = said(&bench, &["flows", "cancel", &flow, "--reason", "not wanted"]);

    assert_eq!(cancelled, format!("cancelled flow {flow} by cancel_all: 3 members with it\n"));
    assert!(backend.complete(&handle, None).await.unwrap_err().is_lease_lost());
    let shown = bench.json(&["flows", "show", &flow]);
    assert_eq!(shown["counts"], json!({ "cancelled": 3 }));
    assert_eq!(shown["flow"]["cancel_reason"], "not wanted");
    let human = said(&bench, &["flows", "show", &flow]);
    assert!(human.contains("\ncancelled by cancel_all: not wanted\n"), "{human}");

    let again = said(&bench, &["flows", "cancel", &flow, "--policy", "flow_only"]);
    let still = "was cancelled already by cancel_all: 3 members still to be let go";
    assert_eq!(again, format!("flow {flow} {still}\n"));
    let again = bench.json(&["flows", "cancel", &flow]);
    assert_eq!(again["already_cancelled"], true);
    assert_eq!(again["member_execution_ids"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_policy_says_which_members_are_cancelled() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let pending = create(&backend, "default", 2).await;
    let handle = claim(&*backend).await.unwrap();
    let only = create(&backend, "default", 1).await;

    let cancelled = bench.json(&["flows", "cancel", &pending, "--policy", "cancel_pending"]);
    assert_eq!(cancelled["cancellation_policy"], "cancel_pending");
    assert_eq!(cancelled["already_cancelled"], false);
    assert_eq!(cancelled["member_execution_ids"].as_array().unwrap().len(), 1);
    backend.complete(&handle, None).await.unwrap();

    let cancelled = said(&bench, &["flows", "cancel", &only, "--policy", "flow_only"]);
    assert_eq!(cancelled, format!("cancelled flow {only} by flow_only: 0 members with it\n"));
    assert!(claim(&*backend).await.is_some());
}

#[tokio::test]
async fn an_unknown_flow_is_an_error_and_one_that_finished_otherwise_is_too() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let flow = create(&backend, "default", 0).await;
    bench.execute("UPDATE ff_flow_core SET public_flow_state = 'completed'").await;
    for command in ["show", "cancel"] {
        let output = bench.ff(&["flows", command, UNKNOWN_FLOW]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let error = text(&output.stderr);
        assert!(error.contains(&format!("there is no flow {UNKNOWN_FLOW}")), "{error}");
        assert!(error.contains("`ff flows list`"), "{error}");
    }
    let output = bench.ff(&["flows", "cancel", &flow]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("has already finished as completed"), "{error}");
}

#[test]
fn words_that_an_option_does_not_take_are_answered_with_those_that_it_does() {
    let bench = Workbench::new();
    let cases: [(&[&str], &str); 4] = [
        (
            &["flows", "cancel", UNKNOWN_FLOW, "--policy", "all"],
            "cancel_all, cancel_pending, flow_only",
        ),
        (&["flows", "list", "--state", "asleep"], "open, completed, failed, cancelled"),
        (&["list", "--state", "asleep"], "waiting, delayed"),
        (&["flows", "show", "x"], "a flow's id is a UUID, as `ff flows list` prints it"),
    ];
    for (arguments, expected) in cases {
        let output = bench.ff(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{error}");
    }
}
