//! The connection of one operation, and what an operation does there: load, ask a rule, store.

use std::collections::HashSet;
use std::time::Duration;

use ff_core::clock::Clock;
use ff_core::decision::Patch;
use ff_core::engine_error::EngineError;
use ff_core::execution::Attempt;
use ff_core::rules::claim::is_claimable;
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, TimestampMs};
use ff_sql::changes::{Changes, Loaded};
use ff_sql::document::{EventDocument, EventDocuments};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Transaction};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backend::PostgresBackend;
use crate::columns::{self, Statement};
use crate::error::{from_sqlx, unexpected};
use crate::time::Time;
use crate::{admin, rows};

const LOCK: &str = include_str!("../sql/execution/lock.sql");
const LOAD: &str = include_str!("../sql/execution/load.sql");
const APPLY_EXECUTIONS: &str = include_str!("../sql/execution/apply.sql");
const APPLY_ATTEMPTS: &str = include_str!("../sql/lease/apply.sql");
const APPEND_LEASE_EVENTS: &str = include_str!("../sql/event/append_lease.sql");
const APPEND_COMPLETION_EVENTS: &str = include_str!("../sql/event/append_completion.sql");
const APPEND_OPERATOR_EVENTS: &str = include_str!("../sql/event/append_operator.sql");
const RESET_EDGE_GROUPS: &str = include_str!("../sql/flow/reset_edge_group.sql");
const FIND_TRANSACTION: &str = include_str!("../sql/admin/find_transaction.sql");

const READ_ID: &str = "SELECT pg_current_xact_id()::text AS transaction_id";

/// How long what is under way on a connection may take to end before the connection is given up.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(10);

/// The connection of one operation.
pub(crate) struct Tx<'c> {
    backend: &'c PostgresBackend,
    held: Held<'c>,
    woken: Vec<LaneId>,
}

enum Held<'c> {
    /// Of the pool. It is open in a transaction, or each statement is one.
    Own(Own),
    Savepoint(Transaction<'c, Postgres>),
}

/// A connection of the pool. Its transaction, if it has begun one, is rolled back unless it is committed.
///
/// Transactions are begun and ended by plain statements: the driver's own way, when it is dropped while it
/// begins, gives the connection back with its transaction open.
struct Own {
    /// There until it is dropped.
    conn: Option<PoolConnection<Postgres>>,
    is_open: bool,
    /// Where it goes back to the pool, even when it is dropped elsewhere.
    runtime: Option<Handle>,
}

impl Own {
    fn conn(&mut self) -> Result<&mut PgConnection, EngineError> {
        self.conn.as_deref_mut().ok_or_else(|| unexpected("no connection"))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        let Some(mut conn) = self.conn.take().filter(|_| self.is_open) else { return };
        match &self.runtime {
            // Whatever is under way on the connection is waited for first.
            Some(runtime) => drop(runtime.spawn(async move {
                let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut *conn);
                if !matches!(timeout(ROLLBACK_PATIENCE, rolled_back).await, Ok(Ok(_))) {
                    conn.close_on_drop();
                }
            })),
            None => conn.close_on_drop(),
        }
    }
}

/// An execution, and which of its attempts; none means the current one.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) execution_id: &'a ExecutionId,
    pub(crate) attempt_index: Option<AttemptIndex>,
}

impl<'c> Tx<'c> {
    /// For one statement, which commits by itself. Behind a pooler that keeps no session it needs a
    /// transaction: the driver prepares and runs it in two round trips, which could meet two servers.
    pub(crate) async fn alone(backend: &'c PostgresBackend) -> Result<Self, EngineError> {
        if backend.config.transaction_pooler {
            return Self::begin(backend).await;
        }
        Self::own(backend, false).await
    }

    /// For several statements, which commit together.
    pub(crate) async fn begin(backend: &'c PostgresBackend) -> Result<Self, EngineError> {
        let mut tx = Self::own(backend, true).await?;
        let begin = AssertSqlSafe(backend.connections.begin.clone());
        sqlx::raw_sql(begin).execute(tx.conn()?).await.map_err(from_sqlx)?;
        Ok(tx)
    }

    /// As [`begin`](Self::begin), in one round trip with the transaction's id, by which
    /// [`has_committed`](Self::has_committed) finds out what became of it.
    pub(crate) async fn begin_named(
        backend: &'c PostgresBackend,
    ) -> Result<(Self, i64), EngineError> {
        let mut tx = Self::own(backend, true).await?;
        let begin = format!("{}; {READ_ID}", backend.connections.begin);
        let begin = sqlx::raw_sql(AssertSqlSafe(begin));
        let rows = begin.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        let row = rows.first().ok_or_else(|| unexpected("a transaction without an id"))?;
        let id: String = rows::get(row, "transaction_id")?;
        let id = id.parse().map_err(|_| unexpected("a transaction whose id is no number"))?;
        Ok((tx, id))
    }

