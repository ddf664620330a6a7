use ff_core::contracts::{ExecutionContext, ExecutionOutcome};
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::types::ExecutionId;
use ff_sql::changes::Loaded;
use ff_sql::document::{KeyDocument, to_parameter};

use crate::error::from_sqlx;
use crate::tx::in_order;
use crate::{SqliteBackend, rows};

const LOAD: &str = include_str!("../../sql/execution/load.sql");
const LIST_ATTEMPTS: &str = include_str!("../../sql/execution/list_attempts.sql");
const READ_CONTEXT: &str = include_str!("../../sql/execution/read_context.sql");

/// See [`ff_core::engine_backend::EngineBackend::describe_execution`].
pub(crate) async fn describe(
    backend: &SqliteBackend,
    execution_id: &ExecutionId,
) -> Result<Option<ExecutionSnapshot>, EngineError> {
    let loaded = find(backend, std::slice::from_ref(execution_id)).await?.pop().flatten();
    Ok(loaded.map(|loaded| loaded.execution))
}

/// See [`ff_core::engine_backend::EngineBackend::read_outcomes`].
pub(crate) async fn read_outcomes(
    backend: &SqliteBackend,
    execution_ids: &[ExecutionId],
) -> Result<Vec<Option<ExecutionOutcome>>, EngineError> {
    let loaded = find(backend, execution_ids).await?;
    Ok(loaded.into_iter().map(|loaded| loaded.map(ExecutionOutcome::from)).collect())
}

/// See [`ff_core::engine_backend::EngineBackend::list_attempts`].
pub(crate) async fn list_attempts(
    backend: &SqliteBackend,
    execution_id: &ExecutionId,
) -> Result<Vec<Attempt>, EngineError> {
    let rows = sqlx::query(LIST_ATTEMPTS)
        .bind(i64::from(execution_id.partition()))
        .bind(execution_id.uuid())
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    if rows.is_empty() {
        return Err(EngineError::execution_not_found());
    }
    let attempts: Result<Vec<_>, _> =
        rows.iter().map(|row| rows::attempt(row, rows::key(row)?)).collect();
    Ok(attempts?.into_iter().flatten().collect())
}

/// See [`ff_core::engine_backend::EngineBackend::read_execution_context`].
pub(crate) async fn read_context(
    backend: &SqliteBackend,
    execution_id: &ExecutionId,
) -> Result<ExecutionContext, EngineError> {
    let row = sqlx::query(READ_CONTEXT)
        .bind(i64::from(execution_id.partition()))
        .bind(execution_id.uuid())
        .fetch_optional(&backend.readers)
        .await
        .map_err(from_sqlx)?
        .ok_or_else(EngineError::execution_not_found)?;
    rows::context(&row)?.into_context()
}

/// Finds executions in the order of their ids.
async fn find(
    backend: &SqliteBackend,
    execution_ids: &[ExecutionId],
) -> Result<Vec<Option<Loaded>>, EngineError> {
    let keys: Vec<_> = execution_ids.iter().map(KeyDocument::new).collect();
    let rows = sqlx::query(LOAD)
        .bind(to_parameter(&keys)?)
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    let loaded = in_order(&rows, keys.len())?.into_iter().map(|loaded| match loaded {
        Ok(loaded) => Ok(Some(loaded)),
        Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    });
    loaded.collect()
}
