//! The floor on SQLite: so many operations in one transaction, and a prepared statement a table for all of them, which
//! is faster than one for each row.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use uuid::Uuid;

use super::{EXPIRY_MS, NOW_MS, Queue};
use crate::work::{KIND, PAYLOAD};

const CREATE: &str = "INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, \
    ownership_state, eligibility_state, public_state, attempt_state, created_at_ms, payload, \
    execution_kind, payload_encoding) \
    SELECT ?1, unhex(item.value, '-'), ?3, 'submitted', 'unowned', 'eligible_now', 'waiting', \
        'pending', 0, ?4, ?5, 'json' \
    FROM json_each(?2) AS item";

const CLAIM: &str = "UPDATE ff_exec_core SET lifecycle_phase = 'active', ownership_state = 'leased', \
    eligibility_state = 'not_applicable', public_state = 'running', \
    attempt_state = 'running_attempt', eligible_at_ms = NULL, started_at_ms = ?1 \
    WHERE rowid IN ( \
        SELECT rowid FROM ff_exec_core INDEXED BY ff_exec_core_claimable \
        WHERE lane_id = ?2 AND required_set = '' \
            AND lifecycle_phase IN ('submitted', 'runnable') AND eligibility_state = 'eligible_now' \
        ORDER BY priority DESC, created_at_ms, execution_id, partition_key LIMIT (?3 + 0) \
    ) RETURNING execution_id, payload";

const LEASE: &str = "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_id, \
    worker_instance_id, lease_epoch, lease_expires_at_ms, started_at_ms) \
    SELECT ?1, unhex(item.value, '-'), 0, 'floor', 'floor', 1, ?3, ?4 FROM json_each(?2) AS item";

const ACQUIRED: &str = "INSERT INTO ff_lease_event (partition_key, execution_id, event_type, \
    occurred_at_ms) SELECT ?1, item.value, 'acquired', ?3 FROM json_each(?2) AS item";

const COMPLETE: &str = "UPDATE ff_exec_core SET lifecycle_phase = 'terminal', \
    ownership_state = 'unowned', eligibility_state = 'not_applicable', public_state = 'completed', \
    attempt_state = 'attempt_terminal', terminal_at_ms = ?3 \
    WHERE partition_key = ?1 AND lifecycle_phase = 'active' \
        AND execution_id IN (SELECT unhex(value, '-') FROM json_each(?2))";

const SUCCEED: &str = "UPDATE ff_attempt SET outcome = 'success', terminal_at_ms = ?3, \
    lease_expires_at_ms = NULL WHERE partition_key = ?1 AND attempt_index = 0 \
        AND execution_id IN (SELECT unhex(value, '-') FROM json_each(?2))";

const COMPLETED: &str = "INSERT INTO ff_completion_event (partition_key, execution_id, outcome, \
    occurred_at_ms) SELECT ?1, unhex(item.value, '-'), 'success', ?3 FROM json_each(?2) AS item";

const RENEW: &str = "UPDATE ff_attempt SET lease_expires_at_ms = ?3 \
    WHERE partition_key = ?1 AND attempt_index = 0 \
        AND execution_id IN (SELECT unhex(value, '-') FROM json_each(?2))";

type Outcome<T> = Result<T, sqlx::Error>;

pub(super) struct Sqlite {
    conn: SqliteConnection,
    queue: Queue,
}

impl Sqlite {
    pub(super) async fn open(file: &Path, queue: Queue) -> Outcome<Self> {
        let options = SqliteConnectOptions::new().filename(file).statement_cache_capacity(128);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let conn = options.synchronous(SqliteSynchronous::Full).connect().await?;
        Ok(Self { conn, queue })
    }

    pub(super) async fn create(&mut self, ids: &[Uuid], group: u64) -> Outcome<()> {
        for group in ids.chunks(size(group)) {
            self.begin().await?;
            self.insert(group).await?;
            self.commit().await?;
        }
        Ok(())
    }

    pub(super) async fn claim_one(&mut self) -> Outcome<()> {
        self.begin().await?;
        self.pick(1).await?;
        self.commit().await
    }

    pub(super) async fn lifecycle(&mut self, ids: &[Uuid], group: u64) -> Outcome<()> {
        for group in ids.chunks(size(group)) {
            self.begin().await?;
            self.insert(group).await?;
            self.commit().await?;
            self.claim_and_complete(group.len() as u64).await?;
        }
        Ok(())
    }

    pub(super) async fn drain(&mut self, group: u64) -> Outcome<u64> {
        let mut drained = 0;
        loop {
            match self.claim_and_complete(group).await? {
                0 => return Ok(drained),
                count => drained += count,
            }
        }
    }

    pub(super) async fn renew(&mut self, ids: &[Uuid]) -> Outcome<()> {
        self.begin().await?;
        self.change(RENEW, (&list(ids), EXPIRY_MS)).await?;
        self.commit().await
    }

    async fn claim_and_complete(&mut self, group: u64) -> Outcome<u64> {
        self.begin().await?;
        let claimed = self.pick(group).await?;
        self.commit().await?;
        if claimed.is_empty() {
            return Ok(0);
        }
        self.begin().await?;
        self.finish(&claimed).await?;
        self.commit().await?;
        Ok(claimed.len() as u64)
    }

    async fn insert(&mut self, ids: &[Uuid]) -> Outcome<()> {
        let create = sqlx::query(CREATE).bind(self.queue.partition).bind(list(ids));
        let create = create.bind(self.queue.lane.as_str()).bind(PAYLOAD).bind(KIND);
        create.execute(&mut self.conn).await.map(drop)
    }

    async fn pick(&mut self, count: u64) -> Outcome<Vec<Uuid>> {
        let claim = sqlx::query(CLAIM).bind(NOW_MS).bind(self.queue.lane.as_str());
        let rows = claim.bind(count.cast_signed()).fetch_all(&mut self.conn).await?;
        let claimed: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Outcome<_>>()?;
        if !claimed.is_empty() {
            let list = list(&claimed);
            let lease = sqlx::query(LEASE).bind(self.queue.partition).bind(&list);
            lease.bind(EXPIRY_MS).bind(NOW_MS).execute(&mut self.conn).await?;
            self.change(ACQUIRED, (&list, NOW_MS)).await?;
        }
        Ok(claimed)
    }

    async fn finish(&mut self, ids: &[Uuid]) -> Outcome<()> {
        let list = list(ids);
        for statement in [COMPLETE, SUCCEED, COMPLETED] {
            self.change(statement, (&list, NOW_MS)).await?;
        }
        Ok(())
    }

    /// Runs a statement that takes the partition, the list and a time.
    async fn change(&mut self, sql: &'static str, (list, at): (&str, i64)) -> Outcome<()> {
        let change = sqlx::query(sql).bind(self.queue.partition).bind(list).bind(at);
        change.execute(&mut self.conn).await.map(drop)
    }

    async fn begin(&mut self) -> Outcome<()> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.conn).await.map(drop)
    }

    async fn commit(&mut self) -> Outcome<()> {
        sqlx::query("COMMIT").execute(&mut self.conn).await.map(drop)
    }
}

fn size(group: u64) -> usize {
    usize::try_from(group).unwrap_or(usize::MAX).max(1)
}

/// As a JSON array, which is SQLite's way to be given many.
fn list(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", ids.join(","))
}
