//! What the benches share: stores with the database's durable settings on, and the work that is
//! measured on them.

use std::collections::HashMap;
use std::sync::Arc;

use ff_backend_postgres::PostgresBackend;
use ff_backend_sqlite::SqliteBackend;
use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::contracts::{ClaimBatchArgs, Completion, CreateExecutionArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};
use futures::future::try_join_all;
use tempfile::TempDir;

/// Longer than any bench runs, so that no lease is renewed.
const LEASE_TTL_MS: u32 = 3_600_000;

#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking")]
#[path = "../../crates/ff-backend-postgres/tests/common/database.rs"]
mod database;

use database::Database;

/// What the work is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A database file in the temporary directory, whose disk is what is measured: set `TMPDIR` to measure
    /// another.
    Sqlite,
    /// A database of the server that `FF_PG_TEST_URL` names.
    Postgres,
}

impl Store {
    /// Those that can be measured here: PostgreSQL when `FF_PG_TEST_URL` is set.
    pub fn all() -> Vec<Self> {
        let has_server = std::env::var_os("FF_PG_TEST_URL").is_some_and(|url| !url.is_empty());
        if has_server { vec![Self::Sqlite, Self::Postgres] } else { vec![Self::Sqlite] }
    }

    /// Its name in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A backend on a store of its own, which goes with it.
pub struct Bench {
    backend: Arc<dyn EngineBackend>,
    home: Home,
}

enum Home {
    Directory(#[expect(dead_code, reason = "it is kept until it is dropped")] TempDir),
    Database(Database),
}

impl Bench {
    /// A new, empty store.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(store: Store) -> Result<Self, Box<dyn std::error::Error>> {
        match store {
            Store::Sqlite => {
                let directory = tempfile::tempdir()?;
                let path = directory.path().join("bench.db");
                let backend = SqliteBackend::new(&path.to_string_lossy()).await?;
                Ok(Self { backend, home: Home::Directory(directory) })
            }
            Store::Postgres => {
                let database = Database::migrated().await;
                let backend = PostgresBackend::connect(&database.url()).await?;
                Ok(Self { backend, home: Home::Database(database) })
            }
        }
    }

    /// Lets the server finish what a load has left to do, so that it is not measured.
    ///
    /// # Errors
    /// As the server.
    pub async fn settle(&self) -> Result<(), Box<dyn std::error::Error>> {
        if let Home::Database(database) = &self.home {
            let pool = sqlx::PgPool::connect_with(database.options()).await?;
            sqlx::raw_sql("VACUUM (ANALYZE)").execute(&pool).await?;
            sqlx::raw_sql("CHECKPOINT").execute(&pool).await?;
            pool.close().await;
        }
        Ok(())
    }

    fn args(&self) -> CreateExecutionArgs {
        let lane_id = lane();
        let execution_id = ExecutionId::solo(&lane_id, &self.backend.partition_config());
        CreateExecutionArgs {
            partition_id: execution_id.partition(),
            execution_id,
            namespace: Namespace::new("default"),
            lane_id,
            execution_kind: "bench".to_owned(),
            input_payload: b"{\"n\":1}".to_vec(),
            payload_encoding: Some("json".to_owned()),
            priority: 0,
            creator_identity: String::new(),
            idempotency_key: None,
            tags: HashMap::new(),
            policy: None,
            delay_until: None,
            execution_deadline_at: None,
            now: TimestampMs::from_millis(0),
        }
    }

    /// Creates executions, each durable by itself, from this many producers at once.
    ///
    /// # Errors
    /// As the backend.
    pub async fn create(&self, executions: u64, producers: u64) -> Result<(), EngineError> {
        let shares = (0..producers).map(|producer| async move {
            for _ in 0..share(executions, producers, producer) {
                self.backend.create_execution(self.args()).await?;
            }
            Ok::<(), EngineError>(())
        });
        try_join_all(shares).await.map(|_| ())
    }

    /// Creates executions in batches.
    ///
    /// # Errors
    /// As the backend.
    pub async fn create_in_batches(&self, executions: u64, size: u64) -> Result<(), EngineError> {
        let mut left = executions;
        while left > 0 {
            let batch = (0..left.min(size)).map(|_| self.args()).collect();
            self.backend.create_executions(batch).await?;
            left -= left.min(size);
        }
        Ok(())
    }

    /// Claims executions one by one.
    ///
    /// # Errors
    /// As the backend.
    pub async fn claim(&self, executions: u64) -> Result<(), EngineError> {
        for _ in 0..executions {
            self.backend.claim(&lane(), &CapabilitySet::default(), policy(0)).await?;
        }
        Ok(())
    }

    /// Creates, claims and completes executions with single calls, from this many workers at once.
    ///
    /// # Errors
    /// As the backend.
    pub async fn lifecycle(&self, executions: u64, workers: u64) -> Result<(), EngineError> {
        let shares = (0..workers).map(|worker| async move {
            for _ in 0..share(executions, workers, worker) {
                self.backend.create_execution(self.args()).await?;
                let (lane, offered) = (lane(), CapabilitySet::default());
                if let Some(handle) = self.backend.claim(&lane, &offered, policy(worker)).await? {
                    self.backend.complete(&handle, None).await?;
                }
            }
            Ok::<(), EngineError>(())
        });
        try_join_all(shares).await.map(|_| ())
    }

    /// Creates, claims and completes executions in batches.
    ///
    /// # Errors
    /// As the backend.
    pub async fn lifecycle_in_batches(
        &self,
        executions: u64,
        size: u32,
    ) -> Result<(), EngineError> {
        let mut left = executions;
        while left > 0 {
            let now = left.min(u64::from(size));
            self.create_in_batches(now, now).await?;
            let claimed = self.backend.claim_batch(claim(size)).await?;
            let batch = claimed
                .into_iter()
                .map(|claimed| Completion { handle: claimed.handle, result: None })
                .collect();
            for answer in self.backend.complete_batch(batch).await? {
                answer?;
            }
            left -= now;
        }
        Ok(())
    }
}

fn lane() -> LaneId {
    LaneId::new("bench")
}

fn policy(worker: u64) -> ClaimPolicy {
    let instance = WorkerInstanceId::new(format!("bench-{worker}"));
    ClaimPolicy::new(WorkerId::new("bench"), instance, LEASE_TTL_MS, None)
}

fn claim(max: u32) -> ClaimBatchArgs {
    let capabilities = CapabilitySet::default();
    ClaimBatchArgs { lanes: vec![lane()], capabilities, policy: policy(0), max }
}

/// What one of several takes of the whole, the first ones the rest.
fn share(whole: u64, parts: u64, part: u64) -> u64 {
    whole / parts + u64::from(part < whole % parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for whole in 0..20 {
            assert_eq!((0..7).map(|part| share(whole, 7, part)).sum::<u64>(), whole);
        }
    }

    #[tokio::test]
    async fn the_work_that_is_measured_is_done() {
        let bench = Bench::open(Store::Sqlite).await.unwrap();
        bench.lifecycle(10, 4).await.unwrap();
        bench.lifecycle_in_batches(10, 4).await.unwrap();
        let counts = bench.backend.count_executions(&Default::default()).await.unwrap();
        assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 20);
        assert!(counts.iter().all(|count| count.public_state.is_finished()));
    }
}
