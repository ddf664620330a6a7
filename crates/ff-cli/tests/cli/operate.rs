//! `ff cancel`, `ff replay`, `ff reprioritize` and `ff revoke`.

use std::sync::Arc;
use std::time::Duration;

use flowfabric::Client;
use flowfabric::core::backend::Handle;
use flowfabric::core::contracts::EventStream;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::policy::ExecutionPolicy;
use serde_json::json;

use crate::workbench::{HOLDER, UNKNOWN, Workbench, claim, submission, submit, text};

/// Runs the command, which fails, and returns what it said.
fn refusal(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

fn said(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.ff(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

async fn completed(backend: &Arc<dyn EngineBackend>) -> String {
    let handle = claimed(backend).await;
    backend.complete(&handle, Some(b"7".to_vec())).await.unwrap();
    handle.execution_id().to_string()
}

async fn claimed(backend: &Arc<dyn EngineBackend>) -> Handle {
    submit(backend).await;
    claim(&**backend).await.unwrap()
}

#[tokio::test]
async fn executions_are_cancelled_whoever_runs_them_and_the_reason_is_kept() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let handle = claimed(&backend).await;
    let (running, waiting) = (handle.execution_id().to_string(), submit(&backend).await);

    let cancelled = said(&bench, &["cancel", &running, &waiting, "--reason", "not wanted"]);

    assert_eq!(cancelled, format!("cancelled {running}\ncancelled {waiting}\n"));
    assert!(backend.complete(&handle, None).await.unwrap_err().is_lease_lost());
    let shown = bench.json(&["show", &running]);
    assert_eq!(shown["execution"]["cancelled_by"], "operator_override");
    assert_eq!(shown["execution"]["cancellation_reason"], "not wanted");
    let human = said(&bench, &["show", &waiting]);
    assert!(human.contains("cancelled by operator_override: not wanted\n"), "{human}");

    let again = bench.json(&["cancel", &running, "--reason", "another"]);
    let done = json!([{ "execution_id": running, "public_state": "cancelled" }]);
    assert_eq!(again, json!({ "cancelled": done, "failed": [] }));
    let shown = bench.json(&["show", &running]);
    assert_eq!(shown["execution"]["cancellation_reason"], "not wanted");
}

#[tokio::test]
async fn what_cannot_be_cancelled_holds_up_nothing() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let (finished, waiting) = (completed(&backend).await, submit(&backend).await);

    let output = bench.ff(&["cancel", &finished, UNKNOWN, &waiting]);

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), format!("cancelled {waiting}\n"));
    let errors = text(&output.stderr);
    let [first, second] = errors.lines().collect::<Vec<_>>()[..] else { panic!("{errors}") };
    assert_eq!(
        first,
        format!("ff: {finished} has already finished as completed; there is nothing to cancel")
    );
    assert!(second.starts_with(&format!("ff: there is no execution {UNKNOWN} ")), "{second}");
    assert!(second.contains("`ff list`"), "{second}");

    let output = bench.ff(&["cancel", &finished, &waiting, "--json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["cancelled"][0]["execution_id"], waiting);
    assert_eq!(answer["failed"][0]["execution_id"], finished);
    let reason = answer["failed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("has already finished as completed"), "{reason}");
}

#[tokio::test]
async fn a_reason_that_is_too_long_is_refused() {
    let bench = Workbench::new();
    let id = submit(&bench.backend().await).await;
    let error = refusal(&bench, &["cancel", &id, "--reason", &"x".repeat(5_000)]);
    assert!(error.contains("reason: ") && error.contains("4096"), "{error}");
    assert_eq!(bench.count("waiting"), 1);
}

#[tokio::test]
async fn finished_executions_run_again_with_their_history() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let (first, second) = (completed(&backend).await, completed(&backend).await);

    let replayed = said(&bench, &["replay", &first, &second]);

    let line = |id: &str| format!("replayed {id}: it is waiting now\n");
    assert_eq!(replayed, line(&first) + &line(&second));
    let shown = bench.json(&["show", &first]);
    assert_eq!(shown["execution"]["replay_count"], 1);
    assert_eq!(shown["attempts"][0]["outcome"], "success");
    let again = claim(&*backend).await.unwrap();
    assert_eq!((again.execution_id().to_string(), again.attempt_index().0), (first, 1));
}

#[tokio::test]
async fn what_has_not_finished_or_was_replayed_too_often_is_not_replayed() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let policy = ExecutionPolicy { max_replay_count: 0, ..ExecutionPolicy::default() };
    let client = Client::new(backend.clone());
    client.submit(submission().policy(policy)).await.unwrap();
    let handle = claim(&*backend).await.unwrap();
    backend.complete(&handle, None).await.unwrap();
    let (spent, waiting) = (handle.execution_id().to_string(), submit(&backend).await);

    let errors = refusal(&bench, &["replay", &waiting, &spent, UNKNOWN]);

    let [first, second, third] = errors.lines().collect::<Vec<_>>()[..] else { panic!("{errors}") };
    assert!(
        first.contains(&waiting) && first.contains("cancel it first by `ff cancel`"),
        "{first}"
    );
    assert!(second.contains(&spent) && second.contains("submit it anew"), "{second}");
    assert!(third.contains("there is no execution"), "{third}");
    let failed = bench.ff(&["replay", &waiting, "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((&answer["replayed"], answer["failed"].as_array().unwrap().len()), (&json!([]), 1));
}

#[tokio::test]
async fn a_waiting_execution_is_moved_in_its_queue() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let first = claimed(&backend).await.execution_id().to_string();
    said(&bench, &["revoke", &first]);
    let second = submit(&backend).await;

    let moved = said(&bench, &["reprioritize", &first, "-5"]);

    assert_eq!(moved, format!("reprioritized {first}: it has priority -5 now\n"));
    assert_eq!(claim(&*backend).await.unwrap().execution_id().to_string(), second);
    let moved = bench.json(&["reprioritize", &first, "7"]);
    assert_eq!(moved, json!({ "execution_id": first, "priority": 7 }));
    assert_eq!(bench.json(&["show", &first])["execution"]["priority"], 7);
}

#[tokio::test]
async fn only_what_waits_in_its_queue_is_moved() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let finished = completed(&backend).await;
    let running = claimed(&backend).await.execution_id().to_string();
    let client = Client::new(backend.clone());
    let delayed = client.submit(submission().delay(Duration::from_secs(3_600))).await.unwrap();
    let new = submit(&backend).await;
    let cases = [
        (finished, "is completed; only what waits in its queue can be moved"),
        (running, "is running; only what waits"),
        (delayed.to_string(), "is delayed; only what waits"),
        (new, "is not in its queue yet: a running worker puts it there"),
        (UNKNOWN.to_owned(), "there is no execution"),
    ];
    for (id, expected) in cases {
        let error = refusal(&bench, &["reprioritize", &id, "1"]);
        assert!(error.contains(&id) && error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_lease_is_revoked_from_whoever_holds_it() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let handle = claimed(&backend).await;
    let id = handle.execution_id().to_string();

    let revoked = said(&bench, &["revoke", &id, "--reason", "stuck"]);

    assert_eq!(revoked, format!("revoked {id} from {HOLDER}: it waits for a worker now\n"));
    assert!(backend.complete(&handle, None).await.unwrap_err().is_lease_lost());
    let shown = bench.json(&["show", &id]);
    assert_eq!(shown["execution"]["public_state"], "waiting");
    assert_eq!(shown["attempts"][0]["error"]["message"], "stuck");
    let events = backend.list_execution_events(handle.execution_id()).await.unwrap();
    let mut leases = events.iter().filter(|event| event.stream == EventStream::Lease);
    assert_eq!(leases.next_back().unwrap().name, "revoked");

    assert_eq!(
        said(&bench, &["revoke", &id]),
        format!("revoked nothing of {id}: no worker holds it\n")
    );
    let again = bench.json(&["revoke", &id, "--worker", HOLDER]);
    assert_eq!(again, json!({ "execution_id": id, "revoked": false, "reason": "no_active_lease" }));
}

#[tokio::test]
async fn a_lease_is_revoked_from_the_worker_that_is_named_and_from_no_other() {
    let bench = Workbench::new();
    let backend = bench.backend().await;
    let handle = claimed(&backend).await;
    let id = handle.execution_id().to_string();

    let other = said(&bench, &["revoke", &id, "--worker", "other/1"]);
    assert_eq!(other, format!("revoked nothing of {id}: other/1 does not hold it\n"));
    backend.renew(&handle).await.unwrap();

    let revoked = bench.json(&["revoke", &id, "--worker", HOLDER]);
    assert_eq!(
        (&revoked["revoked"], &revoked["worker_instance_id"]),
        (&json!(true), &json!(HOLDER))
    );
    assert_eq!(revoked["lease_epoch"], 1);
    assert!(revoked["lease_id"].is_string());
}

#[tokio::test]
async fn nothing_is_revoked_of_what_is_finished_or_unknown() {
    let bench = Workbench::new();
    let finished = completed(&bench.backend().await).await;
    let nothing = said(&bench, &["revoke", &finished]);
    assert_eq!(nothing, format!("revoked nothing of {finished}: no worker holds it\n"));
    for arguments in [&["revoke", UNKNOWN][..], &["revoke", UNKNOWN, "--worker", HOLDER]] {
        let error = refusal(&bench, arguments);
        assert!(error.contains(&format!("there is no execution {UNKNOWN}")), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_worker_hears_that_what_it_runs_was_cancelled() {
    let bench = Workbench::with_files(3);
    let _endless = crate::kill::Endless::new(&bench);
    let mut run = bench.command(&["checksum", "tree", "--workers", "2"]).spawn().unwrap();
    while bench.completed() < 3 || bench.running().is_empty() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended too soon");
    }
    let running = bench.running();
    let workers = bench.json(&["workers"]);
    let worker = &workers["workers"][0];
    assert_eq!((&worker["worker_id"], &worker["alive"]), (&json!("ff-checksum"), &json!(true)));

    said(&bench, &["cancel", &running[0]]);

    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("endless: its execution ended as cancelled"), "{errors}");
    assert_eq!(bench.json(&["workers"]), json!({ "workers": [] }));
}
