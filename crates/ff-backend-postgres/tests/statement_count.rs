//! How many statements an operation costs, by the driver's own log. One test to the program: the log
//! is the whole program's.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/database.rs"]
mod database;
#[path = "../../ff-backend-sqlite/tests/common/statement_log.rs"]
mod statement_log;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use database::Database;
use expect_test::{Expect, expect};
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{CapabilitySet, ClaimPolicy, FailureClass, FailureReason, Handle};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::{ClaimBatchArgs, Completion, CreateExecutionArgs, Failure};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};
use statement_log::StatementLog;

const NOW: TimestampMs = TimestampMs::from_millis(1_700_000_000_000);

/// The log, with the names of the statement files for their texts.
struct Statements {
    log: StatementLog,
    files: HashMap<String, String>,
}

impl Statements {
    fn new() -> Self {
        let log = StatementLog::default();
        tracing::subscriber::set_global_default(log.clone()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let mut files = HashMap::new();
        for area in std::fs::read_dir(root).unwrap() {
            let area = area.unwrap().path();
            for file in std::fs::read_dir(&area).unwrap() {
                let path = file.unwrap().path();
                let [area, verb] = [&area, &path].map(|path| path.file_stem().unwrap().display());
                let name = format!("{area}/{verb}");
                files.insert(std::fs::read_to_string(&path).unwrap().trim().to_owned(), name);
            }
        }
        Self { log, files }
    }

    /// Asserts which statements ran since the last call.
    fn assert(&self, expected: Expect) {
        let statements = self.log.all();
        let names = statements.iter().map(|text| match self.files.get(text.trim()) {
            Some(name) => name.clone(),
            None => text.split([' ', ';']).next().unwrap().to_owned(),
        });
        expected.assert_eq(&names.collect::<Vec<_>>().join(", "));
        self.log.clear();
    }
}

fn lane() -> LaneId {
    LaneId::new("default")
}

fn args() -> CreateExecutionArgs {
    let execution_id = ExecutionId::solo(&lane(), &PartitionConfig::default());
    CreateExecutionArgs {
        idempotency_key: Some(execution_id.to_string()),
        execution_id,
        namespace: Namespace::new("default"),
        lane_id: lane(),
        execution_kind: "kind".to_owned(),
        input_payload: b"payload".to_vec(),
        payload_encoding: None,
        priority: 0,
        creator_identity: String::new(),
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 0,
        now: NOW,
    }
}

fn policy() -> ClaimPolicy {
    ClaimPolicy::new(WorkerId::new("worker"), WorkerInstanceId::new("instance"), 1_000, None)
}

async fn claim(backend: &PostgresBackend) -> Option<Handle> {
    backend.claim(&lane(), &CapabilitySet::default(), policy()).await.unwrap()
}

async fn claim_batch(backend: &PostgresBackend, max: u32) -> Vec<Handle> {
    let capabilities = CapabilitySet::default();
    let args = ClaimBatchArgs { lanes: vec![lane()], capabilities, policy: policy(), max };
    let claimed = backend.claim_batch(args).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.handle).collect()
}

fn boom(handle: Handle) -> Failure {
    Failure { handle, reason: FailureReason::new("boom"), class: FailureClass::Transient }
}

#[tokio::test]
async fn hot_operations_are_one_statement_however_many_executions_they_are_for() {
    let statements = Statements::new();
    let database = Database::migrated().await;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::starting_at(NOW));
    let config = PostgresConfig { clock: Some(clock), listen: false, ..PostgresConfig::default() };
    let backend = PostgresBackend::connect_with(&database.url(), config).await.unwrap();
    backend.ping().await.unwrap();
    statements.log.clear();

    assert!(claim(&backend).await.is_none());
    statements.assert(expect!["claim/pick"]);

    backend.create_execution(args()).await.unwrap();
    statements.assert(expect!["execution/create"]);
    let handle = claim(&backend).await.unwrap();
    statements.assert(expect!["claim/pick"]);
    backend.renew(&handle).await.unwrap();
    statements.assert(expect!["lease/renew"]);
    backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();
    statements.assert(expect!["execution/complete"]);

    backend.create_executions((0..100).map(|_| args()).collect()).await.unwrap();
    statements.assert(expect!["execution/create"]);
    let mut handles = claim_batch(&backend, 100).await;
    statements.assert(expect!["claim/pick"]);
    backend.renew_batch(&handles).await.unwrap();
    statements.assert(expect!["lease/renew"]);
    let failed: Vec<Handle> = handles.split_off(50);
    let batch = handles.into_iter().map(|handle| Completion { handle, result: None }).collect();
    backend.complete_batch(batch).await.unwrap();
    statements.assert(expect!["execution/complete"]);
    backend.fail_batch(failed.into_iter().map(boom).collect()).await.unwrap();
    statements.assert(expect!["execution/find, execution/settle"]);
}
