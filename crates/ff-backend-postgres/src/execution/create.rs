use std::collections::HashSet;

use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::claim::is_claimable;
use ff_core::rules::execution::NewExecution;
use ff_core::rules::{execution as rule, input};
use ff_core::types::ExecutionId;
use ff_sql::rounds::rounds;
use sqlx::PgConnection;

use crate::columns::{self, NewRow};
use crate::error::{from_sqlx, gone_meanwhile, is_key_taken, unexpected};
use crate::execution::read::find;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{PostgresBackend, rows};

const CREATE: &str = include_str!("../../sql/execution/create.sql");
const FIND_DUPLICATES: &str = include_str!("../../sql/execution/find_duplicates.sql");

/// An execution to create, as it is asked for and as it will be stored.
struct Item {
    args: CreateExecutionArgs,
    new: NewExecution,
}

/// See [`ff_core::engine_backend::EngineBackend::create_execution`].
pub(crate) async fn create(
    backend: &PostgresBackend,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    // One that has a key may wait for whoever takes the same key: not with others in its company.
    if args.idempotency_key.is_some() {
        return only(create_checked(backend, vec![args]).await?);
    }
    let bytes = args.input_payload.len();
    backend.batchers.create.call(args, bytes).await
}

/// See [`ff_core::engine_backend::EngineBackend::create_executions`].
pub(crate) async fn create_batch(
    backend: &PostgresBackend,
    batch: Vec<CreateExecutionArgs>,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    input::check_create_batch(&batch, &backend.config.limits())?;
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    create_checked(backend, batch).await
}

/// Creates what the rules of input accept.
pub(super) async fn create_checked(
    backend: &PostgresBackend,
    batch: Vec<CreateExecutionArgs>,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let items: Vec<Item> = batch.into_iter().map(Item::new).collect();
    create_items(backend, &items).await
}

/// See [`PostgresBackend::create_execution_in`].
pub(crate) async fn create_in(
    backend: &PostgresBackend,
    conn: &mut PgConnection,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    let items = [Item::new(args)];
    let mut result = create_inside(backend, conn, &items).await;
    // Another creation has taken the idempotency key and committed: now it is seen.
    if result.as_ref().is_err_and(is_key_taken) {
        result = create_inside(backend, conn, &items).await;
    }
    only(result?)
}

