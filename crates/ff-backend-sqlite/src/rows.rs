//! Columns to row structs.

use std::collections::HashMap;
use std::fmt::Display;

use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::types::ExecutionId;
use ff_sql::event_row::EventRow;
use ff_sql::flow_row::FlowRow;
use ff_sql::row::{AttemptRow, ContextRow, ExecutionRow, KeyRow};
use ff_sql::worker_row::{self, WorkerRow};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::error::from_sqlx;

pub(crate) fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, EngineError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(from_sqlx)
}

/// The columns of a row, whose id names it when one cannot be read.
#[derive(Clone, Copy)]
struct Columns<'r, I> {
    row: &'r SqliteRow,
    table: &'static str,
    id: I,
}

impl<'r, I: Copy + Display> Columns<'r, I> {
    fn get<T>(self, column: &str) -> Result<T, EngineError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(column).map_err(|error| match error {
            sqlx::Error::ColumnDecode { source, .. } => {
                let column = column.strip_prefix("a_").unwrap_or(column);
                EngineError::corruption(self.table, column, self.id, source)
            }
            error => from_sqlx(error),
        })
    }
}

pub(crate) fn key(row: &SqliteRow) -> Result<KeyRow, EngineError> {
    Ok(KeyRow {
        partition_key: get(row, "partition_key")?,
        execution_id: get::<Uuid>(row, "execution_id")?,
    })
}

/// The value of `read` for each row, by the row's key.
pub(crate) fn by_key<T>(
    rows: &[SqliteRow],
    read: impl Fn(&SqliteRow) -> Result<T, EngineError>,
) -> Result<HashMap<ExecutionId, T>, EngineError> {
    rows.iter().map(|row| Ok((key(row)?.execution_id()?, read(row)?))).collect()
}

/// The place of a row's item in the array that the statement was given.
pub(crate) fn position(row: &SqliteRow) -> Result<usize, EngineError> {
    let position: i64 = get(row, "position")?;
    usize::try_from(position).map_err(|_| crate::error::unexpected("a negative array position"))
}

/// The execution, and the attempt that was joined to it.
pub(crate) fn execution(row: &SqliteRow) -> Result<(Execution, Option<Attempt>), EngineError> {
    let key = key(row)?;
    let joined = attempt(row, key)?;
    let columns = Columns { row, table: "ff_exec_core", id: key };
    let execution = ExecutionRow {
        key,
        flow_id: columns.get("flow_id")?,
        lane_id: columns.get("lane_id")?,
        namespace: columns.get("namespace")?,
        execution_kind: columns.get("execution_kind")?,
        creator_identity: columns.get("creator_identity")?,
        tags: columns.get("tags")?,
        policy: columns.get("policy")?,
        priority: columns.get("priority")?,
        created_at_ms: columns.get("created_at_ms")?,
        deadline_at_ms: columns.get("deadline_at_ms")?,
        lifecycle_phase: columns.get("lifecycle_phase")?,
        ownership_state: columns.get("ownership_state")?,
        eligibility_state: columns.get("eligibility_state")?,
        attempt_state: columns.get("attempt_state")?,
        public_state: columns.get("public_state")?,
        blocking_reason: columns.get("blocking_reason")?,
        cancellation_reason: columns.get("cancellation_reason")?,
        cancelled_by: columns.get("cancelled_by")?,
        started_at_ms: columns.get("started_at_ms")?,
        terminal_at_ms: columns.get("terminal_at_ms")?,
        eligible_at_ms: columns.get("eligible_at_ms")?,
        retry_count: columns.get("retry_count")?,
        reclaim_count: columns.get("reclaim_count")?,
        attempt_index: columns.get("attempt_index")?,
        raw_fields: columns.get("raw_fields")?,
    };
    let mut execution = execution.into_execution(None)?;
    execution.current_attempt =
        joined.clone().filter(|attempt| attempt.attempt_index == execution.attempt_index);
    Ok((execution, joined))
}

