//! The floor on SQLite: plain prepared statements, a row each, so many operations in one transaction.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use uuid::Uuid;

use super::{EXPIRY_MS, NOW_MS, Queue};
use crate::work::{KIND, PAYLOAD};

const CREATE: &str = "INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, \
    ownership_state, eligibility_state, public_state, attempt_state, created_at_ms, payload, \
    execution_kind, payload_encoding) \
    VALUES (?, ?, ?, 'submitted', 'unowned', 'eligible_now', 'waiting', 'pending', 0, ?, ?, 'json')";

const CLAIM: &str = "UPDATE ff_exec_core SET lifecycle_phase = 'active', ownership_state = 'leased', \
    eligibility_state = 'not_applicable', public_state = 'running', \
    attempt_state = 'running_attempt', eligible_at_ms = NULL, started_at_ms = ? \
    WHERE rowid = ( \
        SELECT rowid FROM ff_exec_core INDEXED BY ff_exec_core_claimable \
        WHERE lane_id = ? AND required_set = '' \
            AND lifecycle_phase IN ('submitted', 'runnable') AND eligibility_state = 'eligible_now' \
        ORDER BY priority DESC, created_at_ms, execution_id, partition_key LIMIT 1 \
    ) RETURNING execution_id, payload";

const LEASE: &str = "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_id, \
    worker_instance_id, lease_epoch, lease_expires_at_ms, started_at_ms) \
    VALUES (?, ?, 0, 'floor', 'floor', 1, ?, ?)";

const ACQUIRED: &str = "INSERT INTO ff_lease_event (partition_key, execution_id, event_type, \
    occurred_at_ms) VALUES (?, ?, 'acquired', ?)";

const COMPLETE: &str = "UPDATE ff_exec_core SET lifecycle_phase = 'terminal', \
    ownership_state = 'unowned', eligibility_state = 'not_applicable', public_state = 'completed', \
    attempt_state = 'attempt_terminal', terminal_at_ms = ? \
    WHERE partition_key = ? AND execution_id = ? AND lifecycle_phase = 'active'";

const SUCCEED: &str = "UPDATE ff_attempt SET outcome = 'success', terminal_at_ms = ?, \
    lease_expires_at_ms = NULL WHERE partition_key = ? AND execution_id = ? AND attempt_index = 0";

const COMPLETED: &str = "INSERT INTO ff_completion_event (partition_key, execution_id, outcome, \
    occurred_at_ms) VALUES (?, ?, 'success', ?)";

const RENEW: &str = "UPDATE ff_attempt SET lease_expires_at_ms = ? \
    WHERE partition_key = ? AND execution_id = ? AND attempt_index = 0";

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
        let partition = self.queue.partition;
        self.begin().await?;
        for id in ids {
            let renew = sqlx::query(RENEW).bind(EXPIRY_MS).bind(partition).bind(id);
            renew.execute(&mut self.conn).await?;
        }
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
        for id in ids {
            let create = sqlx::query(CREATE).bind(self.queue.partition).bind(id);
            let create = create.bind(self.queue.lane.as_str()).bind(PAYLOAD).bind(KIND);
            create.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    async fn pick(&mut self, count: u64) -> Outcome<Vec<Uuid>> {
        let (partition, mut claimed) = (self.queue.partition, Vec::new());
        for _ in 0..count {
            let claim = sqlx::query(CLAIM).bind(NOW_MS).bind(self.queue.lane.as_str());
            let Some(row) = claim.fetch_optional(&mut self.conn).await? else { break };
            let id: Uuid = row.try_get(0)?;
            let lease = sqlx::query(LEASE).bind(partition).bind(id).bind(EXPIRY_MS).bind(NOW_MS);
            lease.execute(&mut self.conn).await?;
            let event = sqlx::query(ACQUIRED).bind(partition).bind(id.to_string()).bind(NOW_MS);
            event.execute(&mut self.conn).await?;
            claimed.push(id);
        }
        Ok(claimed)
    }

    async fn finish(&mut self, ids: &[Uuid]) -> Outcome<()> {
        let partition = self.queue.partition;
        for id in ids {
            for update in [COMPLETE, SUCCEED] {
                let update = sqlx::query(update).bind(NOW_MS).bind(partition).bind(id);
                update.execute(&mut self.conn).await?;
            }
            let event = sqlx::query(COMPLETED).bind(partition).bind(id).bind(NOW_MS);
            event.execute(&mut self.conn).await?;
        }
        Ok(())
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
