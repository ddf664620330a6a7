//! Batches as the arrays that a statement unnests: one array a column, one place a row. Their order is
//! that of the statement's parameters.

use ff_core::backend::Handle;
use ff_core::contracts::CreateExecutionArgs;
use ff_core::decision::{Patch, ResultChange};
use ff_core::engine_error::EngineError;
use ff_core::execution::Attempt;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::rules::execution::NewExecution;
use ff_core::types::{ExecutionId, FlowId, TimestampMs};
use ff_sql::document::{EventDocument, to_parameter};
use serde::Serialize;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use std::collections::BTreeMap;

use crate::decide::Settlement;
use crate::queue_heads::QueueHead;

/// A statement and the parameters that it has been given.
pub(crate) type Statement = Query<'static, Postgres, PgArguments>;

fn column<'i, I, T>(items: &'i [I], value: impl Fn(&'i I) -> T) -> Vec<T> {
    items.iter().map(value).collect()
}

/// A column of JSON texts.
fn json_column<'i, I, T: Serialize>(
    items: &'i [I],
    value: impl Fn(&'i I) -> Option<T>,
) -> Result<Vec<Option<String>>, EngineError> {
    items.iter().map(|item| value(item).as_ref().map(to_parameter).transpose()).collect()
}

fn millis(time: Option<TimestampMs>) -> Option<i64> {
    time.map(|time| time.0)
}

/// An epoch that no column holds stays one that no row has.
fn epoch(handle: &Handle) -> i64 {
    i64::try_from(handle.lease_epoch().0).unwrap_or(i64::MAX)
}

/// Partitions and executions.
pub(crate) fn bind_ids(statement: Statement, ids: &[&ExecutionId]) -> Statement {
    statement.bind(column(ids, |id| i64::from(id.partition()))).bind(column(ids, |id| id.uuid()))
}

/// What fences a lease: partitions, executions, attempt indexes, lease epochs, worker instances.
pub(crate) fn bind_leases(statement: Statement, handles: &[&Handle]) -> Statement {
    let ids = column(handles, |handle| handle.execution_id());
    bind_ids(statement, &ids)
        .bind(column(handles, |handle| i64::from(handle.attempt_index().0)))
        .bind(column(handles, |handle| epoch(handle)))
        .bind(column(handles, |handle| handle.worker_instance_id().as_str()))
}

/// The heads of queues: lanes, hashes of what is required, negated priorities, creation times, executions.
pub(crate) fn bind_heads(statement: Statement, heads: Option<&[QueueHead]>) -> Statement {
    statement
        .bind(heads.map(|heads| column(heads, |head| head.lane_id.clone())))
        .bind(heads.map(|heads| column(heads, |head| head.required_set)))
        .bind(heads.map(|heads| column(heads, |head| head.rank)))
        .bind(heads.map(|heads| column(heads, |head| head.created_at_ms)))
        .bind(heads.map(|heads| column(heads, |head| head.execution_id)))
}

/// An execution to create, as it is asked for and as it will be stored.
pub(crate) struct NewRow<'a> {
    pub(crate) args: &'a CreateExecutionArgs,
    pub(crate) new: &'a NewExecution,
}

