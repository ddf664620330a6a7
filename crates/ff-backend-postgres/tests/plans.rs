//! How PostgreSQL runs the statements of each operation on a large store: by which indexes, and how many
//! rows it reads for that. The server itself tells it, by its module `auto_explain`, of the statements
//! as the backend sends them. One test to the program: what the server tells is the whole program's.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/database.rs"]
mod database;
#[path = "common/explain.rs"]
mod explain;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use database::Database;
use explain::{Plans, Reads, statement_files, telling};
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailureClass, FailureReason,
    Handle,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::state::{PublicFlowState, PublicState};
use ff_core::types::{
    CancelSource, ExecutionId, FlowId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId,
};
use serde_json::Value;
use sqlx::AssertSqlSafe;

/// Later than anything in the backlog but what is delayed or has a deadline.
const NOW: TimestampMs = TimestampMs::from_millis(1_700_000_000_000);
const FEW: u32 = 2_000;
const MANY: u32 = 100_000;
/// As they are of tables that were analyzed when only dead rows were in them.
const EMPTY_STATISTICS: &str = "UPDATE pg_class SET reltuples = 0, relpages = greatest(relpages, 1) \
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i'); \
     DELETE FROM pg_statistic USING pg_class AS c \
     WHERE starelid = c.oid AND c.relnamespace = 'public'::regnamespace";

/// Statements that find rows by their keys, and do so also with empty statistics. By these all indexes look the
/// same for what looks for anything else.
const BY_KEY: &[&str] = &[
    "event/append_completion",
    "event/append_flow_operator",
    "event/append_lease",
    "event/append_operator",
    "event/list_of_execution",
    "execution/apply",
    "execution/complete",
    "execution/count",
    "execution/create",
    "execution/find",
    "execution/find_duplicates",
    "execution/list",
    "execution/list_attempts",
    "execution/load",
    "execution/lock",
    "execution/read_context",
    "execution/settle",
    "flow/add_member",
    "flow/apply",
    "flow/list_members",
    "flow/load",
    "lease/list_expired",
    "lease/renew",
    "timer/find_expired_leases",
    "timer/find_timed_out",
];

struct Bench {
    backend: Arc<PostgresBackend>,
    database: Database,
    plans: Plans,
    files: HashMap<String, String>,
    created: u32,
}

impl Bench {
    async fn open(plans: Plans) -> Self {
        let database = Database::migrated().await;
        let clock: Arc<dyn ff_core::clock::Clock> = Arc::new(ManualClock::starting_at(NOW));
        let config =
            PostgresConfig { clock: Some(clock), listen: false, ..PostgresConfig::default() };
        let url = telling(&database.url());
        let backend = PostgresBackend::connect_with(&url, config).await.unwrap();
        Self { backend, database, plans, files: statement_files(), created: 0 }
    }

