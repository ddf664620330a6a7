//! The floor on PostgreSQL: an operation is one statement, for one execution or for a batch.

use futures::future::try_join_all;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row};
use uuid::Uuid;

use super::{EXPIRY_MS, NOW_MS, Queue};
use crate::work::{KIND, PAYLOAD, share};

/// As many as the backend has by default.
const CONNECTIONS: u32 = 10;

const CREATE: &str = "INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, \
    ownership_state, eligibility_state, public_state, attempt_state, created_at_ms, payload, \
    execution_kind, payload_encoding) \
    SELECT $1, id, $2, 'submitted', 'unowned', 'eligible_now', 'waiting', 'pending', 0, $3, $4, 'json' \
    FROM unnest($5::uuid[]) AS item (id)";

const CLAIM: &str = "WITH picked AS MATERIALIZED ( \
        SELECT partition_key, execution_id FROM ff_exec_core \
        WHERE lane_id = $1 \
            AND hash_array_extended(required_capabilities, 0) \
                = hash_array_extended('{}'::text[], 0) \
            AND lifecycle_phase IN ('submitted', 'runnable') AND eligibility_state = 'eligible_now' \
        ORDER BY -(priority::bigint), created_at_ms, execution_id, partition_key \
        LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED \
    ), claimed AS ( \
        UPDATE ff_exec_core AS e \
        SET lifecycle_phase = 'active', ownership_state = 'leased', \
            eligibility_state = 'not_applicable', public_state = 'running', \
            attempt_state = 'running_attempt', eligible_at_ms = NULL, started_at_ms = $3 \
        FROM picked AS p \
        WHERE e.partition_key = p.partition_key AND e.execution_id = p.execution_id \
        RETURNING e.partition_key, e.execution_id, e.payload \
    ), leased AS ( \
        INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_id, \
            worker_instance_id, lease_epoch, lease_expires_at_ms, started_at_ms) \
        SELECT partition_key, execution_id, 0, 'floor', 'floor', 1, $4, $3 FROM claimed \
    ), acquired AS ( \
        INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms) \
        SELECT partition_key, execution_id::text, 'acquired', $3 FROM claimed \
    ) SELECT execution_id, payload FROM claimed";

const COMPLETE: &str = "WITH completed AS ( \
        UPDATE ff_exec_core AS e \
        SET lifecycle_phase = 'terminal', ownership_state = 'unowned', \
            eligibility_state = 'not_applicable', public_state = 'completed', \
            attempt_state = 'attempt_terminal', terminal_at_ms = $3 \
        FROM unnest($2::uuid[]) AS item (id) \
        WHERE e.partition_key = $1 AND e.execution_id = item.id AND e.lifecycle_phase = 'active' \
        RETURNING e.partition_key, e.execution_id \
    ), succeeded AS ( \
        UPDATE ff_attempt AS a \
        SET outcome = 'success', terminal_at_ms = $3, lease_expires_at_ms = NULL \
        FROM unnest($2::uuid[]) AS item (id) \
        WHERE a.partition_key = $1 AND a.execution_id = item.id AND a.attempt_index = 0 \
    ) INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms) \
    SELECT partition_key, execution_id, 'success', $3 FROM completed";

const RENEW: &str = "UPDATE ff_attempt AS a SET lease_expires_at_ms = $3 \
    FROM unnest($2::uuid[]) AS item (id) \
    WHERE a.partition_key = $1 AND a.execution_id = item.id AND a.attempt_index = 0";

/// As the backend's sessions: plans are made once, and follow the indexes.
const SESSION: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
];

type Outcome<T> = Result<T, sqlx::Error>;

pub(super) struct Postgres {
    pool: PgPool,
    queue: Queue,
}

impl Postgres {
    pub(super) async fn open(options: PgConnectOptions, queue: Queue) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let options = options.options(SESSION).disable_statement_logging();
        Ok(Self { pool: pool.connect_with(options).await?, queue })
    }

    pub(super) async fn create(&self, ids: &[Uuid], producers: u64) -> Outcome<()> {
        let shares = parts(ids, producers).into_iter().map(|ids| async move {
            for id in ids {
                self.insert(std::slice::from_ref(id)).await?;
            }
            Outcome::Ok(())
        });
        try_join_all(shares).await.map(drop)
    }

    pub(super) async fn create_in_batches(&self, ids: &[Uuid], size: u64) -> Outcome<()> {
        for batch in ids.chunks(usize::try_from(size).unwrap_or(usize::MAX)) {
            self.insert(batch).await?;
        }
        Ok(())
    }

    pub(super) async fn claim_one(&self) -> Outcome<()> {
        self.pick(1).await.map(drop)
    }

    pub(super) async fn lifecycle(&self, ids: &[Uuid], workers: u64) -> Outcome<()> {
        let shares = parts(ids, workers).into_iter().map(|ids| async move {
            for id in ids {
                self.insert(std::slice::from_ref(id)).await?;
                let claimed = self.pick(1).await?;
                self.complete(&claimed).await?;
            }
            Outcome::Ok(())
        });
        try_join_all(shares).await.map(drop)
    }

    pub(super) async fn lifecycle_in_batches(&self, ids: &[Uuid], size: u64) -> Outcome<()> {
        for batch in ids.chunks(usize::try_from(size).unwrap_or(usize::MAX)) {
            self.insert(batch).await?;
            let claimed = self.pick(batch.len() as u64).await?;
            self.complete(&claimed).await?;
        }
        Ok(())
    }

    pub(super) async fn drain(&self, size: u64) -> Outcome<u64> {
        let mut drained = 0;
        loop {
            let claimed = self.pick(size).await?;
            if claimed.is_empty() {
                return Ok(drained);
            }
            self.complete(&claimed).await?;
            drained += claimed.len() as u64;
        }
    }

    pub(super) async fn renew(&self, ids: &[Uuid]) -> Outcome<()> {
        let renew = sqlx::query(RENEW).bind(self.queue.partition).bind(ids).bind(EXPIRY_MS);
        renew.execute(&self.pool).await.map(drop)
    }

    async fn insert(&self, ids: &[Uuid]) -> Outcome<()> {
        let create = sqlx::query(CREATE).bind(self.queue.partition).bind(self.queue.lane.as_str());
        create.bind(PAYLOAD).bind(KIND).bind(ids).execute(&self.pool).await.map(drop)
    }

    async fn pick(&self, count: u64) -> Outcome<Vec<Uuid>> {
        let claim = sqlx::query(CLAIM).bind(self.queue.lane.as_str()).bind(count.cast_signed());
        let rows = claim.bind(NOW_MS).bind(EXPIRY_MS).fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    async fn complete(&self, ids: &[Uuid]) -> Outcome<()> {
        let complete = sqlx::query(COMPLETE).bind(self.queue.partition).bind(ids).bind(NOW_MS);
        complete.execute(&self.pool).await.map(drop)
    }
}

/// What each of several has to do.
fn parts(ids: &[Uuid], parts: u64) -> Vec<&[Uuid]> {
    let mut left = ids;
    let shares = (0..parts).map(|part| share(ids.len() as u64, parts, part));
    shares
        .map(|share| {
            let (part, rest) = left.split_at(usize::try_from(share).unwrap_or(usize::MAX));
            left = rest;
            part
        })
        .collect()
}
