//! The backend: construction, and delegation to the module of each area.

use std::sync::Arc;
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
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::config::PostgresConfig;
use crate::execution::Batchers;
use crate::notify::Notifier;
use crate::pool::{Connections, Losses};
use crate::queue_heads::QueueHeads;
use crate::time::Time;
use crate::{LABEL, admin, claim, event, execution, flow, lease, migrate, operator, timer, worker};

/// Durable executions in a PostgreSQL database that a fleet shares.
pub struct PostgresBackend {
    pub(crate) config: PostgresConfig,
    pub(crate) connections: Connections,
    pub(crate) time: Time,
    pub(crate) notifier: Notifier,
    pub(crate) queue_heads: QueueHeads,
    pub(crate) batchers: Batchers,
}

impl PostgresBackend {
    /// Connects, migrates the database, and returns.
    ///
    /// `url` is `postgres://user:password@host:port/database`, with the parameters that the driver reads,
    /// such as `sslmode`. What it leaves out is taken from the environment (`PGHOST`, `PGPASSWORD`...).
    ///
    /// # Errors
    /// `Open` within [`PostgresConfig::connect_timeout`]: the URL cannot be read, no server answers, it
    /// refuses the user, has no such database, is older than PostgreSQL 14 or takes no writes, the user may
    /// not create tables, or a newer program has migrated the database.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), ff_core::engine_error::EngineError> {
    /// use ff_backend_postgres::PostgresBackend;
    /// use ff_core::engine_backend::EngineBackend;
    ///
    /// let backend = PostgresBackend::connect("postgres://ff@db.example/jobs").await?;
    /// backend.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Arc<Self>, EngineError> {
        Self::connect_with(url, PostgresConfig::default()).await
    }

    /// As [`connect`](Self::connect), set up otherwise than by default.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, config: PostgresConfig) -> Result<Arc<Self>, EngineError> {
        let (opened, _) = migrate::open(url, &config).await?;
        let transaction_pooler = config.transaction_pooler || opened.transaction_pooler;
        let config = PostgresConfig { transaction_pooler, ..config };
        let backend = Self::assemble(opened.pool, opened.losses, config);
        backend.now().await?;
        Ok(backend)
    }

    /// A backend on a pool that the program already has. It does not migrate: call
    /// [`apply_migrations`](crate::apply_migrations) first, or
    /// [`prepare`](EngineBackend::prepare).
    ///
    /// Every program on one database must be told the same partitions. The pool's sessions are left as they
    /// are: claims are several times faster where they have `plan_cache_mode` set to `force_generic_plan`, as
    /// those of [`connect`](Self::connect) have.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use ff_backend_postgres::{PostgresBackend, apply_migrations};
    /// use ff_core::partition::PartitionConfig;
    ///
    /// let pool = sqlx::PgPool::connect("postgres://ff@db.example/jobs").await?;
    /// apply_migrations(&pool).await?;
    /// let backend = PostgresBackend::from_pool(pool, PartitionConfig::default());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_pool(pool: PgPool, partitions: PartitionConfig) -> Arc<Self> {
        Self::from_pool_with(pool, PostgresConfig { partitions, ..PostgresConfig::default() })
    }

    /// As [`from_pool`](Self::from_pool), set up otherwise than by default. Outside a Tokio runtime it
    /// does not listen.
    pub fn from_pool_with(pool: PgPool, config: PostgresConfig) -> Arc<Self> {
        Self::assemble(pool, Losses::default(), config)
    }

    fn assemble(pool: PgPool, losses: Losses, config: PostgresConfig) -> Arc<Self> {
        let can_listen = tokio::runtime::Handle::try_current().is_ok();
        let notifier = if config.listen && !config.transaction_pooler && can_listen {
            Notifier::listening(pool.clone())
        } else {
            Notifier::local()
        };
        let connections = Connections::new(pool, losses, &config);
        let time = Time::new(&config);
        Arc::new_cyclic(|backend| Self {
            config,
            connections,
            time,
            notifier,
            queue_heads: QueueHeads::default(),
            batchers: Batchers::of(backend),
        })
    }

    /// Creates an execution inside the caller's own transaction: it is there if and only if the caller
    /// commits (EXEC-5). Workers notice it at their next poll, within 100 ms.
    ///
    /// Begin the transaction by the driver's `begin`, not by a statement, so that it knows of it.
    ///
    /// # Errors
    /// As [`EngineBackend::create_execution`]; the caller's transaction stays usable. It waits for a creation
    /// beside it that takes the same idempotency key, and is then told of it as of any other. A transaction
    /// stricter than `READ COMMITTED` cannot see it, which is `Transport`: roll back and try again.
    ///
    /// ```no_run
    /// # use ff_core::contracts::CreateExecutionArgs;
    /// # async fn example(args: CreateExecutionArgs) -> Result<(), Box<dyn std::error::Error>> {
    /// use ff_backend_postgres::PostgresBackend;
    /// use ff_core::partition::PartitionConfig;
    ///
    /// let pool = sqlx::PgPool::connect("postgres://ff@db.example/jobs").await?;
    /// let backend = PostgresBackend::from_pool(pool.clone(), PartitionConfig::default());
    /// let mut transaction = pool.begin().await?;
    /// // ... the caller's own writes ...
    /// backend.create_execution_in(&mut transaction, args).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_execution_in(
        &self,
        conn: &mut PgConnection,
        args: CreateExecutionArgs,
    ) -> Result<CreateExecutionResult, EngineError> {
        execution::create_in(self, conn, args).await
    }

    /// The pool, which reads and writes raw rows, for tests.
    #[doc(hidden)]
    pub fn pool_for_test(&self) -> &PgPool {
        &self.connections.pool
    }
}

#[async_trait]
impl EngineBackend for PostgresBackend {
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
        admin::now(self).await
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        crate::apply_migrations(&self.connections.pool).await
    }

    async fn shutdown(&self) -> Result<(), EngineError> {
        admin::shutdown(self).await
    }

    fn partition_config(&self) -> PartitionConfig {
        self.config.partitions
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
