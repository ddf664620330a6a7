//! What is stored in the end, without what no promise is made of: times, ids, and leases that ran out.

#![expect(clippy::unwrap_used, reason = "a read that fails is a failed check")]

use ff_core::contracts::ExecutionEvent;
use ff_core::engine_backend::EngineBackend;
use ff_core::execution::Attempt;
use ff_core::state::AttemptOutcome;
use ff_core::types::ExecutionId;

use super::caller::Caller;
use crate::assertions::assert_sound;
use crate::fixture::Store;

/// Reads what the caller's executions, flows and worker have come to, past the faults.
pub(super) async fn read(store: &dyn Store, caller: &Caller) -> Vec<String> {
    let backend = store.backend();
    let mut story = Vec::new();
    for id in &caller.executions {
        story.push(of_execution(&*backend, id).await);
    }
    for flow_id in &caller.flows {
        let flow = backend.describe_flow(flow_id).await.unwrap().unwrap();
        let mut text = format!("flow {} at {}", flow.public_flow_state, flow.graph_revision);
        if let Some(probe) = store.probe() {
            let waits = probe.read_cancel_backlog(flow_id).await.map(|members| members.len());
            text += &format!(", waits for {waits:?}");
        }
        story.push(text);
    }
    if let Some(probe) = store.probe() {
        let events = probe.read_worker_events(&caller.namespace(), &caller.instance()).await;
        story.extend(events.into_iter().map(|event| format!("worker {}", event.event_type)));
    }
    story
}

async fn of_execution(backend: &dyn EngineBackend, id: &ExecutionId) -> String {
    let Some(execution) = backend.describe_execution(id).await.unwrap() else {
        return "gone".to_owned();
    };
    assert_sound(&execution);
    let attempts = backend.list_attempts(id).await.unwrap();
    let events = names(&backend.list_execution_events(id).await.unwrap());
    assert_told(&attempts, &events, execution.replay_count);
    let result = backend.get_execution_result(id).await.unwrap();
    let expired = events.iter().filter(|name| *name == "lease expired").count();
    format!(
        "{} priority {} retries {} replays {} result {:?} attempts {:?} events {:?}",
        execution.public_state,
        execution.priority,
        execution.retry_count,
        execution.replay_count,
        result.map(|result| result.len()),
        outcomes(&attempts, expired),
        without_expired(&events),
    )
}

/// Stream by stream: between two streams the order is that of times.
fn names(events: &[ExecutionEvent]) -> Vec<String> {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.stream);
    events.iter().map(|event| format!("{} {}", event.stream, event.name)).collect()
}

/// Attempts and events tell the same, and the execution finished once and once more for each replay.
fn assert_told(attempts: &[Attempt], events: &[String], replays: u32) {
    let told = |name: &str| events.iter().filter(|event| *event == name).count();
    let ended = |wanted| attempts.iter().filter(|attempt| attempt.outcome == Some(wanted)).count();
    assert_eq!(told("lease acquired"), attempts.len(), "{events:?}");
    assert_eq!(told("lease released"), ended(AttemptOutcome::Released), "{events:?}");
    let expired = told("lease expired");
    assert!(expired <= ended(AttemptOutcome::Interrupted), "{events:?}");
    assert!(ended(AttemptOutcome::Success) <= 1, "{attempts:?}");
    let completions = events.iter().filter(|event| event.starts_with("completion ")).count();
    assert_eq!(completions, 1 + replays as usize, "{events:?}");
}

fn outcomes(attempts: &[Attempt], expired: usize) -> Vec<Option<AttemptOutcome>> {
    let mut left_out = 0;
    let mut outcomes = Vec::new();
    for attempt in attempts {
        if attempt.outcome == Some(AttemptOutcome::Interrupted) && left_out < expired {
            left_out += 1;
        } else {
            outcomes.push(attempt.outcome);
        }
    }
    outcomes
}

/// A lease that ran out was acquired before.
fn without_expired(events: &[String]) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    for event in events {
        if event == "lease expired" {
            let acquired = kept.iter().rposition(|event| *event == "lease acquired");
            kept.remove(acquired.unwrap());
        } else {
            kept.push(event);
        }
    }
    kept
}
