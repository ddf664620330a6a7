//! The backend: construction, and delegation to the module of each area.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailOutcome, FailureClass,
    FailureReason, Handle, LeaseRenewal,
};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace, TimestampMs};
use ff_sql::wake_ups::WakeUps;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::config::SqliteConfig;
use crate::execution::Batchers;
use crate::lanes::KnownLanes;
use crate::location::Location;
use crate::writer::{Surroundings, Writer};
use crate::{LABEL, admin, claim, event, execution, flow, lease, operator, pool, timer, worker};

/// Durable executions in a SQLite database inside the process.
pub struct SqliteBackend {
    pub(crate) config: SqliteConfig,
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) wake_ups: WakeUps,
    pub(crate) batchers: Batchers,
    pub(crate) lanes: KnownLanes,
    /// Whether the last claim found something, or a wake-up came since.
    pub(crate) expects_work: AtomicBool,
    options: SqliteConnectOptions,
    foreign: OnceLock<SqlitePool>,
}

impl SqliteBackend {
    /// Opens or creates the database, migrates it, and returns.
    ///
    /// `url` is a path, a `sqlite:` URL, `:memory:`, or `file:NAME?mode=memory&cache=shared` for an
    /// in-memory database that only this process has.
    ///
    /// # Errors
    /// `Open` when the text names no database, the directory is missing, the file is not a database or
    /// cannot be opened or written, or a newer program has migrated it; `Contention(StoreBusy)` when
    /// other processes kept it locked for longer than [`SqliteConfig::busy_timeout`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ff_core::engine_error::EngineError> {
    /// use ff_backend_sqlite::SqliteBackend;
    /// use ff_core::engine_backend::EngineBackend;
    ///
    /// let backend = SqliteBackend::new(":memory:").await?;
    /// backend.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new(url: &str) -> Result<Arc<Self>, EngineError> {
        Self::open(url, SqliteConfig::default()).await
    }

    /// As [`new`](Self::new), set up otherwise than by default.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn open(url: &str, config: SqliteConfig) -> Result<Arc<Self>, EngineError> {
        let location = Location::parse(url)?;
        let connections = pool::open(&location, &config).await?;
        let wake_ups = WakeUps::default();
        let surroundings = Surroundings {
            wake_ups: wake_ups.clone(),
            clock: Arc::clone(&config.clock),
            instance_tag_path: config.instance_tag_path(),
            patience: config.busy_timeout,
        };
        let writer = Writer::start(connections.writer, surroundings)?;
        let lanes = KnownLanes::default();
        Ok(Arc::new(Self {
            config,
            batchers: Batchers::of(&writer, &lanes),
            writer,
            readers: connections.readers,
            wake_ups,
            lanes,
            expects_work: AtomicBool::new(false),
            options: connections.options,
            foreign: OnceLock::new(),
        }))
    }

    /// Creates an execution inside the caller's own transaction: it is there if and only if the caller
    /// commits (EXEC-5). Workers of this process notice it at their next poll, within 100 ms.
    ///
    /// Begin the transaction by the driver's `begin` or `begin_with`, not by a statement, so that it knows
    /// of it; and with `BEGIN IMMEDIATE` when it reads before it writes, or SQLite may refuse the write.
    ///
    /// # Errors
    /// As [`EngineBackend::create_execution`]; the caller's transaction stays usable.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use ff_core::{contracts::CreateExecutionArgs, partition::PartitionConfig, types::*};
    /// # let args = CreateExecutionArgs {
    /// #     execution_id: ExecutionId::solo(&LaneId::new("mail"), &PartitionConfig::single()),
    /// #     namespace: Namespace::new("default"), lane_id: LaneId::new("mail"),
    /// #     execution_kind: "send".into(), input_payload: vec![], payload_encoding: None, priority: 0,
    /// #     creator_identity: "".into(), idempotency_key: None, tags: Default::default(), policy: None,
    /// #     delay_until: None, execution_deadline_at: None, partition_id: 0, now: TimestampMs::now(),
    /// # };
    /// use ff_backend_sqlite::SqliteBackend;
    /// use sqlx::sqlite::SqliteConnectOptions;
    /// use sqlx::{ConnectOptions, Connection};
    ///
    /// let database = "file:orders?mode=memory&cache=shared";
    /// let backend = SqliteBackend::new(database).await?;
    /// let mut conn = SqliteConnectOptions::new().filename(database).connect().await?;
    /// let mut transaction = conn.begin().await?;
    /// // ... the caller's own writes ...
    /// backend.create_execution_in(&mut transaction, args).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_execution_in(
        &self,
        conn: &mut sqlx::SqliteConnection,
        args: CreateExecutionArgs,
    ) -> Result<CreateExecutionResult, EngineError> {
        execution::create_in(self, conn, args).await
    }

    /// A pool that reads and writes raw rows, for tests.
    #[doc(hidden)]
    pub fn pool_for_test(&self) -> &SqlitePool {
        self.foreign.get_or_init(|| {
            SqlitePoolOptions::new().max_connections(2).connect_lazy_with(self.options.clone())
        })
    }
}

