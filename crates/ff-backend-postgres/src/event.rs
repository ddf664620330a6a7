//! Events.

use ff_core::contracts::{EventCursor, EventStream, ExecutionEvent, RecordedEvent};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::row::word;
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{PostgresBackend, execution, rows};

const LIST_OF_EXECUTION: &str = include_str!("../sql/event/list_of_execution.sql");
const READ_LEASE: &str = include_str!("../sql/event/read_lease.sql");
const READ_COMPLETION: &str = include_str!("../sql/event/read_completion.sql");
const READ_OPERATOR: &str = include_str!("../sql/event/read_operator.sql");

/// See [`ff_core::engine_backend::EngineBackend::list_execution_events`].
pub(crate) async fn list_of_execution(
    backend: &PostgresBackend,
    execution_id: &ExecutionId,
) -> Result<Vec<ExecutionEvent>, EngineError> {
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST_OF_EXECUTION)
            .bind(i64::from(execution_id.partition()))
            .bind(execution_id.uuid())
            .bind(execution_id.uuid().to_string());
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    if found.is_empty() && execution::describe(backend, execution_id).await?.is_none() {
        return Err(EngineError::execution_not_found());
    }
    found.iter().map(|row| history_entry(row, execution_id)).collect()
}

fn history_entry(row: &PgRow, execution_id: &ExecutionId) -> Result<ExecutionEvent, EngineError> {
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

/// See [`ff_core::engine_backend::EngineBackend::read_events`].
pub(crate) async fn read(
    backend: &PostgresBackend,
    stream: EventStream,
    after: Option<EventCursor>,
    limit: u32,
) -> Result<Vec<RecordedEvent>, EngineError> {
    input::check_read_events_limit(limit)?;
    let (statement, table) = match stream {
        EventStream::Lease => (READ_LEASE, "ff_lease_event"),
        EventStream::Completion => (READ_COMPLETION, "ff_completion_event"),
        EventStream::Operator => (READ_OPERATOR, "ff_operator_event"),
        _ => return Err(EngineError::Unavailable { op: "this stream of events" }),
    };
    let after = after.unwrap_or(EventCursor::new(0, 0));
    // A cursor beyond what the store can hold has nothing after it.
    let transaction = i64::try_from(after.transaction()).unwrap_or(i64::MAX);
    let event_id = i64::try_from(after.event_id()).unwrap_or(i64::MAX);
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let read = tx.query(statement).bind(transaction).bind(event_id).bind(i64::from(limit));
        let found = read.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    found.iter().map(|row| rows::event(row)?.into_event(table)).collect()
}
