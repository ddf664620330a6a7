//! What the tests of this backend share.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod cuttable;
pub(crate) mod database;
pub(crate) mod proxy;

use std::collections::HashMap;
use std::sync::Arc;

use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::{
    AddExecutionToFlowArgs, CancelExecutionArgs, CancelFlowArgs, CreateExecutionArgs,
    CreateFlowArgs, RegisterWorkerArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::partition::PartitionConfig;
use ff_core::types::{
    CancelSource, ExecutionId, FlowId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId,
};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

use database::Database;

pub(crate) const START: TimestampMs = TimestampMs::from_millis(1_700_000_000_000);
pub(crate) const TTL_MS: u32 = 30_000;

/// Looks after which something that must come is given up.
const PATIENCE: usize = 20_000;

/// A database of its own, with a clock that stands still.
pub(crate) struct Opened {
    pub(crate) backend: Arc<PostgresBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: Database,
}

pub(crate) async fn open() -> Opened {
    open_with(PostgresConfig::default()).await
}

/// As [`open`], set up otherwise than by default.
pub(crate) async fn open_with(config: PostgresConfig) -> Opened {
    let database = Database::migrated().await;
    let clock = Arc::new(ManualClock::starting_at(START));
    let given = Some(Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>);
    let config = PostgresConfig { clock: given, ..config };
    let backend = PostgresBackend::connect_with(&database.url(), config).await.unwrap();
    Opened { backend, clock, database }
}

impl Opened {
    pub(crate) fn pool(&self) -> &PgPool {
        self.backend.pool_for_test()
    }

    /// Another backend on the same database, as another process has it.
    pub(crate) async fn beside(&self, config: PostgresConfig) -> Arc<PostgresBackend> {
        let clock = Some(Arc::<ManualClock>::clone(&self.clock) as Arc<dyn Clock>);
        let config = PostgresConfig { clock, ..config };
        PostgresBackend::connect_with(&self.database.url(), config).await.unwrap()
    }

    /// A connection past the backend.
    pub(crate) async fn session(&self) -> PgConnection {
        self.database.options().connect().await.unwrap()
    }

    /// Runs statements past the rules.
    pub(crate) async fn execute(&self, statements: &str) {
        execute(&mut self.session().await, statements).await;
    }

    /// Creates an execution.
    pub(crate) async fn create(&self) -> ExecutionId {
        let args = args();
        let id = args.execution_id.clone();
        self.backend.create_execution(args).await.unwrap();
        id
    }

    /// Creates a flow with members, in the order of their ids.
    pub(crate) async fn create_flow(&self, members: usize) -> (FlowId, Vec<ExecutionId>) {
        let args = flow_args();
        let flow_id = args.flow_id;
        self.backend.create_flow(args).await.unwrap();
        let mut ids = Vec::new();
        for _ in 0..members {
            let args = member_args(&flow_id);
            let execution_id = args.execution_id.clone();
            self.backend.create_execution(args).await.unwrap();
            ids.push(execution_id.clone());
            let add = AddExecutionToFlowArgs { flow_id, execution_id, now: START };
            self.backend.add_execution_to_flow(add).await.unwrap();
        }
        ids.sort_by_key(ExecutionId::uuid);
        (flow_id, ids)
    }

    /// The names of an execution's events, in the order in which they happened, each after its stream's.
    pub(crate) async fn events(&self, id: &ExecutionId) -> Vec<String> {
        let events = self.backend.list_execution_events(id).await.unwrap();
        events.iter().map(|event| format!("{} {}", event.stream, event.name)).collect()
    }

    /// What the first column of a statement's only row holds, as text.
    pub(crate) async fn read_text(&self, statement: &str) -> String {
        let select =
            format!("SELECT (row_to_json(r) ->> 'text') AS text FROM ({statement}) AS r (text)");
        let row = sqlx::query(AssertSqlSafe(select)).fetch_one(&mut self.session().await).await;
        row.unwrap().get::<Option<String>, _>("text").unwrap_or_default()
    }

    /// Asserts that no two operations have waited for one another: the server undoes one of them, and the
    /// backend runs it again.
    pub(crate) async fn assert_no_deadlock(self) {
        self.backend.shutdown().await.unwrap();
        let mut session = self.session().await;
        let count = "SELECT deadlocks, numbackends FROM pg_stat_database \
                     WHERE datname = current_database()";
        loop {
            // A server process reports its share before it ends.
            let row = sqlx::query(count).fetch_one(&mut session).await.unwrap();
            if row.get::<i32, _>("numbackends") == 1 {
                assert_eq!(row.get::<i64, _>("deadlocks"), 0);
                return;
            }
        }
    }

    pub(crate) async fn claim(&self) -> Option<Handle> {
        claim(&self.backend).await
    }

    /// Returns when a statement on the database waits for a lock.
    pub(crate) async fn until_one_waits(&self) {
        let waiting = "SELECT 1 FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        self.until(waiting).await;
    }

    /// Returns when a statement finds something.
    pub(crate) async fn until(&self, statement: &str) {
        let mut session = self.session().await;
        let find = || sqlx::query(AssertSqlSafe(statement.to_owned()));
        let mut looks = 0;
        while find().fetch_optional(&mut session).await.unwrap().is_none() {
            looks += 1;
            assert!(looks < PATIENCE, "nothing is found by {statement}");
        }
    }
}

pub(crate) async fn execute(conn: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(conn).await.unwrap();
}

pub(crate) fn lane() -> LaneId {
    LaneId::new("default")
}

pub(crate) fn args() -> CreateExecutionArgs {
    CreateExecutionArgs {
        execution_id: ExecutionId::solo(&lane(), &PartitionConfig::default()),
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

pub(crate) fn keyed(key: &str) -> CreateExecutionArgs {
    CreateExecutionArgs { idempotency_key: Some(key.to_owned()), ..args() }
}

pub(crate) fn policy(instance: &str) -> ClaimPolicy {
    ClaimPolicy::new(WorkerId::new("worker"), WorkerInstanceId::new(instance), TTL_MS, None)
}

pub(crate) fn cancel_args(id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        reason: "enough".to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: START,
    }
}

pub(crate) fn flow_args() -> CreateFlowArgs {
    CreateFlowArgs {
        flow_id: FlowId::new(),
        flow_kind: "kind".to_owned(),
        namespace: Namespace::new("default"),
        tags: HashMap::new(),
        now: START,
    }
}

/// An execution that may be a member of the flow.
pub(crate) fn member_args(flow_id: &FlowId) -> CreateExecutionArgs {
    let execution_id = ExecutionId::for_flow(flow_id, &PartitionConfig::default());
    CreateExecutionArgs { execution_id, ..args() }
}

pub(crate) fn header_args(flow_id: &FlowId) -> CancelFlowArgs {
    CancelFlowArgs {
        flow_id: *flow_id,
        reason: "enough".to_owned(),
        cancellation_policy: "cancel_all".to_owned(),
        now: START,
    }
}

pub(crate) fn register_args(instance: &str) -> RegisterWorkerArgs {
    RegisterWorkerArgs::new(
        WorkerId::new("worker"),
        WorkerInstanceId::new(instance),
        [lane()].into_iter().collect(),
        ["gpu".to_owned()].into_iter().collect(),
        u64::from(TTL_MS),
        Namespace::new("default"),
        START,
    )
}

pub(crate) async fn claim(backend: &PostgresBackend) -> Option<Handle> {
    backend.claim(&lane(), &CapabilitySet::default(), policy("instance")).await.unwrap()
}
