use std::collections::BTreeMap;

use ff_core::contracts::{ExecutionCount, ExecutionFilter, ExecutionPage, ExecutionsCursor};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::state::PublicState;
use ff_core::types::LaneId;
use ff_sql::row::word;

use crate::columns::Statement;
use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{PostgresBackend, admin, rows};

const LIST: &str = include_str!("../../sql/execution/list.sql");
const COUNT: &str = include_str!("../../sql/execution/count.sql");

/// See [`ff_core::engine_backend::EngineBackend::list_executions`].
pub(crate) async fn list(
    backend: &PostgresBackend,
    filter: &ExecutionFilter,
    after: Option<ExecutionsCursor>,
    limit: u32,
) -> Result<ExecutionPage, EngineError> {
    input::check_list(filter, limit)?;
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = with_filter(&mut tx, LIST, filter)
            .await?
            .bind(after.as_ref().map(|cursor| cursor.created_at.0))
            .bind(after.as_ref().map(|cursor| cursor.execution_id.uuid()))
            .bind(after.as_ref().map(|cursor| i64::from(cursor.execution_id.partition())))
            .bind(i64::from(limit));
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
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
    backend: &PostgresBackend,
    filter: &ExecutionFilter,
) -> Result<Vec<ExecutionCount>, EngineError> {
    input::check_filter(filter)?;
    let rows = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let count = with_filter(&mut tx, COUNT, filter).await?;
        let rows = count.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(rows)
    })
    .await?;
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
    tx: &mut Tx<'_>,
    statement: &'static str,
    filter: &ExecutionFilter,
) -> Result<Statement, EngineError> {
    let lanes = match &filter.lane_id {
        Some(lane_id) => vec![lane_id.clone()],
        None => admin::lane_ids(tx).await?,
    };
    let lanes: Vec<String> = lanes.into_iter().map(|lane| lane.0).collect();
    let (tag_key, tag_value) = match &filter.tag {
        Some((key, value)) => (Some(key), Some(value)),
        None => (None, None),
    };
    Ok(tx
        .query(statement)
        .bind(lanes)
        .bind(filter.public_state.map(|state| state.spellings()))
        .bind(filter.namespace.as_ref().map(|namespace| namespace.as_str()))
        .bind(filter.execution_kind.as_deref())
        .bind(tag_key)
        .bind(tag_value)
        .bind(filter.created_from.map_or(i64::MIN, |time| time.0))
        .bind(filter.created_before.map(|time| time.0)))
}
