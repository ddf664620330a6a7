//! PostgreSQL stores for the conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_conformance::{
    AttemptKey, EdgeGroupCounts, Fixture, ForeignExecution, Probe, RecordedWorkerEvent, Store,
    UncommittedEvent,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs, WorkerInstanceId};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Row, Transaction};

use crate::database::Database;

/// Stores in databases of their own.
#[allow(dead_code, reason = "one program reaches its stores in another way")]
pub(crate) struct DatabaseFixture;

/// A store in a database, reached by some URL.
pub(crate) struct PostgresStore {
    backend: Arc<PostgresBackend>,
    url: String,
    clock: Arc<ManualClock>,
    /// Past the backend, and past whatever stands before the server.
    pool: PgPool,
    database: Database,
}

#[async_trait]
impl Fixture for DatabaseFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let database = Database::migrated().await;
        let url = database.url();
        Box::new(PostgresStore::open(database, url, clock).await)
    }
}

impl PostgresStore {
    pub(crate) async fn open(database: Database, url: String, clock: Arc<ManualClock>) -> Self {
        let backend = open(&url, &clock).await;
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.options());
        Self { backend, url, clock, pool, database }
    }
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> Arc<PostgresBackend> {
    let clock = Some(Arc::<ManualClock>::clone(clock) as Arc<dyn ff_core::clock::Clock>);
    let config = PostgresConfig { clock, ..PostgresConfig::default() };
    PostgresBackend::connect_with(url, config).await.unwrap()
}

#[async_trait]
impl Store for PostgresStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::<PostgresBackend>::clone(&self.backend)
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
        let mut transaction = self.backend.pool_for_test().begin().await.unwrap();
        let result = self.backend.create_execution_in(&mut transaction, args).await;
        if commit {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        Some(result)
    }

    async fn settle(&self) {
        self.database.settle().await;
    }

    fn has_transactions(&self) -> bool {
        true
    }
}