#[async_trait]
impl EngineBackend for SqliteBackend {
    async fn create_execution(
        &self,
        args: CreateExecutionArgs,
    ) -> Result<CreateExecutionResult, EngineError> {
        execution::create(self, args).await
    }

    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Result<Vec<CreateExecutionResult>, EngineError> {
        execution::create_batch(self, batch).await
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Result<(), EngineError> {
        execution::complete(self, handle, result).await
    }

    async fn complete_batch(
        &self,
        batch: Vec<Completion>,
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        execution::complete_batch(self, batch).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Result<FailOutcome, EngineError> {
        execution::fail(self, Failure { handle: handle.clone(), reason, class }).await
    }

    async fn fail_batch(
        &self,
        batch: Vec<Failure>,
    ) -> Result<Vec<Result<FailOutcome, EngineError>>, EngineError> {
        execution::fail_batch(self, batch).await
    }

    async fn describe_execution(
        &self,
        execution_id: &ExecutionId,
    ) -> Result<Option<ExecutionSnapshot>, EngineError> {
        execution::describe(self, execution_id).await
    }

    async fn list_attempts(&self, execution_id: &ExecutionId) -> Result<Vec<Attempt>, EngineError> {
        execution::list_attempts(self, execution_id).await
    }

    async fn read_outcomes(
        &self,
        execution_ids: &[ExecutionId],
    ) -> Result<Vec<Option<ExecutionOutcome>>, EngineError> {
        execution::read_outcomes(self, execution_ids).await
    }

    async fn read_execution_context(
        &self,
        execution_id: &ExecutionId,
    ) -> Result<ExecutionContext, EngineError> {
        execution::read_context(self, execution_id).await
    }

    async fn list_executions(
        &self,
        filter: &ExecutionFilter,
        after: Option<ExecutionsCursor>,
        limit: u32,
    ) -> Result<ExecutionPage, EngineError> {
        execution::list(self, filter, after, limit).await
    }

    async fn count_executions(
        &self,
        filter: &ExecutionFilter,
    ) -> Result<Vec<ExecutionCount>, EngineError> {
        execution::count(self, filter).await
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Result<Option<Handle>, EngineError> {
        claim::claim(self, lane, capabilities, policy).await
    }

    async fn claim_batch(
        &self,
        args: ClaimBatchArgs,
    ) -> Result<Vec<ClaimedExecution>, EngineError> {
        claim::claim_batch(self, args).await
    }

    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        lease::renew(self, handle).await
    }

    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        lease::renew_batch(self, handles).await
    }

    async fn progress(&self, handle: &Handle, progress: Value) -> Result<(), EngineError> {
        lease::progress(self, handle, progress).await
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Result<(), EngineError> {
        lease::delay(self, handle, until).await
    }

    async fn check_leases(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        lease::check(self, handles).await
    }

    async fn revoke_lease(&self, args: RevokeLeaseArgs) -> Result<RevokeLeaseResult, EngineError> {
        lease::revoke(self, args).await
    }

    async fn list_expired_leases(
        &self,
        args: ListExpiredLeasesArgs,
    ) -> Result<ListExpiredLeasesResult, EngineError> {
        lease::list_expired(self, args).await
    }

    async fn cancel_execution(
        &self,
        args: CancelExecutionArgs,
    ) -> Result<CancelExecutionResult, EngineError> {
        operator::cancel(self, args).await
    }

    async fn change_priority(
        &self,
        args: ChangePriorityArgs,
    ) -> Result<ChangePriorityResult, EngineError> {
        operator::change_priority(self, args).await
    }

    async fn replay_execution(
        &self,
        args: ReplayExecutionArgs,
    ) -> Result<ReplayExecutionResult, EngineError> {
        operator::replay(self, args).await
    }

    async fn create_flow(&self, args: CreateFlowArgs) -> Result<CreateFlowResult, EngineError> {
        flow::create(self, args).await
    }

    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Result<AddExecutionToFlowResult, EngineError> {
        flow::add_member(self, args).await
    }

    async fn describe_flow(&self, flow_id: &FlowId) -> Result<Option<FlowSnapshot>, EngineError> {
        flow::describe(self, flow_id).await
    }

    async fn list_flows(&self, args: ListFlowsArgs) -> Result<ListFlowsResult, EngineError> {
        flow::list(self, args).await
    }

    async fn list_flow_members(
        &self,
        flow_id: &FlowId,
        after: Option<&ExecutionId>,
        limit: u32,
    ) -> Result<Vec<ExecutionSnapshot>, EngineError> {
        flow::list_members(self, flow_id, after, limit).await
    }

    async fn cancel_flow(
        &self,
        flow_id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Result<CancelFlowResult, EngineError> {
        flow::cancel(self, flow_id, policy, wait).await
    }

    async fn cancel_flow_header(
        &self,
        args: CancelFlowArgs,
    ) -> Result<CancelFlowHeader, EngineError> {
        flow::cancel_header(self, args).await
    }

    async fn ack_cancel_member(
        &self,
        flow_id: &FlowId,
        execution_id: &ExecutionId,
    ) -> Result<(), EngineError> {
        flow::ack(self, flow_id, execution_id).await
    }

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Result<ScanReport, EngineError> {
        timer::reconcile(self, task, limit).await
    }

    async fn list_execution_events(
        &self,
        execution_id: &ExecutionId,
    ) -> Result<Vec<ExecutionEvent>, EngineError> {
        event::list_of_execution(self, execution_id).await
    }

    async fn read_events(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EngineError> {
        event::read(self, stream, after, limit).await
    }

    async fn register_worker(
        &self,
        args: RegisterWorkerArgs,
    ) -> Result<RegisterWorkerOutcome, EngineError> {
        worker::register(self, args).await
    }

    async fn heartbeat_worker(
        &self,
        args: HeartbeatWorkerArgs,
    ) -> Result<HeartbeatWorkerOutcome, EngineError> {
        worker::heartbeat(self, args).await
    }

    async fn mark_worker_dead(
        &self,
        args: MarkWorkerDeadArgs,
    ) -> Result<MarkWorkerDeadOutcome, EngineError> {
        worker::mark_dead(self, args).await
    }

    async fn list_workers(&self, args: ListWorkersArgs) -> Result<ListWorkersResult, EngineError> {
        worker::list(self, args).await
    }

    async fn list_lanes(&self) -> Result<Vec<LaneInfo>, EngineError> {
        admin::list_lanes(self).await
    }

    async fn pause_lane(&self, lane: &LaneId) -> Result<(), EngineError> {
        admin::pause_lane(self, lane).await
    }

    async fn resume_lane(&self, lane: &LaneId) -> Result<(), EngineError> {
        admin::resume_lane(self, lane).await
    }

    async fn set_retention(
        &self,
        namespace: &Namespace,
        retention: Option<Duration>,
    ) -> Result<(), EngineError> {
        admin::set_retention(self, namespace, retention).await
    }

    async fn ping(&self) -> Result<(), EngineError> {
        admin::ping(self).await
    }

    async fn now(&self) -> Result<TimestampMs, EngineError> {
        Ok(self.config.clock.now())
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), EngineError> {
        admin::shutdown(self).await
    }

    fn partition_config(&self) -> PartitionConfig {
        PartitionConfig::single()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new([
            Area::Execution,
            Area::Claim,
            Area::Lease,
            Area::Operator,
            Area::Flow,
            Area::Timer,
            Area::Event,
            Area::Worker,
            Area::Admin,
        ])
    }

    fn backend_label(&self) -> &'static str {
        LABEL
    }
}

impl SqliteBackend {
    pub(crate) async fn close_pools(&self) {
        self.readers.close().await;
        if let Some(pool) = self.foreign.get() {
            pool.close().await;
        }
    }
}