    /// Whether the transaction of this id has committed.
    pub(crate) async fn has_committed(&mut self, id: i64) -> Result<bool, EngineError> {
        let find = self.query(FIND_TRANSACTION).bind(id);
        let row = find.fetch_one(self.conn()?).await.map_err(from_sqlx)?;
        rows::get(&row, "is_committed")
    }

    async fn own(backend: &'c PostgresBackend, is_open: bool) -> Result<Self, EngineError> {
        let conn = Some(backend.connections.acquire().await?);
        let held = Held::Own(Own { conn, is_open, runtime: Handle::try_current().ok() });
        Ok(Self { backend, held, woken: Vec::new() })
    }

    /// Inside the caller's transaction, which goes on whatever becomes of this.
    pub(crate) async fn inside(
        backend: &'c PostgresBackend,
        conn: &'c mut PgConnection,
    ) -> Result<Self, EngineError> {
        let held = Held::Savepoint(conn.begin().await.map_err(from_sqlx)?);
        Ok(Self { backend, held, woken: Vec::new() })
    }

    /// Keeps what was done, and wakes who waits for it.
    pub(crate) async fn commit(mut self) -> Result<(), EngineError> {
        match self.held {
            Held::Own(ref mut own) if own.is_open => {
                sqlx::raw_sql("COMMIT").execute(own.conn()?).await.map_err(from_sqlx)?;
                own.is_open = false;
            }
            Held::Own(_) => {}
            Held::Savepoint(savepoint) => savepoint.commit().await.map_err(from_sqlx)?,
        }
        self.backend.notifier.wake(self.woken);
        Ok(())
    }

    /// Undoes what was done. Where the server cannot be told, dropping it does the rest.
    pub(crate) async fn roll_back(mut self) {
        if let Held::Own(ref mut own) = self.held
            && own.is_open
            && let Ok(conn) = own.conn()
            && sqlx::raw_sql("ROLLBACK").execute(conn).await.is_ok()
        {
            own.is_open = false;
        }
    }

    pub(crate) fn conn(&mut self) -> Result<&mut PgConnection, EngineError> {
        match &mut self.held {
            Held::Own(own) => own.conn(),
            Held::Savepoint(savepoint) => Ok(savepoint),
        }
    }

