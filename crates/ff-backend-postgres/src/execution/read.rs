use ff_core::contracts::{ExecutionContext, ExecutionOutcome};
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::types::ExecutionId;
use ff_sql::changes::Loaded;

use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::{Key, Tx, bind_keys, in_order};
use crate::{PostgresBackend, rows};

const FIND: &str = include_str!("../../sql/execution/find.sql");
const LIST_ATTEMPTS: &str = include_str!("../../sql/execution/list_attempts.sql");
const READ_CONTEXT: &str = include_str!("../../sql/execution/read_context.sql");

/// See [`ff_core::engine_backend::EngineBackend::describe_execution`].
pub(crate) async fn describe(
    backend: &PostgresBackend,
    execution_id: &ExecutionId,
) -> Result<Option<ExecutionSnapshot>, EngineError> {
    let loaded = find(backend, std::slice::from_ref(execution_id)).await?.pop().flatten();
    Ok(loaded.map(|loaded| loaded.execution))
}

/// See [`ff_core::engine_backend::EngineBackend::read_outcomes`].
pub(crate) async fn read_outcomes(
    backend: &PostgresBackend,
    execution_ids: &[ExecutionId],
) -> Result<Vec<Option<ExecutionOutcome>>, EngineError> {
    let loaded = find(backend, execution_ids).await?;
    Ok(loaded.into_iter().map(|loaded| loaded.map(ExecutionOutcome::from)).collect())
}

/// See [`ff_core::engine_backend::EngineBackend::list_attempts`].
pub(crate) async fn list_attempts(
    backend: &PostgresBackend,
    execution_id: &ExecutionId,
) -> Result<Vec<Attempt>, EngineError> {
    let rows = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST_ATTEMPTS)
            .bind(i64::from(execution_id.partition()))
            .bind(execution_id.uuid());
        let rows = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(rows)
    })
    .await?;
    if rows.is_empty() {
        return Err(EngineError::execution_not_found());
    }
    let attempts: Result<Vec<_>, _> =
        rows.iter().map(|row| rows::attempt(row, rows::key(row)?)).collect();
    Ok(attempts?.into_iter().flatten().collect())
}

/// See [`ff_core::engine_backend::EngineBackend::read_execution_context`].
pub(crate) async fn read_context(
    backend: &PostgresBackend,
    execution_id: &ExecutionId,
) -> Result<ExecutionContext, EngineError> {
    let row = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let read = tx
            .query(READ_CONTEXT)
            .bind(i64::from(execution_id.partition()))
            .bind(execution_id.uuid());
        let row = read.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(row)
    })
    .await?
    .ok_or_else(EngineError::execution_not_found)?;
    rows::context(&row)?.into_context()
}

/// Finds executions in the order of their ids.
pub(super) async fn find(
    backend: &PostgresBackend,
    execution_ids: &[ExecutionId],
) -> Result<Vec<Option<Loaded>>, EngineError> {
    let keys: Vec<_> = execution_ids.iter().map(Key::new).collect();
    let rows = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let rows =
            bind_keys(tx.query(FIND), &keys).fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(rows)
    })
    .await?;
    let loaded = in_order(&rows, keys.len())?.into_iter().map(|loaded| match loaded {
        Ok(loaded) => Ok(Some(loaded)),
        Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    });
    loaded.collect()
}
