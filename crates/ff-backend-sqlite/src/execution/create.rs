use std::collections::{BTreeMap, HashSet};

use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_error::EngineError;
use ff_core::rules::claim::is_claimable;
use ff_core::rules::execution::NewExecution;
use ff_core::rules::{execution as rule, input};
use ff_core::types::ExecutionId;
use ff_sql::document::{NewExecutionDocument, to_parameter};
use ff_sql::rounds::rounds;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection};

use crate::SqliteBackend;
use crate::error::{from_sqlx, unexpected};
use crate::lanes::KnownLanes;
use crate::rows;
use crate::tx::Tx;
use crate::values::{ROWS_MAX, for_rows};

const CREATE: &str = include_str!("../../sql/execution/create.sql");
const TAKE_KEYS: &str = include_str!("../../sql/execution/take_keys.sql");
const REQUIRE_CAPABILITIES: &str = include_str!("../../sql/execution/require_capabilities.sql");
const FIND_CREATED: &str = include_str!("../../sql/execution/find_created.sql");
const FIND_DUPLICATES: &str = include_str!("../../sql/execution/find_duplicates.sql");

/// An execution to create, as it is asked for and as it will be stored.
struct Item {
    args: CreateExecutionArgs,
    new: NewExecution,
}

type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

/// See [`ff_core::engine_backend::EngineBackend::create_execution`].
pub(crate) async fn create(
    backend: &SqliteBackend,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    let (bytes, lane) = (args.input_payload.len(), args.lane_id.clone());
    let result = backend.batchers.create.call(args, bytes).await?;
    if is_created(&result) {
        backend.lanes.remember(std::iter::once(&lane));
    }
    Ok(result)
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
    let lane_ids: Vec<_> = batch.iter().map(|args| args.lane_id.clone()).collect();
    let lanes = backend.lanes.clone();
    let create = async move |tx: &mut Tx<'_>| create_checked(tx, batch, &lanes).await;
    let results = backend.writer.run(create).await?;
    let created = lane_ids.iter().zip(&results).filter(|(_, result)| is_created(result));
    backend.lanes.remember(created.map(|(lane, _)| lane));
    Ok(results)
}

/// Creates what the rules of input accept, and wakes those who wait for it.
pub(super) async fn create_checked(
    tx: &mut Tx<'_>,
    batch: Vec<CreateExecutionArgs>,
    lanes: &KnownLanes,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let items: Vec<Item> = batch.into_iter().map(Item::new).collect();
    let results = create_all(tx.conn(), &items, lanes).await?;
    for (item, result) in items.iter().zip(&results) {
        if is_created(result) && is_claimable(&item.new.execution, item.args.now) {
            tx.wake(&item.args.lane_id);
        }
    }
    Ok(results)
}

/// See [`SqliteBackend::create_execution_in`].
pub(crate) async fn create_in(
    backend: &SqliteBackend,
    conn: &mut SqliteConnection,
    args: CreateExecutionArgs,
) -> Result<CreateExecutionResult, EngineError> {
    input::check_create(&args, &backend.config.limits())?;
    let mut savepoint = conn.begin().await.map_err(from_sqlx)?;
    let results = create_all(&mut savepoint, &[Item::new(args)], &backend.lanes).await?;
    savepoint.commit().await.map_err(from_sqlx)?;
    only(results)
}

fn only(mut results: Vec<CreateExecutionResult>) -> Result<CreateExecutionResult, EngineError> {
    results.pop().ok_or_else(|| unexpected("no answer to a creation"))
}

fn is_created(result: &CreateExecutionResult) -> bool {
    matches!(result, CreateExecutionResult::Created { .. })
}

async fn create_all(
    conn: &mut SqliteConnection,
    items: &[Item],
    lanes: &KnownLanes,
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let mut results = vec![None; items.len()];
    for round in rounds(items, Item::keys) {
        let round_items: Vec<&Item> = round.iter().map(|position| &items[*position]).collect();
        for (position, result) in round.into_iter().zip(create_round(conn, &round_items).await?) {
            results[position] = Some(result);
        }
    }
    let complete: Option<Vec<_>> = results.into_iter().collect();
    let results = complete.ok_or_else(|| unexpected("no answer to a creation"))?;
    let created = items.iter().zip(&results).filter(|(_, result)| is_created(result));
    lanes.store(conn, created.map(|(item, _)| &item.args.lane_id).collect()).await?;
    Ok(results)
}