    /// Whether what is done here waits for the caller's own commit.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self.held, Held::Savepoint(_))
    }

    /// A statement to give parameters to. Behind a pooler that keeps no session none stays prepared.
    pub(crate) fn query(&self, statement: &'static str) -> Statement {
        sqlx::query(statement).persistent(!self.backend.config.transaction_pooler)
    }

    /// The time, read when there is a connection: how long the operation waited for one counts.
    pub(crate) async fn now(&mut self) -> Result<TimestampMs, EngineError> {
        match &self.backend.time {
            Time::Given(clock) => Ok(clock.now()),
            Time::Followed(clock) => {
                if clock.is_older_than(admin::CLOCK_AGE_MAX) {
                    admin::follow_clock(self, clock).await?;
                }
                Ok(clock.now())
            }
        }
    }

    /// The backend whose operation this is.
    pub(crate) fn backend(&self) -> &'c PostgresBackend {
        self.backend
    }

    /// The tag whose value events carry.
    pub(crate) fn instance_tag_key(&self) -> &'c str {
        &self.backend.config.instance_tag_key
    }

    /// Wakes the lane's waiting claims after the commit.
    pub(crate) fn wake(&mut self, lane: &LaneId) {
        if !self.woken.contains(lane) {
            self.woken.push(lane.clone());
        }
    }

    /// Loads executions in the order of their keys, and locks them. Each is read by itself, so that a
    /// corrupt one does not hold up the rest.
    pub(crate) async fn load(
        &mut self,
        keys: &[Key<'_>],
    ) -> Result<Vec<Result<Loaded, EngineError>>, EngineError> {
        // Two statements: what the second reads is as it is once the first has its locks.
        let ids: Vec<_> = keys.iter().map(|key| key.execution_id).collect();
        let lock = columns::bind_ids(self.query(LOCK), &ids);
        let locked = lock.fetch_all(self.conn()?).await.map_err(from_sqlx)?;
        let load = bind_keys(self.query(LOAD), keys);
        let rows = load.fetch_all(self.conn()?).await.map_err(from_sqlx)?;
        let mut loaded = in_order(&rows, keys.len())?;
        // The second also sees what was created after the first had begun. That was not locked: for this
        // operation it is not there yet.
        let locked: HashSet<_> = rows::ids(&locked)?.into_iter().collect();
        for (slot, _) in loaded.iter_mut().zip(ids).filter(|(_, id)| !locked.contains(*id)) {
            *slot = Err(EngineError::execution_not_found());
        }
        Ok(loaded)
    }

    /// As [`load`](Self::load), for one execution and its current attempt.
    pub(crate) async fn load_one(
        &mut self,
        execution_id: &ExecutionId,
    ) -> Result<Loaded, EngineError> {
        let loaded = self.load(&[Key::new(execution_id)]).await?.pop();
        loaded.unwrap_or_else(|| Err(EngineError::execution_not_found()))
    }

    /// Stores what the decisions say, in the order execution, attempt, outbox.
    pub(crate) async fn store(&mut self, changes: Changes) -> Result<(), EngineError> {
        let patches = &changes.patches;
        if patches.is_empty() {
            return Ok(());
        }
        let now = self.now().await?;
        let apply = columns::bind_executions(self.query(APPLY_EXECUTIONS), patches);
        apply.execute(self.conn()?).await.map_err(from_sqlx)?;
        let attempts: Vec<_> = patches.iter().filter_map(attempt).collect();
        if !attempts.is_empty() {
            let apply = columns::bind_attempts(self.query(APPLY_ATTEMPTS), &attempts)?;
            apply.execute(self.conn()?).await.map_err(from_sqlx)?;
        }
        self.reset_edge_groups(patches).await?;
        for patch in patches.iter().filter(|patch| is_claimable(&patch.execution, now)) {
            self.wake(&patch.execution.lane_id);
        }
        self.append(&changes.events).await
    }

    async fn reset_edge_groups(&mut self, patches: &[Patch]) -> Result<(), EngineError> {
        let members: Vec<_> = patches
            .iter()
            .filter(|patch| patch.resets_edge_group)
            .filter_map(|patch| Some((patch.execution.flow_id?, &patch.execution.execution_id)))
            .collect();
        if members.is_empty() {
            return Ok(());
        }
        let reset = self.query(RESET_EDGE_GROUPS);
        let reset = columns::bind_downstream(reset, &members, &self.backend.config.partitions);
        reset.execute(self.conn()?).await.map_err(from_sqlx)?;
        Ok(())
    }

    /// Appends events to the outbox.
    pub(crate) async fn append(&mut self, events: &EventDocuments) -> Result<(), EngineError> {
        self.append_to(APPEND_LEASE_EVENTS, &events.lease).await?;
        self.append_to(APPEND_COMPLETION_EVENTS, &events.completion).await?;
        self.append_operator(&events.operator).await
    }

    async fn append_operator(&mut self, events: &[EventDocument]) -> Result<(), EngineError> {
        if events.is_empty() {
            return Ok(());
        }
        let append = columns::bind_events(self.query(APPEND_OPERATOR_EVENTS), events)
            .bind(columns::details(events)?)
            .bind(self.instance_tag_key());
        append.execute(self.conn()?).await.map_err(from_sqlx)?;
        Ok(())
    }

    async fn append_to(
        &mut self,
        statement: &'static str,
        events: &[EventDocument],
    ) -> Result<(), EngineError> {
        if events.is_empty() {
            return Ok(());
        }
        let append =
            columns::bind_events(self.query(statement), events).bind(self.instance_tag_key());
        append.execute(self.conn()?).await.map_err(from_sqlx)?;
        Ok(())
    }
}

impl<'a> Key<'a> {
    /// An execution and its current attempt.
    pub(crate) fn new(execution_id: &'a ExecutionId) -> Self {
        Self { execution_id, attempt_index: None }
    }

    /// An execution and the attempt that the handle names.
    pub(crate) fn of_handle(handle: &'a ff_core::backend::Handle) -> Self {
        Self { attempt_index: Some(handle.attempt_index()), ..Self::new(handle.execution_id()) }
    }
}

pub(crate) fn bind_keys(statement: Statement, keys: &[Key<'_>]) -> Statement {
    let ids: Vec<_> = keys.iter().map(|key| key.execution_id).collect();
    let attempts = keys.iter().map(|key| key.attempt_index.map(|index| i64::from(index.0)));
    columns::bind_ids(statement, &ids).bind(attempts.collect::<Vec<_>>())
}

fn attempt(patch: &Patch) -> Option<(&ExecutionId, &Attempt)> {
    Some((&patch.execution.execution_id, patch.attempt.as_ref()?))
}

/// Loaded rows in the order of the keys that asked for them; a key without a row is `NotFound`.
pub(crate) fn in_order(
    rows: &[PgRow],
    keys: usize,
) -> Result<Vec<Result<Loaded, EngineError>>, EngineError> {
    let mut loaded: Vec<_> = (0..keys).map(|_| Err(EngineError::execution_not_found())).collect();
    for row in rows {
        let position = rows::position(row)?;
        let slot = loaded.get_mut(position).ok_or_else(|| unexpected("an unknown position"))?;
        *slot = read(row);
    }
    Ok(loaded)
}

pub(crate) fn read(row: &PgRow) -> Result<Loaded, EngineError> {
    let (execution, attempt) = rows::execution(row)?;
    Ok(Loaded { execution, attempt, result: rows::get(row, "result")? })
}