    /// Past the backend, by a session that tells nothing.
    async fn execute(&self, statement: String) {
        let pool = sqlx::PgPool::connect_with(self.database.options()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
        pool.close().await;
    }

    async fn load(&mut self, executions: u32) {
        let backlog = include_str!("common/backlog.sql")
            .replace("{from}", &(self.created + 1).to_string())
            .replace("{to}", &executions.to_string());
        self.execute(backlog).await;
        self.created = executions;
    }

    /// What the statements read that ran since the last call, by file.
    fn take(&self) -> BTreeMap<String, Reads> {
        let mut reads: BTreeMap<String, Reads> = BTreeMap::new();
        for plan in self.plans.take() {
            let text = plan["Query Text"].as_str().unwrap().trim();
            if let Some(file) = self.files.get(text) {
                reads.entry(file.clone()).or_default().add(&plan["Plan"]);
            }
        }
        reads
    }

    /// A life of some executions, and all that maintenance and reads do beside it.
    async fn run_everything(&self) -> BTreeMap<String, Reads> {
        let backend = &self.backend;
        let mut batch: Vec<_> = (0..10).map(|_| args()).collect();
        backend.create_executions(batch.clone()).await.unwrap();
        batch.truncate(1);
        backend.create_executions(batch.clone()).await.unwrap();
        let mut handles = Vec::new();
        for lanes in [vec![LaneId::new("lane-3")], (0..20).map(lane).collect()] {
            let args = ClaimBatchArgs {
                lanes,
                capabilities: CapabilitySet::default(),
                policy: policy(),
                max: 10,
            };
            handles.extend(backend.claim_batch(args).await.unwrap().into_iter().map(|c| c.handle));
        }
        assert_eq!(handles.len(), 20);
        backend.renew_batch(&handles).await.unwrap();
        backend.check_leases(&handles).await.unwrap();
        self.operate(handles.pop().unwrap().execution_id()).await;
        self.finish(handles).await;
        self.run_flow().await;
        self.run_worker().await;
        for task in ReconcileTask::ALL {
            backend.reconcile(*task, 10).await.unwrap();
        }
        self.read(&batch[0].execution_id).await;
        self.take()
    }

    /// What operators do to an execution that is held.
    async fn operate(&self, id: &ExecutionId) {
        let backend = &self.backend;
        let revoke = RevokeLeaseArgs {
            execution_id: id.clone(),
            expected_lease_id: None,
            worker_instance_id: policy().worker_instance_id,
            reason: String::new(),
        };
        let revoked = backend.revoke_lease(revoke).await.unwrap();
        assert!(matches!(revoked, RevokeLeaseResult::Revoked { .. }));
        let change = ChangePriorityArgs {
            execution_id: id.clone(),
            new_priority: -1,
            lane_id: lane(3),
            now: NOW,
        };
        backend.change_priority(change).await.unwrap();
        backend.cancel_execution(cancel_args(id)).await.unwrap();
        let replay = ReplayExecutionArgs { execution_id: id.clone(), now: NOW };
        backend.replay_execution(replay).await.unwrap();
        backend.cancel_execution(cancel_args(id)).await.unwrap();
        backend.list_expired_leases(ListExpiredLeasesArgs::new(NOW)).await.unwrap();
    }

    /// A life of a flow with a member that is replayed, and lists of flows.
    async fn run_flow(&self) {
        let backend = &self.backend;
        let flow_id = FlowId::new();
        let create = CreateFlowArgs {
            flow_id,
            flow_kind: "kind".to_owned(),
            namespace: Namespace::new("default"),
            tags: HashMap::new(),
            now: NOW,
        };
        backend.create_flow(create).await.unwrap();
        let execution_id = ExecutionId::for_flow(&flow_id, &PartitionConfig::default());
        let member = CreateExecutionArgs { execution_id: execution_id.clone(), ..args() };
        backend.create_execution(member).await.unwrap();
        let add = AddExecutionToFlowArgs { flow_id, execution_id: execution_id.clone(), now: NOW };
        backend.add_execution_to_flow(add).await.unwrap();
        self.skip_and_replay(&execution_id).await;
        backend.describe_flow(&flow_id).await.unwrap().unwrap();
        backend.list_flow_members(&flow_id, None, 10).await.unwrap();
        let cancel = CancelFlowArgs {
            flow_id,
            reason: String::new(),
            cancellation_policy: "cancel_all".to_owned(),
            now: NOW,
        };
        backend.cancel_flow_header(cancel.clone()).await.unwrap();
        backend.cancel_flow_header(cancel).await.unwrap();
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
        backend.cancel_flow(&flow_id, policy, wait).await.unwrap();
        backend.ack_cancel_member(&flow_id, &execution_id).await.unwrap();
        let wait = CancelFlowWait::WaitIndefinite;
        backend.cancel_flow(&flow_id, policy, wait).await.unwrap();
        for state in [None, Some(PublicFlowState::Open)] {
            let mut args =
                ListFlowsArgs { public_flow_state: state, limit: Some(10), ..Default::default() };
            args.after = backend.list_flows(args.clone()).await.unwrap().cursor;
            assert!(args.after.is_some());
            backend.list_flows(args).await.unwrap();
        }
    }

    /// As if the flow had left its member out.
    async fn skip_and_replay(&self, id: &ExecutionId) {
        let uuid = id.uuid();
        let skip = format!(
            "UPDATE ff_exec_core SET lifecycle_phase = 'terminal', public_state = 'skipped' \
             WHERE execution_id = '{uuid}'; \
             INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, outcome) \
             VALUES ({}, '{uuid}', 0, 'skipped')",
            id.partition()
        );
        self.execute(skip).await;
        let replay = ReplayExecutionArgs { execution_id: id.clone(), now: NOW };
        let replayed = self.backend.replay_execution(replay).await.unwrap();
        let public_state = PublicState::WaitingChildren;
        assert_eq!(replayed, ReplayExecutionResult::Replayed { public_state });
    }

    /// A life of a worker process, and lists of them.
    async fn run_worker(&self) {
        let backend = &self.backend;
        let (namespace, instance) =
            (Namespace::new("default"), WorkerInstanceId::new("instance-1"));
        let (worker_id, lanes) = (WorkerId::new("worker"), Default::default());
        let ttl_ms = 1_000_000_000_000;
        let register = RegisterWorkerArgs::new(
            worker_id,
            instance.clone(),
            lanes,
            Default::default(),
            ttl_ms,
            namespace.clone(),
            NOW,
        );
        backend.register_worker(register.clone()).await.unwrap();
        let beat = HeartbeatWorkerArgs::new(instance.clone(), namespace.clone(), NOW);
        backend.heartbeat_worker(beat).await.unwrap();
        let dead = MarkWorkerDeadArgs::new(instance, namespace.clone(), String::new(), NOW);
        backend.mark_worker_dead(dead).await.unwrap();
        let mut lapsed = register;
        (lapsed.liveness_ttl_ms, lapsed.now) = (1, TimestampMs(1));
        backend.register_worker(lapsed).await.unwrap();
        for namespace in [None, Some(namespace)] {
            let mut args = ListWorkersArgs::new();
            (args.namespace, args.limit) = (namespace, Some(10));
            args.after = backend.list_workers(args.clone()).await.unwrap().cursor;
            backend.list_workers(args).await.unwrap();
        }
    }

    async fn finish(&self, mut handles: Vec<Handle>) {
        let backend = &self.backend;
        let failed = handles.pop().unwrap();
        backend.fail(&failed, FailureReason::new("boom"), FailureClass::Transient).await.unwrap();
        let delayed = handles.pop().unwrap();
        backend.progress(&delayed, Value::Null).await.unwrap();
        // It is due at once, and so promoted.
        backend.delay(&delayed, NOW).await.unwrap();
        let handles = handles.into_iter();
        let batch = handles.map(|handle| Completion { handle, result: None }).collect();
        for answer in backend.complete_batch(batch).await.unwrap() {
            answer.unwrap();
        }
    }

    async fn read(&self, id: &ExecutionId) {
        let backend = &self.backend;
        backend.describe_execution(id).await.unwrap().unwrap();
        backend.list_attempts(id).await.unwrap();
        backend.list_execution_events(id).await.unwrap();
        backend.read_execution_context(id).await.unwrap();
        for stream in [EventStream::Completion, EventStream::Lease, EventStream::Operator] {
            let first = backend.read_events(stream, None, 10).await.unwrap();
            if let Some(last) = first.last() {
                backend.read_events(stream, Some(last.cursor), 10).await.unwrap();
            }
        }
        let everything = ExecutionFilter::default();
        let page = backend.list_executions(&everything, None, 10).await.unwrap();
        backend.list_executions(&everything, page.cursor, 10).await.unwrap();
        // A count reads what it counts.
        let running =
            ExecutionFilter { public_state: Some(PublicState::Running), ..Default::default() };
        backend.count_executions(&running).await.unwrap();
        backend.list_lanes().await.unwrap();
    }
}

fn lane(number: u32) -> LaneId {
    LaneId::new(format!("lane-{number}"))
}

fn policy() -> ClaimPolicy {
    ClaimPolicy::new(WorkerId::new("worker"), WorkerInstanceId::new("instance"), 1_000_000, None)
}

fn cancel_args(id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        reason: String::new(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: NOW,
    }
}

fn args() -> CreateExecutionArgs {
    let lane_id = lane(3);
    let execution_id = ExecutionId::solo(&lane_id, &PartitionConfig::default());
    CreateExecutionArgs {
        idempotency_key: Some(execution_id.to_string()),
        execution_id,
        namespace: Namespace::new("default"),
        lane_id,
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

fn indexes(reads: &BTreeMap<String, Reads>) -> String {
    let mut text = String::new();
    for (file, Reads { indexes, scanned, .. }) in reads {
        let names: Vec<&str> = indexes.iter().chain(scanned).map(String::as_str).collect();
        text.push_str(&format!("{file}: {}\n", names.join(", ")));
    }
    text
}

#[tokio::test]
async fn every_statement_goes_by_an_index_and_reads_no_more_of_a_larger_store() {
    let plans = Plans::default();
    tracing::subscriber::set_global_default(plans.clone()).unwrap();
    let mut bench = Bench::open(plans).await;
    let retention = Some(Duration::from_millis(200_000_000_000));
    bench.backend.set_retention(&Namespace::new("default"), retention).await.unwrap();
    bench.load(FEW).await;
    bench.execute("ANALYZE".to_owned()).await;
    bench.take();
    let few = bench.run_everything().await;

    bench.load(MANY).await;
    // The statistics are those of the small store; a new session plans by them.
    bench = Bench { backend: Bench::reopened(&bench).await, ..bench };
    bench.take();
    let with_old_statistics = bench.run_everything().await;
    bench.execute(EMPTY_STATISTICS.to_owned()).await;
    bench = Bench { backend: Bench::reopened(&bench).await, ..bench };
    bench.take();
    let mut with_empty_statistics = bench.run_everything().await;
    with_empty_statistics.retain(|file, _| BY_KEY.contains(&file.as_str()));
    bench.execute("ANALYZE".to_owned()).await;
    bench = Bench { backend: Bench::reopened(&bench).await, ..bench };
    bench.take();
    let with_new_statistics = bench.run_everything().await;

    expect_test::expect![[r#"
        admin/list_lanes: ff_exec_core_listed
        claim/pick: ff_attempt_pkey, ff_exec_core_claimable, ff_exec_core_delayed_in_lane, Tid Scan of ff_exec_core
        event/append_completion: ff_exec_core_pkey
        event/append_flow_operator: ff_flow_core_pkey
        event/append_lease: ff_exec_core_pkey
        event/append_operator: ff_exec_core_pkey
        event/list_of_execution: ff_completion_event_execution, ff_lease_event_execution, ff_operator_event_execution
        event/read_completion: ff_completion_event_pkey
        event/read_lease: ff_lease_event_pkey
        event/read_operator: ff_operator_event_pkey
        execution/apply: ff_exec_core_pkey
        execution/complete: ff_attempt_pkey, ff_exec_core_pkey, Tid Scan of ff_attempt, Tid Scan of ff_exec_core
        execution/count: ff_exec_core_listed
        execution/create: ff_idempotency_pkey
        execution/find: ff_attempt_pkey, ff_exec_core_pkey
        execution/find_duplicates: ff_exec_core_pkey, ff_idempotency_pkey
        execution/list: ff_attempt_pkey, ff_exec_core_listed
        execution/list_attempts: ff_attempt_pkey, ff_exec_core_pkey
        execution/load: ff_attempt_pkey, ff_exec_core_pkey
        execution/lock: ff_exec_core_pkey
        execution/read_context: ff_exec_core_pkey
        execution/settle: ff_attempt_pkey, ff_exec_core_pkey, Tid Scan of ff_attempt, Tid Scan of ff_exec_core
        flow/ack_member: ff_cancel_backlog_member_execution
        flow/add_member: ff_exec_core_pkey
        flow/add_to_backlog: 
        flow/apply: ff_flow_core_pkey
        flow/close_backlog: ff_cancel_backlog_member_pkey, ff_cancel_backlog_pkey
        flow/create: 
        flow/describe: ff_flow_core_pkey
        flow/find_backlog: ff_cancel_backlog_member_pkey
        flow/find_members: ff_exec_core_members
        flow/list: ff_flow_core_listed, ff_flow_core_listed_in_state
        flow/list_backlog: ff_cancel_backlog_member_pkey, ff_exec_core_members
        flow/list_cancelled: ff_exec_core_members
        flow/list_members: ff_attempt_pkey, ff_exec_core_members
        flow/load: ff_flow_core_pkey
        flow/lock_backlog: ff_cancel_backlog_pkey
        flow/open_backlog: 
        flow/raise_revision: ff_flow_core_pkey
        flow/reset_edge_group: ff_edge_group_pkey
        lease/apply: 
        lease/list_expired: ff_attempt_pkey, ff_exec_core_active
        lease/renew: ff_attempt_pkey, ff_exec_core_pkey, Tid Scan of ff_attempt
        timer/find_abandoned: ff_attempt_pkey, ff_cancel_backlog_member_pkey, ff_cancel_backlog_pkey, ff_exec_core_members
        timer/find_due: ff_exec_core_delayed, ff_exec_core_submitted
        timer/find_expired_leases: ff_attempt_pkey, ff_exec_core_active
        timer/find_past_deadline: ff_exec_core_deadline
        timer/find_past_retention: ff_exec_core_finished
        timer/find_timed_out: ff_attempt_pkey, ff_exec_core_active
        worker/append_event: 
        worker/find_lapsed: 
        worker/list: 
        worker/load: ff_worker_registry_event_instance
        worker/lock: 
        worker/put: 
        worker/remove: 
    "#]].assert_eq(&indexes(&with_new_statistics));
    assert_eq!(indexes(&with_old_statistics), indexes(&with_new_statistics));
    assert_eq!(with_empty_statistics.len(), BY_KEY.len());
    for many in [with_old_statistics, with_empty_statistics, with_new_statistics] {
        for (file, reads) in &many {
            let before = few[file].rows;
            assert!(reads.rows <= before + before / 2 + 20, "{file}: {before}, then {reads:?}");
        }
    }
}

impl Bench {
    async fn reopened(&self) -> Arc<PostgresBackend> {
        let clock: Arc<dyn ff_core::clock::Clock> = Arc::new(ManualClock::starting_at(NOW));
        let config =
            PostgresConfig { clock: Some(clock), listen: false, ..PostgresConfig::default() };
        PostgresBackend::connect_with(&telling(&self.database.url()), config).await.unwrap()
    }
}