/// The attempt that was joined, if there is one.
pub(crate) fn attempt(row: &SqliteRow, key: KeyRow) -> Result<Option<Attempt>, EngineError> {
    let columns = Columns { row, table: "ff_attempt", id: key };
    let Some(attempt_index) = columns.get("a_attempt_index")? else {
        return Ok(None);
    };
    let attempt = AttemptRow {
        attempt_index,
        worker_id: columns.get("a_worker_id")?,
        worker_instance_id: columns.get("a_worker_instance_id")?,
        lease_epoch: columns.get("a_lease_epoch")?,
        lease_expires_at_ms: columns.get("a_lease_expires_at_ms")?,
        started_at_ms: columns.get("a_started_at_ms")?,
        terminal_at_ms: columns.get("a_terminal_at_ms")?,
        outcome: columns.get("a_outcome")?,
        error: columns.get("a_error")?,
        progress: columns.get("a_progress")?,
    };
    attempt.into_attempt(key).map(Some)
}

pub(crate) fn context(row: &SqliteRow) -> Result<ContextRow, EngineError> {
    let key = key(row)?;
    let columns = Columns { row, table: "ff_exec_core", id: key };
    Ok(ContextRow {
        key,
        lane_id: columns.get("lane_id")?,
        namespace: columns.get("namespace")?,
        execution_kind: columns.get("execution_kind")?,
        payload: columns.get("payload")?,
        payload_encoding: columns.get("payload_encoding")?,
        tags: columns.get("tags")?,
        policy: columns.get("policy")?,
    })
}

/// An event, by the names that every table's statement gives its columns.
pub(crate) fn event(row: &SqliteRow, table: &'static str) -> Result<EventRow, EngineError> {
    let event_id = get(row, "event_id")?;
    let columns = Columns { row, table, id: event_id };
    Ok(EventRow {
        transaction: 0,
        event_id,
        partition_key: columns.get("partition_key")?,
        execution_id: columns.get("execution_id")?,
        flow_id: columns.get("flow_id")?,
        name: columns.get("name")?,
        details: columns.get("details")?,
        occurred_at_ms: columns.get("occurred_at_ms")?,
        namespace: columns.get("namespace")?,
        instance_tag: columns.get("instance_tag")?,
    })
}

pub(crate) fn flow(row: &SqliteRow) -> Result<FlowRow, EngineError> {
    let flow_id: Uuid = get(row, "flow_id")?;
    let columns = Columns { row, table: "ff_flow_core", id: flow_id };
    Ok(FlowRow {
        flow_id,
        graph_revision: columns.get("graph_revision")?,
        public_flow_state: columns.get("public_flow_state")?,
        created_at_ms: columns.get("created_at_ms")?,
        terminal_at_ms: columns.get("terminal_at_ms")?,
        namespace: columns.get("namespace")?,
        flow_kind: columns.get("flow_kind")?,
        tags: columns.get("tags")?,
        raw_fields: columns.get("raw_fields")?,
    })
}

pub(crate) fn worker(row: &SqliteRow) -> Result<WorkerRow, EngineError> {
    let instance: String = get(row, "worker_instance_id")?;
    let columns = Columns { row, table: "ff_worker_registry", id: instance.as_str() };
    let names = |column| {
        let text: String = columns.get(column)?;
        worker_row::names(column, &instance, &text)
    };
    Ok(WorkerRow {
        worker_id: columns.get("worker_id")?,
        namespace: columns.get("namespace")?,
        lanes: names("lanes")?,
        capabilities: names("capabilities")?,
        last_heartbeat_ms: columns.get("last_heartbeat_ms")?,
        liveness_ttl_ms: columns.get("liveness_ttl_ms")?,
        registered_at_ms: columns.get("registered_at_ms")?,
        worker_instance_id: instance.clone(),
    })
}
