//! What the tests of this backend share.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ff_backend_sqlite::{SqliteBackend, SqliteConfig};
use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::CreateExecutionArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};
use tempfile::TempDir;

pub(crate) const START: TimestampMs = TimestampMs::from_millis(1_700_000_000_000);
pub(crate) const TTL_MS: u32 = 30_000;

/// A backlog that what grows with it is felt in.
pub(crate) const MANY: i64 = 100_000;

/// A database file of its own, with a clock that stands still.
pub(crate) struct Opened {
    pub(crate) backend: Arc<SqliteBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

pub(crate) async fn open() -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let clock = Arc::new(ManualClock::starting_at(START));
    let backend = open_at(&path, Arc::<ManualClock>::clone(&clock)).await;
    Opened { backend, clock, path, _directory: directory }
}

pub(crate) async fn open_at(path: &std::path::Path, clock: Arc<dyn Clock>) -> Arc<SqliteBackend> {
    let config = SqliteConfig { clock, ..SqliteConfig::default() };
    SqliteBackend::open(path.to_str().unwrap(), config).await.unwrap()
}

pub(crate) fn lane() -> LaneId {
    LaneId::new("default")
}

pub(crate) fn args() -> CreateExecutionArgs {
    CreateExecutionArgs {
        execution_id: ExecutionId::solo(&lane(), &PartitionConfig::single()),
        namespace: Namespace::new("default"),
        lane_id: lane(),
        execution_kind: "kind".to_owned(),
        input_payload: b"payload".to_vec(),
        payload_encoding: None,
        priority: 0,
        creator_identity: String::new(),
        idempotency_key: None,
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 0,
        now: START,
    }
}

pub(crate) fn policy(instance: &str) -> ClaimPolicy {
    ClaimPolicy::new(WorkerId::new("worker"), WorkerInstanceId::new(instance), TTL_MS, None)
}

pub(crate) async fn claim(backend: &SqliteBackend) -> Option<Handle> {
    backend.claim(&lane(), &CapabilitySet::default(), policy("instance")).await.unwrap()
}

/// Stores executions in every state, their attempts and events, over 20 lanes.
pub(crate) async fn load_backlog(opened: &Opened, executions: i64) {
    let load = sqlx::query(include_str!("backlog.sql")).bind(executions);
    load.execute(opened.backend.pool_for_test()).await.unwrap();
}
