//! SQLite stores for the conformance suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ff_backend_sqlite::{SqliteBackend, SqliteConfig};
use ff_conformance::{
    AttemptKey, EdgeGroupCounts, Fixture, ForeignExecution, Probe, RecordedWorkerEvent, Store,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs, WorkerInstanceId};
use sqlx::{AssertSqlSafe, Row, SqlitePool};
use tempfile::TempDir;

/// Stores in files of their own.
#[allow(dead_code, reason = "each program uses one of the two")]
pub(crate) struct FileFixture;

/// Stores in memory.
#[allow(dead_code, reason = "each program uses one of the two")]
pub(crate) struct MemoryFixture;

struct SqliteStore {
    backend: Arc<SqliteBackend>,
    url: String,
    clock: Arc<ManualClock>,
    _directory: Option<TempDir>,
}

#[async_trait]
impl Fixture for FileFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let directory = tempfile::tempdir().unwrap();
        let url = directory.path().join("jobs.db").to_str().unwrap().to_owned();
        Box::new(SqliteStore::open(url, clock, Some(directory)).await)
    }
}

#[async_trait]
impl Fixture for MemoryFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let url = format!("file:conformance-{number}?mode=memory&cache=shared");
        Box::new(SqliteStore::open(url, clock, None).await)
    }
}

impl SqliteStore {
    async fn open(url: String, clock: Arc<ManualClock>, directory: Option<TempDir>) -> Self {
        let backend = open(&url, &clock).await;
        Self { backend, url, clock, _directory: directory }
    }

    fn pool(&self) -> &SqlitePool {
        self.backend.pool_for_test()
    }
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> Arc<SqliteBackend> {
    let clock = Arc::<ManualClock>::clone(clock);
    let config = SqliteConfig { clock, ..SqliteConfig::default() };
    SqliteBackend::open(url, config).await.unwrap()
}

#[async_trait]
impl Store for SqliteStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::<SqliteBackend>::clone(&self.backend)
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        open(&self.url, &self.clock).await
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }

    async fn create_in_transaction(
        &self,
        args: CreateExecutionArgs,
        commit: bool,
    ) -> Option<Result<CreateExecutionResult, EngineError>> {
        let mut transaction = self.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
        let result = self.backend.create_execution_in(&mut transaction, args).await;
        if commit {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        Some(result)
    }

    fn has_transactions(&self) -> bool {
        true
    }
}

#[async_trait]
impl Probe for SqliteStore {
    async fn insert_foreign_execution(&self, row: ForeignExecution) {
        let insert = "INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, \
                      lifecycle_phase, ownership_state, eligibility_state, public_state, \
                      attempt_state, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        sqlx::query(insert)
            .bind(i64::from(row.execution_id.partition()))
            .bind(row.execution_id.uuid())
            .bind(row.lane_id.as_str())
            .bind(row.lifecycle_phase)
            .bind(row.ownership_state)
            .bind(row.eligibility_state)
            .bind(row.public_state)
            .bind(row.attempt_state)
            .bind(row.created_at.0)
            .execute(self.pool())
            .await
            .unwrap();
    }

    async fn read_word(&self, id: &ExecutionId, column: &str) -> String {
        let select = format!(
            "SELECT {column} AS word FROM ff_exec_core WHERE partition_key = $1 AND execution_id = $2"
        );
        let row = sqlx::query(AssertSqlSafe(select))
            .bind(i64::from(id.partition()))
            .bind(id.uuid())
            .fetch_one(self.pool())
            .await
            .unwrap();
        row.get("word")
    }

    async fn write_word(&self, id: &ExecutionId, column: &str, text: &str) {
        let update = format!(
            "UPDATE ff_exec_core SET {column} = $3 WHERE partition_key = $1 AND execution_id = $2"
        );
        let written = sqlx::query(AssertSqlSafe(update))
            .bind(i64::from(id.partition()))
            .bind(id.uuid())
            .bind(text)
            .execute(self.pool())
            .await
            .unwrap();
        assert_eq!(written.rows_affected(), 1);
    }

    async fn write_attempt_number(&self, at: AttemptKey<'_>, column: &str, value: i64) {
        let update = format!(
            "UPDATE ff_attempt SET {column} = $4 \
             WHERE partition_key = $1 AND execution_id = $2 AND attempt_index = $3"
        );
        let written = sqlx::query(AssertSqlSafe(update))
            .bind(i64::from(at.execution_id.partition()))
            .bind(at.execution_id.uuid())
            .bind(i64::from(at.attempt_index.0))
            .bind(value)
            .execute(self.pool())
            .await
            .unwrap();
        assert_eq!(written.rows_affected(), 1);
    }

    async fn write_attempt_text(&self, at: AttemptKey<'_>, column: &str, text: Option<&str>) {
        let update = format!(
            "UPDATE ff_attempt SET {column} = $4 \
             WHERE partition_key = $1 AND execution_id = $2 AND attempt_index = $3"
        );
        let written = sqlx::query(AssertSqlSafe(update))
            .bind(i64::from(at.execution_id.partition()))
            .bind(at.execution_id.uuid())
            .bind(i64::from(at.attempt_index.0))
            .bind(text)
            .execute(self.pool())
            .await
            .unwrap();
        assert_eq!(written.rows_affected(), 1);
    }

