//! What an operation does inside the writer's transaction: load, ask a rule, store.

use ff_core::decision::{Decision, Patch};
use ff_core::engine_error::EngineError;
use ff_core::rules::claim::is_claimable;
use ff_core::types::{LaneId, TimestampMs};
use ff_sql::changes::{Changes, Loaded};
use ff_sql::document::{
    AttemptDocument, EventDocument, EventDocuments, KeyDocument, PatchDocument, to_parameter,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::{from_sqlx, unexpected};
use crate::rows;
use crate::writer::Surroundings;

const LOAD: &str = include_str!("../sql/execution/load.sql");
const APPLY_EXECUTIONS: &str = include_str!("../sql/execution/apply.sql");
const APPLY_ATTEMPTS: &str = include_str!("../sql/lease/apply.sql");
const APPEND_LEASE_EVENTS: &str = include_str!("../sql/event/append_lease.sql");
const APPEND_COMPLETION_EVENTS: &str = include_str!("../sql/event/append_completion.sql");
const APPEND_OPERATOR_EVENTS: &str = include_str!("../sql/event/append_operator.sql");
const RESET_EDGE_GROUPS: &str = include_str!("../sql/flow/reset_edge_group.sql");

/// The writer's transaction, inside the savepoint of one operation.
pub(crate) struct Tx<'c> {
    conn: &'c mut SqliteConnection,
    surroundings: &'c Surroundings,
    woken: Vec<LaneId>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: &'c mut SqliteConnection, surroundings: &'c Surroundings) -> Self {
        Self { conn, surroundings, woken: Vec::new() }
    }

    /// The time, read while the write lock is held: a lease that ran out while the operation waited is
    /// not taken for a live one.
    pub(crate) fn now(&self) -> TimestampMs {
        self.surroundings.clock.now()
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        self.conn
    }

    pub(crate) fn instance_tag_path(&self) -> String {
        self.surroundings.instance_tag_path.clone()
    }

    /// Wakes the lane's waiting claims after the commit.
    pub(crate) fn wake(&mut self, lane: &LaneId) {
        if !self.woken.contains(lane) {
            self.woken.push(lane.clone());
        }
    }

    pub(crate) fn into_woken(self) -> Vec<LaneId> {
        self.woken
    }

    /// Ends the savepoint of the operation before this one, if that was kept, and begins its own.
    pub(crate) async fn begin_operation(&mut self) -> Result<(), EngineError> {
        self.control("RELEASE operation; SAVEPOINT operation").await
    }

    /// Leaves the savepoint as it was begun.
    pub(crate) async fn undo_operation(&mut self) -> Result<(), EngineError> {
        self.woken.clear();
        self.control("ROLLBACK TO operation").await
    }

    async fn control(&mut self, statement: &'static str) -> Result<(), EngineError> {
        sqlx::query(statement).execute(&mut *self.conn).await.map_err(from_sqlx)?;
        Ok(())
    }

    /// Loads executions in the order of their keys. Each is read by itself, so that a corrupt one does
    /// not hold up the rest.
    pub(crate) async fn load(
        &mut self,
        keys: &[KeyDocument],
    ) -> Result<Vec<Result<Loaded, EngineError>>, EngineError> {
        let rows = sqlx::query(LOAD)
            .bind(to_parameter(&keys)?)
            .fetch_all(&mut *self.conn)
            .await
            .map_err(from_sqlx)?;
        in_order(&rows, keys.len())
    }

    /// Loads an execution, asks the rule, stores what it answers.
    pub(crate) async fn decide<T>(
        &mut self,
        key: KeyDocument,
        rule: impl FnOnce(&Loaded, TimestampMs) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let loaded = self.load(&[key]).await?.pop();
        let loaded = loaded.unwrap_or_else(|| Err(EngineError::execution_not_found()))?;
        let mut changes = Changes::default();
        let outcome = changes.take(rule(&loaded, self.now())?);
        self.store(changes).await?;
        Ok(outcome)
    }

    /// Stores what the decisions say, in the order execution, attempt, outbox.
    pub(crate) async fn store(&mut self, changes: Changes) -> Result<(), EngineError> {
        let now = self.now();
        let patches = &changes.patches;
        if patches.is_empty() {
            return Ok(());
        }
        let executions: Vec<_> = patches.iter().map(PatchDocument::new).collect();
        self.execute(APPLY_EXECUTIONS, to_parameter(&executions)?).await?;
        let resets: Vec<_> = patches.iter().filter_map(edge_group_to_reset).collect();
        if !resets.is_empty() {
            self.execute(RESET_EDGE_GROUPS, to_parameter(&resets)?).await?;
        }
        let attempts: Vec<_> = patches.iter().filter_map(attempt_document).collect();
        if !attempts.is_empty() {
            self.execute(APPLY_ATTEMPTS, to_parameter(&attempts)?).await?;
        }
        for patch in patches.iter().filter(|patch| is_claimable(&patch.execution, now)) {
            self.wake(&patch.execution.lane_id);
        }
        self.append(&changes.events).await
    }

    /// Appends events to the outbox.
    pub(crate) async fn append(&mut self, events: &EventDocuments) -> Result<(), EngineError> {
        self.append_to(APPEND_LEASE_EVENTS, &events.lease).await?;
        self.append_to(APPEND_COMPLETION_EVENTS, &events.completion).await?;
        self.append_to(APPEND_OPERATOR_EVENTS, &events.operator).await
    }

    async fn append_to(
        &mut self,
        statement: &'static str,
        events: &[EventDocument],
    ) -> Result<(), EngineError> {
        if events.is_empty() {
            return Ok(());
        }
        sqlx::query(statement)
            .bind(to_parameter(&events)?)
            .bind(&self.surroundings.instance_tag_path)
            .execute(&mut *self.conn)
            .await
            .map_err(from_sqlx)?;
        Ok(())
    }

    async fn execute(
        &mut self,
        statement: &'static str,
        documents: String,
    ) -> Result<(), EngineError> {
        sqlx::query(statement).bind(documents).execute(&mut *self.conn).await.map_err(from_sqlx)?;
        Ok(())
    }
}

fn attempt_document(patch: &Patch) -> Option<AttemptDocument<'_>> {
    let attempt = patch.attempt.as_ref()?;
    Some(AttemptDocument::new(&patch.execution.execution_id, attempt))
}

fn edge_group_to_reset(patch: &Patch) -> Option<KeyDocument> {
    patch.resets_edge_group.then(|| KeyDocument::new(&patch.execution.execution_id))
}

/// Loaded rows in the order of the keys that asked for them; a key without a row is `NotFound`.
pub(crate) fn in_order(
    rows: &[SqliteRow],
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

fn read(row: &SqliteRow) -> Result<Loaded, EngineError> {
    let (execution, attempt) = rows::execution(row)?;
    Ok(Loaded { execution, attempt, result: rows::get(row, "result")? })
}
