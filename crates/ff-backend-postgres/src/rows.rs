//! Columns to row structs.

use std::collections::HashMap;

use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::types::ExecutionId;
use ff_sql::event_row::EventRow;
use ff_sql::flow_row::FlowRow;
use ff_sql::row::{AttemptRow, ContextRow, ExecutionRow, KeyRow};
use ff_sql::worker_row::WorkerRow;
use sqlx::Row;
use sqlx::postgres::{PgRow, Postgres};
use uuid::Uuid;

use crate::error::from_sqlx;

pub(crate) fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, EngineError>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(column).map_err(from_sqlx)
}

/// A column of type `integer`.
fn integer(row: &PgRow, column: &str) -> Result<i64, EngineError> {
    get::<i32>(row, column).map(i64::from)
}

pub(crate) fn key(row: &PgRow) -> Result<KeyRow, EngineError> {
    Ok(KeyRow {
        partition_key: i64::from(get::<i16>(row, "partition_key")?),
        execution_id: get::<Uuid>(row, "execution_id")?,
    })
}

/// The value of `read` for each row, by the row's key.
pub(crate) fn by_key<T>(
    rows: &[PgRow],
    read: impl Fn(&PgRow) -> Result<T, EngineError>,
) -> Result<HashMap<ExecutionId, T>, EngineError> {
    rows.iter().map(|row| Ok((key(row)?.execution_id()?, read(row)?))).collect()
}

/// The place of a row's item in the arrays that the statement was given.
pub(crate) fn position(row: &PgRow) -> Result<usize, EngineError> {
    let position: i64 = get(row, "position")?;
    usize::try_from(position).map_err(|_| crate::error::unexpected("a negative array position"))
}

/// The execution, and the attempt that was joined to it.
pub(crate) fn execution(row: &PgRow) -> Result<(Execution, Option<Attempt>), EngineError> {
    let key = key(row)?;
    let joined = attempt(row, key)?;
    let execution = ExecutionRow {
        key,
        flow_id: get(row, "flow_id")?,
        lane_id: get(row, "lane_id")?,
        namespace: get(row, "namespace")?,
        execution_kind: get(row, "execution_kind")?,
        creator_identity: get(row, "creator_identity")?,
        tags: get(row, "tags")?,
        policy: get(row, "policy")?,
        priority: integer(row, "priority")?,
        created_at_ms: get(row, "created_at_ms")?,
        deadline_at_ms: get(row, "deadline_at_ms")?,
        lifecycle_phase: get(row, "lifecycle_phase")?,
        ownership_state: get(row, "ownership_state")?,
        eligibility_state: get(row, "eligibility_state")?,
        attempt_state: get(row, "attempt_state")?,
        public_state: get(row, "public_state")?,
        blocking_reason: get(row, "blocking_reason")?,
        cancellation_reason: get(row, "cancellation_reason")?,
        cancelled_by: get(row, "cancelled_by")?,
        started_at_ms: get(row, "started_at_ms")?,
        terminal_at_ms: get(row, "terminal_at_ms")?,
        eligible_at_ms: get(row, "eligible_at_ms")?,
        retry_count: integer(row, "retry_count")?,
        reclaim_count: integer(row, "reclaim_count")?,
        attempt_index: integer(row, "attempt_index")?,
        raw_fields: get(row, "raw_fields")?,
    };
    let mut execution = execution.into_execution(None)?;
    execution.current_attempt =
        joined.clone().filter(|attempt| attempt.attempt_index == execution.attempt_index);
    Ok((execution, joined))
}

/// The attempt that was joined, if there is one.
pub(crate) fn attempt(row: &PgRow, key: KeyRow) -> Result<Option<Attempt>, EngineError> {
    let Some(attempt_index) = get::<Option<i32>>(row, "a_attempt_index")? else {
        return Ok(None);
    };
    let attempt = AttemptRow {
        attempt_index: i64::from(attempt_index),
        worker_id: get(row, "a_worker_id")?,
        worker_instance_id: get(row, "a_worker_instance_id")?,
        lease_epoch: get(row, "a_lease_epoch")?,
        lease_expires_at_ms: get(row, "a_lease_expires_at_ms")?,
        started_at_ms: get(row, "a_started_at_ms")?,
        terminal_at_ms: get(row, "a_terminal_at_ms")?,
        outcome: get(row, "a_outcome")?,
        error: get(row, "a_error")?,
        progress: get(row, "a_progress")?,
    };
    attempt.into_attempt(key).map(Some)
}

pub(crate) fn context(row: &PgRow) -> Result<ContextRow, EngineError> {
    Ok(ContextRow {
        key: key(row)?,
        lane_id: get(row, "lane_id")?,
        namespace: get(row, "namespace")?,
        execution_kind: get(row, "execution_kind")?,
        payload: get(row, "payload")?,
        payload_encoding: get(row, "payload_encoding")?,
        tags: get(row, "tags")?,
        policy: get(row, "policy")?,
    })
}

pub(crate) fn flow(row: &PgRow) -> Result<FlowRow, EngineError> {
    Ok(FlowRow {
        flow_id: get(row, "flow_id")?,
        graph_revision: get(row, "graph_revision")?,
        public_flow_state: get(row, "public_flow_state")?,
        created_at_ms: get(row, "created_at_ms")?,
        terminal_at_ms: get(row, "terminal_at_ms")?,
        namespace: get(row, "namespace")?,
        flow_kind: get(row, "flow_kind")?,
        tags: get(row, "tags")?,
        raw_fields: get(row, "raw_fields")?,
    })
}

pub(crate) fn worker(row: &PgRow) -> Result<WorkerRow, EngineError> {
    Ok(WorkerRow {
        worker_id: get(row, "worker_id")?,
        worker_instance_id: get(row, "worker_instance_id")?,
        namespace: get(row, "namespace")?,
        lanes: get(row, "lanes")?,
        capabilities: get(row, "capabilities")?,
        last_heartbeat_ms: get(row, "last_heartbeat_ms")?,
        liveness_ttl_ms: get(row, "liveness_ttl_ms")?,
        registered_at_ms: get(row, "registered_at_ms")?,
    })
}

/// The ids of executions in the order of the rows.
pub(crate) fn ids(rows: &[PgRow]) -> Result<Vec<ExecutionId>, EngineError> {
    rows.iter().map(|row| key(row)?.execution_id()).collect()
}

pub(crate) fn event(row: &PgRow) -> Result<EventRow, EngineError> {
    Ok(EventRow {
        transaction: get(row, "transaction_id")?,
        event_id: get(row, "event_id")?,
        partition_key: i64::from(get::<i16>(row, "partition_key")?),
        execution_id: get(row, "execution_id")?,
        flow_id: get::<Option<Uuid>>(row, "flow_id")?.map(|id| id.to_string()),
        name: get(row, "name")?,
        details: get(row, "details")?,
        occurred_at_ms: get(row, "occurred_at_ms")?,
        namespace: get(row, "namespace")?,
        instance_tag: get(row, "instance_tag")?,
    })
}