/// The parameters of `execution/create.sql`.
pub(crate) fn bind_new(
    statement: Statement,
    rows: &[NewRow<'_>],
) -> Result<Statement, EngineError> {
    let ids = column(rows, |row| &row.args.execution_id);
    let executions = column(rows, |row| &row.new.execution);
    let policies = json_column(&executions, |execution| execution.policy.as_ref())?;
    let tags = json_column(&executions, |execution| {
        Some(execution.tags.iter().collect::<BTreeMap<_, _>>())
    })?;
    let requirements =
        json_column(rows, |row| Some(row.new.requirement.iter().collect::<Vec<_>>()))?;
    Ok(bind_ids(statement, &ids)
        .bind(column(&executions, |execution| execution.lane_id.as_str()))
        .bind(column(&executions, |execution| execution.lifecycle_phase.as_str()))
        .bind(column(&executions, |execution| execution.ownership_state.as_str()))
        .bind(column(&executions, |execution| execution.eligibility_state.as_str()))
        .bind(column(&executions, |execution| execution.public_state.as_str()))
        .bind(column(&executions, |execution| execution.attempt_state.as_str()))
        .bind(column(&executions, |execution| i64::from(execution.priority)))
        .bind(column(&executions, |execution| execution.created_at.0))
        .bind(column(&executions, |execution| millis(execution.eligible_at)))
        .bind(column(&executions, |execution| millis(execution.deadline_at)))
        .bind(column(rows, |row| row.args.input_payload.as_slice()))
        .bind(policies)
        .bind(column(&executions, |execution| execution.namespace.as_str()))
        .bind(column(&executions, |execution| execution.execution_kind.as_str()))
        .bind(column(&executions, |execution| execution.creator_identity.as_str()))
        .bind(column(rows, |row| row.args.payload_encoding.as_deref().unwrap_or_default()))
        .bind(tags)
        .bind(column(rows, |row| row.args.idempotency_key.as_deref()))
        .bind(requirements))
}

/// The parameters of `execution/apply.sql`.
pub(crate) fn bind_executions(statement: Statement, patches: &[Patch]) -> Statement {
    let executions = column(patches, |patch| &patch.execution);
    let ids = column(&executions, |execution| &execution.execution_id);
    bind_ids(statement, &ids)
        .bind(column(&executions, |execution| i64::from(execution.attempt_index.0)))
        .bind(column(&executions, |execution| execution.lifecycle_phase.as_str()))
        .bind(column(&executions, |execution| execution.ownership_state.as_str()))
        .bind(column(&executions, |execution| execution.eligibility_state.as_str()))
        .bind(column(&executions, |execution| execution.public_state.as_str()))
        .bind(column(&executions, |execution| execution.attempt_state.as_str()))
        .bind(column(&executions, |execution| execution.blocking_reason.as_deref()))
        .bind(column(&executions, |execution| execution.cancellation_reason.as_deref()))
        .bind(column(&executions, |execution| execution.cancelled_by.as_deref()))
        .bind(column(&executions, |execution| i64::from(execution.priority)))
        .bind(column(&executions, |execution| millis(execution.started_at)))
        .bind(column(&executions, |execution| millis(execution.terminal_at)))
        .bind(column(&executions, |execution| millis(execution.eligible_at)))
        .bind(column(&executions, |execution| millis(execution.deadline_at)))
        .bind(column(&executions, |execution| i64::from(execution.retry_count)))
        .bind(column(&executions, |execution| i64::from(execution.reclaim_count)))
        .bind(column(&executions, |execution| i64::from(execution.replay_count)))
        .bind(column(patches, |patch| patch.result == ResultChange::Keep))
        .bind(column(patches, result))
}

/// The parameters of `lease/apply.sql`.
pub(crate) fn bind_attempts(
    statement: Statement,
    attempts: &[(&ExecutionId, &Attempt)],
) -> Result<Statement, EngineError> {
    let ids = column(attempts, |(id, _)| *id);
    let errors = json_column(attempts, |(_, attempt)| attempt.error.as_ref())?;
    let progress = json_column(attempts, |(_, attempt)| attempt.progress.as_ref())?;
    Ok(bind_ids(statement, &ids)
        .bind(column(attempts, |(_, attempt)| i64::from(attempt.attempt_index.0)))
        .bind(column(attempts, |(_, attempt)| attempt.worker_id.as_ref().map(|id| id.as_str())))
        .bind(column(attempts, |(_, attempt)| {
            attempt.worker_instance_id.as_ref().map(|id| id.as_str())
        }))
        .bind(column(attempts, |(_, attempt)| {
            i64::try_from(attempt.lease_epoch.0).unwrap_or(i64::MAX)
        }))
        .bind(column(attempts, |(_, attempt)| millis(attempt.lease_expires_at)))
        .bind(column(attempts, |(_, attempt)| millis(attempt.started_at)))
        .bind(column(attempts, |(_, attempt)| millis(attempt.terminal_at)))
        .bind(column(attempts, |(_, attempt)| attempt.outcome.map(|outcome| outcome.as_str())))
        .bind(errors)
        .bind(progress))
}

/// Partitions, executions, names and times.
pub(crate) fn bind_events(statement: Statement, events: &[EventDocument]) -> Statement {
    statement
        .bind(column(events, |event| i64::from(event.partition_key())))
        .bind(column(events, |event| event.execution_id()))
        .bind(column(events, |event| event.name()))
        .bind(column(events, |event| event.occurred_at().0))
}

/// What operators did, as JSON texts.
pub(crate) fn details(events: &[EventDocument]) -> Result<Vec<Option<String>>, EngineError> {
    json_column(events, |event| event.details())
}

/// The parameters of `flow/reset_edge_group.sql`.
pub(crate) fn bind_downstream(
    statement: Statement,
    members: &[(FlowId, &ExecutionId)],
    partitions: &PartitionConfig,
) -> Statement {
    statement
        .bind(column(members, |(flow, _)| i64::from(flow_partition(flow, partitions).index)))
        .bind(column(members, |(flow, _)| flow.0))
        .bind(column(members, |(_, id)| id.uuid()))
}

/// The parameters of `execution/settle.sql` that are arrays.
pub(crate) fn bind_settlements(
    statement: Statement,
    settlements: &[Settlement],
) -> Result<Statement, EngineError> {
    let executions = column(settlements, |settlement| &settlement.patch.execution);
    let attempts = column(settlements, |settlement| &settlement.attempt);
    let ids = column(&executions, |execution| &execution.execution_id);
    let errors = json_column(&attempts, |attempt| attempt.error.as_ref())?;
    let progress = json_column(&attempts, |attempt| attempt.progress.as_ref())?;
    Ok(bind_ids(statement, &ids)
        .bind(column(settlements, |settlement| settlement.version))
        .bind(column(&attempts, |attempt| i64::from(attempt.attempt_index.0)))
        .bind(column(settlements, |settlement| settlement.attempt_version))
        .bind(column(&executions, |execution| i64::from(execution.attempt_index.0)))
        .bind(column(&executions, |execution| execution.lifecycle_phase.as_str()))
        .bind(column(&executions, |execution| execution.ownership_state.as_str()))
        .bind(column(&executions, |execution| execution.eligibility_state.as_str()))
        .bind(column(&executions, |execution| execution.public_state.as_str()))
        .bind(column(&executions, |execution| execution.attempt_state.as_str()))
        .bind(column(&executions, |execution| execution.blocking_reason.as_deref()))
        .bind(column(&executions, |execution| execution.cancellation_reason.as_deref()))
        .bind(column(&executions, |execution| execution.cancelled_by.as_deref()))
        .bind(column(&executions, |execution| millis(execution.terminal_at)))
        .bind(column(&executions, |execution| millis(execution.eligible_at)))
        .bind(column(&executions, |execution| i64::from(execution.retry_count)))
        .bind(column(settlements, |settlement| settlement.patch.result == ResultChange::Keep))
        .bind(column(settlements, |settlement| result(&settlement.patch)))
        .bind(column(&attempts, |attempt| millis(attempt.lease_expires_at)))
        .bind(column(&attempts, |attempt| millis(attempt.terminal_at)))
        .bind(column(&attempts, |attempt| attempt.outcome.map(|outcome| outcome.as_str())))
        .bind(errors)
        .bind(progress)
        .bind(column(settlements, |settlement| settlement.lease_event))
        .bind(column(settlements, |settlement| settlement.completion_event)))
}

fn result(patch: &Patch) -> Option<&[u8]> {
    match &patch.result {
        ResultChange::Keep => None,
        ResultChange::Set(result) => result.as_deref(),
    }
}
