//! `ff workers` and `ff lanes`.

use flowfabric::core::contracts::RegisterWorkerArgs;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::types::{LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};
use serde_json::json;

use crate::workbench::{Workbench, claim, submit, text};

const MINUTE_MS: u64 = 60_000;

async fn register(backend: &dyn EngineBackend, name: &str, namespace: &str, now: TimestampMs) {
    let args = RegisterWorkerArgs::new(
        WorkerId::new(name),
        WorkerInstanceId::new(format!("{name}/1")),
        [LaneId::new("mail"), LaneId::new("parcels")].into(),
        ["ink".to_owned()].into(),
        MINUTE_MS,
        Namespace::new(namespace),
        now,
    );
    backend.register_worker(args).await.unwrap();
}

fn said(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test]
async fn workers_are_listed_with_their_last_sign_of_life() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let now = backend.now().await.unwrap();
    register(&*backend, "bert", "post", TimestampMs::from_millis(1)).await;
    register(&*backend, "anna", "default", now).await;

    let human = said(&bench, &["workers"]);
    let words: Vec<Vec<&str>> =
        human.lines().map(|line| line.split_whitespace().collect()).collect();
    let seen = now.to_string();
    let anna = ["anna/1", "anna", "default", "alive", &seen, "mail,", "parcels"];
    assert_eq!(
        words[1..],
        [anna.to_vec(), vec!["bert/1", "bert", "post", "late", "1", "mail,", "parcels"]]
    );

    let one = bench.json(&["workers", "--namespace", "post"]);
    let bert = json!({
        "worker_instance_id": "bert/1", "worker_id": "bert", "namespace": "post",
        "lanes": ["mail", "parcels"], "capabilities": ["ink"], "alive": false,
        "registered_at_ms": 1, "last_heartbeat_ms": 1, "liveness_ttl_ms": MINUTE_MS,
    });
    assert_eq!(one, json!({ "workers": [bert] }));
    assert_eq!(bench.json(&["workers", "--namespace", "other"]), json!({ "workers": [] }));
}

#[tokio::test]
async fn more_workers_than_a_page_are_all_listed() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let now = backend.now().await.unwrap();
    for number in 0..1_001 {
        register(&*backend, &format!("worker-{number}"), "default", now).await;
    }
    assert_eq!(bench.json(&["workers"])["workers"].as_array().unwrap().len(), 1_001);
}

#[tokio::test]
async fn a_lane_that_is_paused_gives_nothing_until_it_is_resumed() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    submit(&backend).await;

    assert_eq!(said(&bench, &["lanes", "pause", "default"]), "paused default\n");
    assert_eq!(claim(&*backend).await, None);
    assert_eq!(said(&bench, &["lanes"]), "LANE     STATE\ndefault  paused\n");
    assert_eq!(said(&bench, &["lanes", "pause", "default"]), "default was paused already\n");

    assert_eq!(said(&bench, &["lanes", "resume", "default"]), "resumed default\n");
    assert!(claim(&*backend).await.is_some());
    assert_eq!(said(&bench, &["lanes", "resume", "default"]), "default was not paused\n");
    let lane = json!({ "lane_id": "default", "state": "active" });
    assert_eq!(bench.json(&["lanes", "resume", "default"]), lane);
    assert_eq!(bench.json(&["lanes"]), json!({ "lanes": [lane] }));
}

#[tokio::test]
async fn a_lane_that_nobody_has_used_is_told() {
    let bench = Workbench::new();
    bench.backend().await;
    let resumed = said(&bench, &["lanes", "resume", "mial"]);
    assert_eq!(resumed, "mial was not paused, and there has been no execution in it yet\n");
    assert_eq!(bench.json(&["lanes"]), json!({ "lanes": [] }));
    let paused = said(&bench, &["lanes", "pause", "mial"]);
    assert_eq!(paused, "paused mial, in which there has been no execution yet\n");
    let output = bench.ff(&["lanes", "pause", ""]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("lane_id"), "{}", text(&output.stderr));
}
