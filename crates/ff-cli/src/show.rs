//! `ff show`: one execution with its attempts and events.

use std::process::ExitCode;

use flowfabric::core::contracts::ExecutionEvent;
use flowfabric::core::execution::{Attempt, Execution};
use flowfabric::core::types::ExecutionId;
use serde_json::{Value, json};

use crate::output::{Failure, Output, one_line, table, time};
use crate::{several, store};

/// Show an execution: its state, its attempts and its events.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The execution, as `ff list` prints it.
    #[arg(value_name = "ID")]
    id: ExecutionId,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let id = &arguments.id;
    let Some(execution) = backend.describe_execution(id).await? else {
        return Err(Failure::Message(several::unknown(id)));
    };
    let attempts = backend.list_attempts(id).await?;
    let events = backend.list_execution_events(id).await?;
    backend.shutdown().await?;
    if output.is_json() {
        output.document(&json!({
            "execution": execution_document(&execution),
            "attempts": attempts.iter().map(attempt_document).collect::<Vec<_>>(),
            "events": events.iter().map(event_document).collect::<Vec<_>>(),
        }))?;
    } else {
        for line in text(&execution, &attempts, &events) {
            output.line(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn execution_document(execution: &Execution) -> Value {
    json!({
        "execution_id": execution.execution_id,
        "public_state": execution.public_state,
        "lifecycle_phase": execution.lifecycle_phase,
        "ownership_state": execution.ownership_state,
        "eligibility_state": execution.eligibility_state,
        "attempt_state": execution.attempt_state,
        "lane_id": execution.lane_id,
        "namespace": execution.namespace,
        "flow_id": execution.flow_id,
        "execution_kind": execution.execution_kind,
        "priority": execution.priority,
        "tags": execution.tags,
        "created_at_ms": execution.created_at,
        "started_at_ms": execution.started_at,
        "terminal_at_ms": execution.terminal_at,
        "eligible_at_ms": execution.eligible_at,
        "deadline_at_ms": execution.deadline_at,
        "retry_count": execution.retry_count,
        "reclaim_count": execution.reclaim_count,
        "replay_count": execution.replay_count,
        "cancelled_by": execution.cancelled_by,
        "cancellation_reason": execution.cancellation_reason,
    })
}

fn attempt_document(attempt: &Attempt) -> Value {
    json!({
        "attempt_index": attempt.attempt_index,
        "outcome": attempt.outcome,
        "worker_id": attempt.worker_id,
        "worker_instance_id": attempt.worker_instance_id,
        "lease_epoch": attempt.lease_epoch,
        "lease_expires_at_ms": attempt.lease_expires_at,
        "started_at_ms": attempt.started_at,
        "terminal_at_ms": attempt.terminal_at,
        "error": attempt.error,
        "progress": attempt.progress,
    })
}

fn event_document(event: &ExecutionEvent) -> Value {
    json!({
        "occurred_at_ms": event.occurred_at,
        "stream": event.stream,
        "name": event.name,
        "details": event.details,
    })
}

fn text(execution: &Execution, attempts: &[Attempt], events: &[ExecutionEvent]) -> Vec<String> {
    let mut lines = vec![format!(
        "{}  {}  {} in lane {}",
        execution.execution_id,
        execution.public_state,
        one_line(&execution.execution_kind),
        one_line(execution.lane_id.as_str()),
    )];
    lines.push(format!(
        "created {}  started {}  finished {}",
        execution.created_at,
        time(execution.started_at),
        time(execution.terminal_at),
    ));
    if let Some(source) = &execution.cancelled_by {
        let reason = execution.cancellation_reason.as_deref().unwrap_or("-");
        lines.push(one_line(&format!("cancelled by {source}: {reason}")));
    }
    lines.push("attempts:".to_owned());
    let rows: Vec<Vec<String>> = attempts.iter().map(attempt_row).collect();
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    lines.push("events:".to_owned());
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            vec![event.occurred_at.to_string(), event.stream.to_string(), one_line(&event.name)]
        })
        .collect();
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    // A flow's cancellation ends attempts without an outcome.
    let open = if attempt.terminal_at.is_some() { "ended" } else { "running" };
    let outcome = attempt.outcome.map_or(open, |outcome| outcome.as_str());
    let worker = attempt.worker_instance_id.as_ref().map_or("-", |id| id.as_str());
    let error = attempt.error.as_ref().map_or("", |error| error.message.as_str());
    vec![
        format!("{}", attempt.attempt_index.0.saturating_add(1)),
        outcome.to_owned(),
        format!("{} to {}", time(attempt.started_at), time(attempt.terminal_at)),
        one_line(worker),
        one_line(error),
    ]
}
