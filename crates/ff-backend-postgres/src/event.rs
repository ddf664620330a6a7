//! Events.

use ff_core::contracts::{EventCursor, EventStream, ExecutionEvent, RecordedEvent};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::row::word;
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::error::{from_sqlx, unexpected};
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
    let found = repeat(async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST_OF_EXECUTION)
            .bind(i64::from(execution_id.partition()))
            .bind(execution_id.uuid())
            .bind(execution_id.uuid().to_string());
        let found = list.fetch_all(tx.conn()).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    if found.is_empty() && execution::describe(backend, execution_id).await?.is_none() {
        return Err(EngineError::execution_not_found());
    }
    found.iter().map(|row| read_one(row, execution_id)).collect()
}

fn read_one(row: &PgRow, execution_id: &ExecutionId) -> Result<ExecutionEvent, EngineError> {
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
    let _ = (backend, stream, after, limit, READ_LEASE, READ_COMPLETION, READ_OPERATOR);
    input::check_read_events_limit(limit)?;
    Err(unexpected("todo"))
}
