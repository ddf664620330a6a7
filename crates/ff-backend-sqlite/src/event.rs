//! Events.

use ff_core::contracts::{EventCursor, EventStream, ExecutionEvent, RecordedEvent};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::row::word;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::error::from_sqlx;
use crate::{SqliteBackend, execution, rows};

const LIST_OF_EXECUTION: &str = include_str!("../sql/event/list_of_execution.sql");
const READ_LEASE: &str = include_str!("../sql/event/read_lease.sql");
const READ_COMPLETION: &str = include_str!("../sql/event/read_completion.sql");
const READ_OPERATOR: &str = include_str!("../sql/event/read_operator.sql");

/// See [`ff_core::engine_backend::EngineBackend::list_execution_events`].
pub(crate) async fn list_of_execution(
    backend: &SqliteBackend,
    execution_id: &ExecutionId,
) -> Result<Vec<ExecutionEvent>, EngineError> {
    let found = sqlx::query(LIST_OF_EXECUTION)
        .bind(i64::from(execution_id.partition()))
        .bind(execution_id.uuid())
        .bind(execution_id.uuid().to_string())
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    if found.is_empty() && execution::describe(backend, execution_id).await?.is_none() {
        return Err(EngineError::execution_not_found());
    }
    found.iter().map(|row| history_entry(row, execution_id)).collect()
}

/// See [`ff_core::engine_backend::EngineBackend::read_events`].
///
/// One writer at a time takes the ids, so that they rise with the commits.
pub(crate) async fn read(
    backend: &SqliteBackend,
    stream: EventStream,
    after: Option<EventCursor>,
    limit: u32,
) -> Result<Vec<RecordedEvent>, EngineError> {
    input::check_read_events_limit(limit)?;
    let (statement, table) = match stream {
        EventStream::Lease => (READ_LEASE, "ff_lease_event"),
        EventStream::Completion => (READ_COMPLETION, "ff_completion_event"),
        EventStream::Operator => (READ_OPERATOR, "ff_operator_event"),
        _ => return Err(EngineError::Unavailable { op: "reading this stream" }),
    };
    let after = after.map(|cursor| i64::try_from(cursor.event_id()).unwrap_or(i64::MAX));
    let found = sqlx::query(statement)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    found.iter().map(|row| rows::event(row, table)?.into_event(table)).collect()
}

fn history_entry(
    row: &SqliteRow,
    execution_id: &ExecutionId,
) -> Result<ExecutionEvent, EngineError> {
    let stream: String = rows::get(row, "stream")?;
    let stream: EventStream = word("event", "stream", execution_id.as_str(), &stream)?;
    let name: String = rows::get(row, "name")?;
    let details: Option<String> = rows::get(row, "details")?;
    let details = match details {
        Some(text) => serde_json::from_str(&text).map_err(|error| {
            EngineError::corruption("ff_operator_event", "details", execution_id, error)
        })?,
        None => Value::Null,
    };
    let occurred_at = TimestampMs(rows::get(row, "occurred_at_ms")?);
    Ok(ExecutionEvent::new(occurred_at, stream, name, details))
}
