use std::collections::BTreeMap;

use ff_core::contracts::{ExecutionCount, ExecutionFilter, ExecutionPage, ExecutionsCursor};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::state::PublicState;
use ff_core::types::LaneId;
use ff_sql::document::to_parameter;
use ff_sql::row::word;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

use crate::config::tag_path;
use crate::error::from_sqlx;
use crate::{SqliteBackend, admin, rows};

const LIST: &str = include_str!("../../sql/execution/list.sql");
const COUNT: &str = include_str!("../../sql/execution/count.sql");

/// See [`ff_core::engine_backend::EngineBackend::list_executions`].
pub(crate) async fn list(
    backend: &SqliteBackend,
    filter: &ExecutionFilter,
    after: Option<ExecutionsCursor>,
    limit: u32,
) -> Result<ExecutionPage, EngineError> {
    input::check_list(filter, limit)?;
    let query = with_filter(LIST, backend, filter).await?;
    let found = query
        .bind(after.as_ref().map(|cursor| cursor.created_at.0))
        .bind(after.as_ref().map(|cursor| cursor.execution_id.uuid()))
        .bind(after.as_ref().map(|cursor| i64::from(cursor.execution_id.partition())))
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    let executions: Result<Vec<_>, _> =
        found.iter().map(|row| rows::execution(row).map(|(execution, _)| execution)).collect();
    let executions = executions?;
    let is_full = executions.len() == limit as usize;
    let cursor = executions.last().filter(|_| is_full).map(|last| ExecutionsCursor {
        created_at: last.created_at,
        execution_id: last.execution_id.clone(),
    });
    Ok(ExecutionPage { executions, cursor })
}

/// See [`ff_core::engine_backend::EngineBackend::count_executions`].
pub(crate) async fn count(
    backend: &SqliteBackend,
    filter: &ExecutionFilter,
) -> Result<Vec<ExecutionCount>, EngineError> {
    input::check_filter(filter)?;
    let query = with_filter(COUNT, backend, filter).await?;
    let rows = query.fetch_all(&backend.readers).await.map_err(from_sqlx)?;
    // Older spellings of one state are counted together.
    let mut counts: BTreeMap<(LaneId, PublicState), u64> = BTreeMap::new();
    for row in &rows {
        let lane_id: String = rows::get(row, "lane_id")?;
        let text: String = rows::get(row, "public_state")?;
        let public_state = word("ff_exec_core", "public_state", &lane_id, &text)?;
        let executions: i64 = rows::get(row, "executions")?;
        let count = counts.entry((LaneId::new(lane_id), public_state)).or_default();
        *count = count.saturating_add(executions.unsigned_abs());
    }
    let counts = counts.into_iter().map(|((lane_id, public_state), count)| ExecutionCount {
        lane_id,
        public_state,
        count,
    });
    Ok(counts.collect())
}

/// Binds the parameters that both statements begin with.
async fn with_filter(
    statement: &'static str,
    backend: &SqliteBackend,
    filter: &ExecutionFilter,
) -> Result<Query<'static, Sqlite, SqliteArguments>, EngineError> {
    let lanes = match &filter.lane_id {
        Some(lane_id) => vec![lane_id.clone()],
        None => admin::lane_ids(backend).await?,
    };
    let states = filter.public_state.map(|state| to_parameter(&state.spellings())).transpose()?;
    let (tag_path, tag_value) = match &filter.tag {
        Some((key, value)) => (Some(tag_path(key)), Some(value.clone())),
        None => (None, None),
    };
    Ok(sqlx::query(statement)
        .bind(to_parameter(&lanes)?)
        .bind(states)
        .bind(filter.namespace.as_ref().map(|namespace| namespace.as_str().to_owned()))
        .bind(filter.execution_kind.clone())
        .bind(tag_path)
        .bind(tag_value)
        .bind(filter.created_from.map_or(i64::MIN, |time| time.0))
        .bind(filter.created_before.map(|time| time.0)))
}