    async fn insert_foreign_attempt(&self, at: AttemptKey<'_>) {
        let insert = "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index) \
                      VALUES ($1, $2, $3)";
        sqlx::query(insert)
            .bind(i64::from(at.execution_id.partition()))
            .bind(at.execution_id.uuid())
            .bind(i64::from(at.attempt_index.0))
            .execute(self.pool())
            .await
            .unwrap();
    }

    async fn insert_foreign_flow(&self, flow_id: &FlowId, state: &str, created_at: TimestampMs) {
        let insert = "INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, \
                      created_at_ms) VALUES (0, $1, $2, $3)";
        sqlx::query(insert)
            .bind(flow_id.0)
            .bind(state)
            .bind(created_at.0)
            .execute(self.pool())
            .await
            .unwrap();
    }

    async fn write_flow(&self, ids: &[ExecutionId], flow_id: &FlowId) {
        let mut transaction = self.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
        for id in ids {
            let update = "UPDATE ff_exec_core SET flow_id = $3 \
                          WHERE partition_key = $1 AND execution_id = $2";
            let written = sqlx::query(update)
                .bind(i64::from(id.partition()))
                .bind(id.uuid())
                .bind(flow_id.0)
                .execute(&mut *transaction)
                .await
                .unwrap();
            assert_eq!(written.rows_affected(), 1);
        }
        transaction.commit().await.unwrap();
    }

    async fn write_edge_group(&self, flow_id: &FlowId, id: &ExecutionId, counts: EdgeGroupCounts) {
        let write = "INSERT OR REPLACE INTO ff_edge_group (partition_key, flow_id, downstream_eid, \
                     policy, success_count, fail_count, skip_count, running_count) \
                     VALUES (0, $1, $2, '{}', $3, $4, $5, $6)";
        sqlx::query(write)
            .bind(flow_id.0)
            .bind(id.uuid())
            .bind(counts.success)
            .bind(counts.fail)
            .bind(counts.skip)
            .bind(counts.running)
            .execute(self.pool())
            .await
            .unwrap();
    }

    async fn read_edge_group(&self, flow_id: &FlowId, id: &ExecutionId) -> EdgeGroupCounts {
        let select = "SELECT success_count, fail_count, skip_count, running_count \
                      FROM ff_edge_group \
                      WHERE partition_key = 0 AND flow_id = $1 AND downstream_eid = $2";
        let row = sqlx::query(select)
            .bind(flow_id.0)
            .bind(id.uuid())
            .fetch_one(self.pool())
            .await
            .unwrap();
        EdgeGroupCounts {
            success: row.get("success_count"),
            fail: row.get("fail_count"),
            skip: row.get("skip_count"),
            running: row.get("running_count"),
        }
    }

    async fn read_cancel_backlog(&self, flow_id: &FlowId) -> Option<Vec<ExecutionId>> {
        let select = "SELECT flow_id FROM ff_cancel_backlog WHERE flow_id = $1";
        let backlog = sqlx::query(select).bind(flow_id.0).fetch_optional(self.pool()).await;
        backlog.unwrap()?;
        let select = "SELECT e.partition_key, e.execution_id FROM ff_cancel_backlog_member AS m \
                      JOIN ff_exec_core AS e USING (flow_id, execution_id) \
                      WHERE m.flow_id = $1 ORDER BY e.execution_id";
        let rows = sqlx::query(select).bind(flow_id.0).fetch_all(self.pool()).await.unwrap();
        let ids = rows
            .iter()
            .map(|row| ExecutionId::from_parts(row.get("partition_key"), row.get("execution_id")));
        Some(ids.collect())
    }

    async fn read_worker_events(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Vec<RecordedWorkerEvent> {
        let select = "SELECT event_type, reason, occurred_at_ms FROM ff_worker_registry_event \
                      WHERE namespace = $1 AND worker_instance_id = $2 ORDER BY event_id";
        let rows = sqlx::query(select)
            .bind(namespace.as_str())
            .bind(instance.as_str())
            .fetch_all(self.pool())
            .await
            .unwrap();
        let events = rows.iter().map(|row| RecordedWorkerEvent {
            event_type: row.get("event_type"),
            reason: row.get("reason"),
            occurred_at: TimestampMs(row.get("occurred_at_ms")),
        });
        events.collect()
    }

    async fn count_rows(&self, id: &ExecutionId) -> u64 {
        let mut rows = 0;
        for table in [
            "ff_exec_core",
            "ff_attempt",
            "ff_idempotency",
            "ff_execution_capabilities",
            "ff_completion_event",
            "ff_lease_event",
            "ff_operator_event",
            "ff_cancel_backlog_member",
        ] {
            let count = format!("SELECT count(*) AS n FROM {table} WHERE execution_id IN ($1, $2)");
            let row = sqlx::query(AssertSqlSafe(count))
                .bind(id.uuid())
                .bind(id.uuid().to_string())
                .fetch_one(self.pool())
                .await
                .unwrap();
            rows += row.get::<i64, _>("n").unsigned_abs();
        }
        rows
    }
}