async fn create_inside(
    backend: &PostgresBackend,
    conn: &mut PgConnection,
    items: &[Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let mut tx = Tx::inside(backend, conn).await?;
    let results = create_all(&mut tx, items).await?;
    tx.commit().await?;
    Ok(results)
}

fn only(mut results: Vec<CreateExecutionResult>) -> Result<CreateExecutionResult, EngineError> {
    results.pop().ok_or_else(|| unexpected("no answer to a creation"))
}

async fn create_items(
    backend: &PostgresBackend,
    items: &[Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    repeat(backend, async |before| {
        // A batch that names one execution twice takes several statements.
        let is_one_round = rounds(items, Item::keys).len() == 1;
        let mut tx =
            if is_one_round { Tx::alone(backend).await? } else { Tx::begin(backend).await? };
        let results = create_all(&mut tx, items).await?;
        for (item, result) in items.iter().zip(&results) {
            let created = matches!(result, CreateExecutionResult::Created { .. });
            if created && is_claimable(&item.new.execution, item.args.now) {
                tx.wake(&item.args.lane_id);
            }
        }
        tx.commit().await?;
        if before.lost > 0 { read_back(backend, items, results).await } else { Ok(results) }
    })
    .await
}

async fn create_all(
    tx: &mut Tx<'_>,
    items: &[Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let mut results = vec![None; items.len()];
    for round in rounds(items, Item::keys) {
        let round_items: Vec<&Item> = round.iter().map(|position| &items[*position]).collect();
        for (position, result) in round.into_iter().zip(create_round(tx, &round_items).await?) {
            results[position] = Some(result);
        }
    }
    let complete: Option<Vec<_>> = results.into_iter().collect();
    complete.ok_or_else(|| unexpected("no answer to a creation"))
}

/// Creates items of which no two share an id or an idempotency key.
async fn create_round(
    tx: &mut Tx<'_>,
    items: &[&Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let new: Vec<_> = items.iter().map(|item| item.row()).collect();
    let create = columns::bind_new(tx.query(CREATE), &new)?.bind(!tx.is_callers());
    let rows = create.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    let created: HashSet<ExecutionId> = rows::by_key(&rows, |_| Ok(()))?.into_keys().collect();
    let missing: Vec<&Item> =
        items.iter().copied().filter(|item| !created.contains(item.id())).collect();
    let mut duplicates = find_duplicates(tx, &missing).await?.into_iter();
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        results.push(if created.contains(item.id()) {
            item.created()
        } else {
            let found = duplicates.next().flatten();
            let execution_id = found.ok_or_else(gone_meanwhile)?;
            CreateExecutionResult::Duplicate { execution_id }
        });
    }
    Ok(results)
}

/// The ids of the executions that were there before, in the order of the items.
async fn find_duplicates(
    tx: &mut Tx<'_>,
    items: &[&Item],
) -> Result<Vec<Option<ExecutionId>>, EngineError> {
    let mut found = vec![None; items.len()];
    if items.is_empty() {
        return Ok(found);
    }
    let ids: Vec<&ExecutionId> = items.iter().map(|item| item.id()).collect();
    let namespaces: Vec<&str> = items.iter().map(|item| item.args.namespace.as_str()).collect();
    let lanes: Vec<&str> = items.iter().map(|item| item.args.lane_id.as_str()).collect();
    let keys: Vec<_> = items.iter().map(|item| item.args.idempotency_key.as_deref()).collect();
    let find =
        columns::bind_ids(tx.query(FIND_DUPLICATES), &ids).bind(namespaces).bind(lanes).bind(keys);
    for row in &find.fetch_all(tx.conn()?).await.map_err(from_sqlx)? {
        if let Some(slot) = found.get_mut(rows::position(row)?) {
            *slot = Some(rows::key(row)?.execution_id()?);
        }
    }
    Ok(found)
}

/// Tells the executions that an earlier try has made, whose answer was lost, from those that were
/// there before it: the former are as this call would have made them.
async fn read_back(
    backend: &PostgresBackend,
    items: &[Item],
    results: Vec<CreateExecutionResult>,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let ids: Vec<ExecutionId> = items.iter().map(|item| item.id().clone()).collect();
    let stored = find(backend, &ids).await?;
    let results = items.iter().zip(stored).zip(results).map(|((item, stored), result)| {
        let is_ours = stored.is_some_and(|stored| item.is_stored_as(&stored.execution));
        if is_ours && result.execution_id() == item.id() { item.created() } else { result }
    });
    Ok(results.collect())
}

impl Item {
    fn new(args: CreateExecutionArgs) -> Self {
        let new = rule::create(&args);
        Self { args, new }
    }

    fn id(&self) -> &ExecutionId {
        &self.args.execution_id
    }

    fn row(&self) -> NewRow<'_> {
        NewRow { args: &self.args, new: &self.new }
    }

    fn created(&self) -> CreateExecutionResult {
        CreateExecutionResult::Created {
            execution_id: self.id().clone(),
            public_state: self.new.execution.public_state,
        }
    }

    /// Whether the execution is what this item would make; its state may have moved on.
    fn is_stored_as(&self, stored: &Execution) -> bool {
        let new = &self.new.execution;
        stored.created_at == new.created_at
            && stored.lane_id == new.lane_id
            && stored.namespace == new.namespace
            && stored.execution_kind == new.execution_kind
            && stored.creator_identity == new.creator_identity
            && stored.tags == new.tags
            && stored.policy == new.policy
            && stored.deadline_at == new.deadline_at
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