#[async_trait]
impl Probe for PostgresStore {
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
            .execute(&self.pool)
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
            .fetch_one(&self.pool)
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
            .execute(&self.pool)
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
            .execute(&self.pool)
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
            .execute(&self.pool)
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
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn insert_foreign_flow(&self, flow_id: &FlowId, state: &str, created_at: TimestampMs) {
        let insert = "INSERT INTO ff_flow_core \
                      (partition_key, flow_id, public_flow_state, created_at_ms) \
                      VALUES ($1, $2, $3, $4)";
        sqlx::query(insert)
            .bind(partition(flow_id))
            .bind(flow_id.0)
            .bind(state)
            .bind(created_at.0)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn write_flow(&self, ids: &[ExecutionId], flow_id: &FlowId) {
        let update = "UPDATE ff_exec_core AS e SET flow_id = $3 \
                      FROM unnest($1::bigint[], $2::uuid[]) AS item (partition_key, execution_id) \
                      WHERE e.partition_key = item.partition_key \
                      AND e.execution_id = item.execution_id";
        let written = sqlx::query(update)
            .bind(ids.iter().map(|id| i64::from(id.partition())).collect::<Vec<_>>())
            .bind(ids.iter().map(ExecutionId::uuid).collect::<Vec<_>>())
            .bind(flow_id.0)
            .execute(&self.pool)
            .await
            .unwrap();
        assert_eq!(written.rows_affected(), ids.len() as u64);
    }

    async fn write_edge_group(&self, flow_id: &FlowId, id: &ExecutionId, counts: EdgeGroupCounts) {
        let insert = "INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, \
                      success_count, fail_count, skip_count, running_count) \
                      VALUES ($1, $2, $3, '{}', $4, $5, $6, $7) \
                      ON CONFLICT (partition_key, flow_id, downstream_eid) DO UPDATE \
                      SET success_count = excluded.success_count, fail_count = excluded.fail_count, \
                      skip_count = excluded.skip_count, running_count = excluded.running_count";
        sqlx::query(insert)
            .bind(partition(flow_id))
            .bind(flow_id.0)
            .bind(id.uuid())
            .bind(i64::from(counts.success))
            .bind(i64::from(counts.fail))
            .bind(i64::from(counts.skip))
            .bind(i64::from(counts.running))
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn read_edge_group(&self, flow_id: &FlowId, id: &ExecutionId) -> EdgeGroupCounts {
        let select = "SELECT success_count, fail_count, skip_count, running_count \
                      FROM ff_edge_group \
                      WHERE partition_key = $1 AND flow_id = $2 AND downstream_eid = $3";
        let row = sqlx::query(select)
            .bind(partition(flow_id))
            .bind(flow_id.0)
            .bind(id.uuid())
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let count = |column: &str| row.get::<i32, _>(column).unsigned_abs();
        EdgeGroupCounts {
            success: count("success_count"),
            fail: count("fail_count"),
            skip: count("skip_count"),
            running: count("running_count"),
        }
    }

    async fn read_cancel_backlog(&self, flow_id: &FlowId) -> Option<Vec<ExecutionId>> {
        let parent = "SELECT 1 FROM ff_cancel_backlog WHERE partition_key = $1 AND flow_id = $2";
        let parent = sqlx::query(parent).bind(partition(flow_id)).bind(flow_id.0);
        parent.fetch_optional(&self.pool).await.unwrap()?;
        let select = "SELECT e.partition_key, m.execution_id \
                      FROM ff_cancel_backlog_member AS m \
                      JOIN ff_exec_core AS e USING (flow_id, execution_id) \
                      WHERE m.partition_key = $1 AND m.flow_id = $2 ORDER BY m.execution_id";
        let select = sqlx::query(select).bind(partition(flow_id)).bind(flow_id.0);
        let rows = select.fetch_all(&self.pool).await.unwrap();
        let id = |row: &PgRow| {
            let partition = row.get::<i16, _>("partition_key").unsigned_abs();
            ExecutionId::from_parts(partition, row.get("execution_id"))
        };
        Some(rows.iter().map(id).collect())
    }

    async fn read_worker_events(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Vec<RecordedWorkerEvent> {
        let select = "SELECT event_type, reason, occurred_at_ms FROM ff_worker_registry_event \
                      WHERE namespace = $1 AND worker_instance_id = $2 ORDER BY event_id";
        let select = sqlx::query(select).bind(namespace.as_str()).bind(instance.as_str());
        let rows = select.fetch_all(&self.pool).await.unwrap();
        let event = |row: &PgRow| RecordedWorkerEvent {
            event_type: row.get("event_type"),
            reason: row.get("reason"),
            occurred_at: TimestampMs(row.get("occurred_at_ms")),
        };
        rows.iter().map(event).collect()
    }

    async fn count_rows(&self, id: &ExecutionId) -> u64 {
        let mut rows = 0;
        for table in [
            "ff_exec_core",
            "ff_attempt",
            "ff_idempotency",
            "ff_completion_event",
            "ff_lease_event",
            "ff_operator_event",
            "ff_cancel_backlog_member",
        ] {
            let count = format!("SELECT count(*) AS n FROM {table} WHERE execution_id::text = $1");
            let row = sqlx::query(AssertSqlSafe(count))
                .bind(id.uuid().to_string())
                .fetch_one(&self.pool)
                .await
                .unwrap();
            rows += row.get::<i64, _>("n").unsigned_abs();
        }
        rows
    }

    async fn begin_completion_event(&self, id: &ExecutionId) -> Option<Box<dyn UncommittedEvent>> {
        let mut transaction = self.pool.begin().await.unwrap();
        let insert = "INSERT INTO ff_completion_event (partition_key, execution_id, outcome, \
                      occurred_at_ms) VALUES ($1, $2, 'success', 0)";
        sqlx::query(insert)
            .bind(i64::from(id.partition()))
            .bind(id.uuid())
            .execute(&mut *transaction)
            .await
            .unwrap();
        Some(Box::new(OpenTransaction(transaction)))
    }
}

/// Where the engine keeps the rows of a flow.
fn partition(flow_id: &FlowId) -> i64 {
    i64::from(flow_partition(flow_id, &PartitionConfig::default()).index)
}

/// An event whose transaction has not committed.
struct OpenTransaction(Transaction<'static, Postgres>);

#[async_trait]
impl UncommittedEvent for OpenTransaction {
    async fn commit(self: Box<Self>) {
        self.0.commit().await.unwrap();
    }
}
