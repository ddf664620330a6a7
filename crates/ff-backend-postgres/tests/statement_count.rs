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
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailureClass, FailureReason,
    Handle,
};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::{
    CancelFlowArgs, CancelFlowResult, ClaimBatchArgs, Completion, CreateExecutionArgs,
    CreateFlowArgs, Failure, ReconcileTask,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::types::{
    ExecutionId, FlowId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId,
};
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
        expected.assert_eq(&self.take().join(", "));
    }

    /// Which statements ran since the last call.
    fn take(&self) -> Vec<String> {
        let statements = self.log.all();
        let names = statements.iter().map(|text| match self.files.get(text.trim()) {
            Some(name) => name.clone(),
            None => text.split([' ', ';']).next().unwrap().to_owned(),
        });
        let names = names.collect();
        self.log.clear();
        names
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

/// An open flow with members, of which one is held and the others wait.
async fn given_flow(backend: &PostgresBackend, members: usize) -> FlowId {
    let flow_id = FlowId::new();
    let create = CreateFlowArgs {
        flow_id,
        flow_kind: "kind".to_owned(),
        namespace: Namespace::new("default"),
        tags: HashMap::new(),
        now: NOW,
    };
    backend.create_flow(create).await.unwrap();
    let config = PartitionConfig::default();
    let member =
        || CreateExecutionArgs { execution_id: ExecutionId::for_flow(&flow_id, &config), ..args() };
    backend.create_executions((0..members).map(|_| member()).collect()).await.unwrap();
    claim(backend).await.unwrap();
    let add = "UPDATE ff_exec_core SET flow_id = $1 \
               WHERE flow_id IS NULL AND lifecycle_phase IN ('submitted', 'active')";
    sqlx::query(add).bind(flow_id.0).execute(backend.pool_for_test()).await.unwrap();
    flow_id
}

/// A flow and its members.
const CANCELLED: [&str; 10] = [
    "BEGIN",
    "flow/load",
    "flow/apply",
    "flow/find_members",
    "execution/lock",
    "execution/load",
    "execution/apply",
    "lease/apply",
    "event/append_lease",
    "event/append_completion",
];

const DRAINED: [&str; 6] = [
    "timer/find_abandoned",
    "BEGIN",
    "timer/find_abandoned",
    "flow/ack_member",
    "flow/close_backlog",
    "COMMIT",
];

/// FLOW-9.
async fn flows_are_cancelled_in_as_many_statements_however_large(
    statements: &Statements,
    backend: &PostgresBackend,
) {
    for members in [2, 10_000] {
        let flow_id = given_flow(backend, members).await;
        statements.log.clear();
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
        let cancelled = backend.cancel_flow(&flow_id, policy, wait).await.unwrap();
        assert_eq!(cancelled_members(&cancelled), members);
        assert_eq!(statements.take(), [&CANCELLED[..], &["COMMIT"]].concat());

        let flow_id = given_flow(backend, members).await;
        statements.log.clear();
        let args = CancelFlowArgs {
            flow_id,
            reason: "enough".to_owned(),
            cancellation_policy: "cancel_all".to_owned(),
            now: NOW,
        };
        backend.cancel_flow_header(args.clone()).await.unwrap();
        let recorded =
            ["flow/open_backlog", "flow/add_to_backlog", "event/append_flow_operator", "COMMIT"];
        assert_eq!(statements.take(), [&CANCELLED[..], &recorded].concat());
        backend.cancel_flow_header(args).await.unwrap();
        assert_eq!(statements.take(), ["BEGIN", "flow/load", "flow/list_backlog", "COMMIT"]);
        let report = backend.reconcile(ReconcileTask::DrainCancelBacklog, 10_000).await.unwrap();
        assert_eq!(report.processed as usize, members);
        assert_eq!(statements.take(), DRAINED);
    }
}

fn cancelled_members(result: &CancelFlowResult) -> usize {
    match result {
        CancelFlowResult::Cancelled { member_execution_ids, .. } => member_execution_ids.len(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn operations_are_as_many_statements_however_many_executions_they_are_for() {
    let statements = Statements::new();
    let database = Database::migrated().await;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::starting_at(NOW));
    let config = PostgresConfig { clock: Some(clock), listen: false, ..PostgresConfig::default() };
    let backend = PostgresBackend::connect_with(&database.url(), config).await.unwrap();
    backend.ping().await.unwrap();
    statements.log.clear();
    hot_operations_are_one_statement(&statements, &backend).await;
    flows_are_cancelled_in_as_many_statements_however_large(&statements, &backend).await;
}

async fn hot_operations_are_one_statement(statements: &Statements, backend: &PostgresBackend) {
    assert!(claim(backend).await.is_none());
    statements.assert(expect!["claim/pick"]);

    backend.create_execution(args()).await.unwrap();
    statements.assert(expect!["execution/create"]);
    let handle = claim(backend).await.unwrap();
    statements.assert(expect!["claim/pick"]);
    backend.renew(&handle).await.unwrap();
    statements.assert(expect!["lease/renew"]);
    backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();
    statements.assert(expect!["execution/complete"]);

    backend.create_executions((0..100).map(|_| args()).collect()).await.unwrap();
    statements.assert(expect!["execution/create"]);
    let mut handles = claim_batch(backend, 100).await;
    statements.assert(expect!["claim/pick"]);
    backend.renew_batch(&handles).await.unwrap();
    statements.assert(expect!["lease/renew"]);
    backend.check_leases(&handles).await.unwrap();
    statements.assert(expect!["execution/find"]);
    let failed: Vec<Handle> = handles.split_off(50);
    let batch = handles.into_iter().map(|handle| Completion { handle, result: None }).collect();
    backend.complete_batch(batch).await.unwrap();
    statements.assert(expect!["execution/complete"]);
    backend.fail_batch(failed.into_iter().map(boom).collect()).await.unwrap();
    statements.assert(expect!["execution/find, execution/settle"]);
}
