use std::collections::HashSet;

use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_error::EngineError;
use ff_core::rules::claim::is_claimable;
use ff_core::rules::execution::NewExecution;
use ff_core::rules::{execution as rule, input};
use ff_core::types::ExecutionId;
use ff_sql::document::{NewExecutionDocument, to_parameter};
use ff_sql::rounds::rounds;
use sqlx::{Connection, SqliteConnection};

use crate::SqliteBackend;
use crate::error::{from_sqlx, unexpected};
use crate::rows;
use crate::tx::Tx;

const CREATE: &str = include_str!("../../sql/execution/create.sql");
const REQUIRE_CAPABILITIES: &str = include_str!("../../sql/execution/require_capabilities.sql");
const FIND_DUPLICATES: &str = include_str!("../../sql/execution/find_duplicates.sql");

/// An execution to create, as it is asked for and as it will be stored.
struct Item {
    args: CreateExecutionArgs,
    new: NewExecution,
}

/// See [`ff_core::engine_backend::EngineBackend::create_execution`].
pub(crate) async fn create(
    backend: &SqliteBackend,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    let items = vec![Item::new(args)];
    only(backend.writer.run(async move |tx| create_and_wake(tx, &items).await).await?)
}

/// See [`ff_core::engine_backend::EngineBackend::create_executions`].
pub(crate) async fn create_batch(
    backend: &SqliteBackend,
    batch: Vec<CreateExecutionArgs>,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    input::check_create_batch(&batch, &backend.config.limits())?;
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let items: Vec<Item> = batch.into_iter().map(Item::new).collect();
    backend.writer.run(async move |tx| create_and_wake(tx, &items).await).await
}

/// See [`SqliteBackend::create_execution_in`].
pub(crate) async fn create_in(
    backend: &SqliteBackend,
    conn: &mut SqliteConnection,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    let mut savepoint = conn.begin().await.map_err(from_sqlx)?;
    let results = create_all(&mut savepoint, &[Item::new(args)]).await?;
    savepoint.commit().await.map_err(from_sqlx)?;
    only(results)
}

fn only(mut results: Vec<CreateExecutionResult>) -> Result<CreateExecutionResult, EngineError> {
    results.pop().ok_or_else(|| unexpected("no answer to a creation"))
}

async fn create_and_wake(
    tx: &mut Tx<'_>,
    items: &[Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let results = create_all(tx.conn(), items).await?;
    for (item, result) in items.iter().zip(&results) {
        let created = matches!(result, CreateExecutionResult::Created { .. });
        if created && is_claimable(&item.new.execution, item.args.now) {
            tx.wake(&item.args.lane_id);
        }
    }
    Ok(results)
}

async fn create_all(
    conn: &mut SqliteConnection,
    items: &[Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let mut results = vec![None; items.len()];
    for round in rounds(items, Item::keys) {
        let round_items: Vec<&Item> = round.iter().map(|position| &items[*position]).collect();
        for (position, result) in round.into_iter().zip(create_round(conn, &round_items).await?) {
            results[position] = Some(result);
        }
    }
    let complete: Option<Vec<_>> = results.into_iter().collect();
    complete.ok_or_else(|| unexpected("no answer to a creation"))
}

/// Creates items of which no two share an id or an idempotency key.
async fn create_round(
    conn: &mut SqliteConnection,
    items: &[&Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let documents: Vec<_> = items.iter().map(|item| item.document()).collect();
    let rows = sqlx::query(CREATE)
        .bind(to_parameter(&documents)?)
        .fetch_all(&mut *conn)
        .await
        .map_err(from_sqlx)?;
    let created: HashSet<ExecutionId> = rows::by_key(&rows, |_| Ok(()))?.into_keys().collect();
    require_capabilities(conn, items, &created).await?;
    let missing: Vec<&Item> =
        items.iter().copied().filter(|item| !created.contains(item.id())).collect();
    let mut duplicates = find_duplicates(conn, &missing).await?.into_iter();
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        results.push(if created.contains(item.id()) {
            CreateExecutionResult::Created {
                execution_id: item.id().clone(),
                public_state: item.new.execution.public_state,
            }
        } else {
            let found = duplicates.next().flatten();
            let execution_id = found.ok_or_else(|| unexpected("a duplicate of nothing"))?;
            CreateExecutionResult::Duplicate { execution_id }
        });
    }
    Ok(results)
}

async fn require_capabilities(
    conn: &mut SqliteConnection,
    items: &[&Item],
    created: &HashSet<ExecutionId>,
) -> Result<(), EngineError> {
    let documents: Vec<_> = items
        .iter()
        .filter(|item| created.contains(item.id()))
        .map(|item| item.document())
        .filter(NewExecutionDocument::has_requirements)
        .collect();
    if documents.is_empty() {
        return Ok(());
    }
    sqlx::query(REQUIRE_CAPABILITIES)
        .bind(to_parameter(&documents)?)
        .execute(conn)
        .await
        .map_err(from_sqlx)?;
    Ok(())
}

/// The ids of the executions that were there before, in the order of the items.
async fn find_duplicates(
    conn: &mut SqliteConnection,
    items: &[&Item],
) -> Result<Vec<Option<ExecutionId>>, EngineError> {
    let mut found = vec![None; items.len()];
    if items.is_empty() {
        return Ok(found);
    }
    let documents: Vec<_> = items.iter().map(|item| item.document()).collect();
    let rows = sqlx::query(FIND_DUPLICATES)
        .bind(to_parameter(&documents)?)
        .fetch_all(conn)
        .await
        .map_err(from_sqlx)?;
    for row in &rows {
        if let Some(slot) = found.get_mut(rows::position(row)?) {
            *slot = Some(rows::key(row)?.execution_id()?);
        }
    }
    Ok(found)
}

impl Item {
    fn new(args: CreateExecutionArgs) -> Self {
        let new = rule::create(&args);
        Self { args, new }
    }

    fn id(&self) -> &ExecutionId {
        &self.args.execution_id
    }

    fn document(&self) -> NewExecutionDocument<'_> {
        NewExecutionDocument::new(&self.args, &self.new)
    }

    /// What makes another item a duplicate of this one.
    fn keys(&self) -> Vec<[&str; 3]> {
        let args = &self.args;
        let by_key = args
            .idempotency_key
            .as_deref()
            .map(|key| [args.namespace.as_str(), args.lane_id.as_str(), key]);
        [Some(["", "", args.execution_id.as_str()]), by_key].into_iter().flatten().collect()
    }
}