/// Creates items of which no two share an id or an idempotency key.
async fn create_round(
    conn: &mut SqliteConnection,
    items: &[&Item],
) -> Result<Vec<CreateExecutionResult>, EngineError> {
    let keyed = take_keys(conn, items).await?;
    let may_be_new =
        |item: &&Item| item.args.idempotency_key.is_none() || keyed.contains(item.id());
    let new: Vec<&Item> = items.iter().copied().filter(may_be_new).collect();
    let created = insert(conn, &new).await?;
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

/// Takes the idempotency keys that are free, and tells whose those are.
async fn take_keys(
    conn: &mut SqliteConnection,
    items: &[&Item],
) -> Result<HashSet<ExecutionId>, EngineError> {
    let keyed = items.iter().filter(|item| item.args.idempotency_key.is_some());
    let documents: Vec<_> = keyed.map(|item| item.document()).collect();
    if documents.is_empty() {
        return Ok(HashSet::new());
    }
    let take = sqlx::query(TAKE_KEYS).bind(to_parameter(&documents)?);
    let rows = take.fetch_all(conn).await.map_err(from_sqlx)?;
    rows.iter().map(|row| rows::key(row)?.execution_id()).collect()
}

/// Stores what is not there, and tells what that was. As a rule it is all, and SQLite has no rows to return.
async fn insert(
    conn: &mut SqliteConnection,
    items: &[&Item],
) -> Result<HashSet<ExecutionId>, EngineError> {
    let mut created = HashSet::with_capacity(items.len());
    for part in items.chunks(ROWS_MAX) {
        let insert = sqlx::query(AssertSqlSafe(for_rows(CREATE, part.len())));
        let insert = part.iter().try_fold(insert, |insert, item| item.bind(insert))?;
        let inserted = insert.execute(&mut *conn).await.map_err(from_sqlx)?;
        if inserted.rows_affected() == part.len() as u64 {
            created.extend(part.iter().map(|item| item.id().clone()));
        } else {
            created.extend(find_created(conn, &inserted).await?);
        }
    }
    Ok(created)
}

/// What a statement has stored: SQLite gives each new row the number after the highest,
/// <https://www.sqlite.org/autoinc.html>.
async fn find_created(
    conn: &mut SqliteConnection,
    inserted: &SqliteQueryResult,
) -> Result<Vec<ExecutionId>, EngineError> {
    let count = i64::try_from(inserted.rows_affected()).unwrap_or(i64::MAX);
    let last = inserted.last_insert_rowid();
    let find = sqlx::query(FIND_CREATED).bind(last.saturating_sub(count) + 1).bind(last);
    let rows = find.fetch_all(conn).await.map_err(from_sqlx)?;
    rows.iter().map(|row| rows::key(row)?.execution_id()).collect()
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

    /// Gives a statement the columns of the row.
    fn bind<'q>(&'q self, statement: Insert<'q>) -> Result<Insert<'q>, EngineError> {
        let execution = &self.new.execution;
        let required: Vec<_> = self.new.requirement.iter().collect();
        let required_set =
            if required.is_empty() { String::new() } else { to_parameter(&required)? };
        let tags: BTreeMap<_, _> = execution.tags.iter().collect();
        Ok(statement
            .bind(i64::from(execution.execution_id.partition()))
            .bind(execution.execution_id.uuid())
            .bind(execution.lane_id.as_str())
            .bind(execution.lifecycle_phase.as_str())
            .bind(execution.ownership_state.as_str())
            .bind(execution.eligibility_state.as_str())
            .bind(execution.public_state.as_str())
            .bind(execution.attempt_state.as_str())
            .bind(i64::from(execution.priority))
            .bind(execution.created_at.0)
            .bind(execution.eligible_at.map(|time| time.0))
            .bind(execution.deadline_at.map(|time| time.0))
            .bind(self.args.input_payload.as_slice())
            .bind(execution.policy.as_ref().map(to_parameter).transpose()?)
            .bind(execution.namespace.as_str())
            .bind(execution.execution_kind.as_str())
            .bind(execution.creator_identity.as_str())
            .bind(self.args.payload_encoding.as_deref().unwrap_or_default())
            .bind(to_parameter(&tags)?)
            .bind(required_set))
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
