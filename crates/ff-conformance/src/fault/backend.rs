//! The backend that passes every call on, and the faults on the way.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailOutcome, FailureClass,
    FailureReason, Handle, LeaseRenewal,
};
use ff_core::clock::ManualClock;
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace, TimestampMs};
use futures::future::BoxFuture;
use serde_json::Value;

use super::plan::{Fault, FaultPlan};

type Answer<T> = Result<T, EngineError>;

/// A call that was made, and what happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub op: &'static str,
    /// What happened to it.
    pub fault: Option<Fault>,
}

/// Passes every call on to another backend, but for those that the plan has a fault for.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
///
/// use ff_conformance::fault::{Fault, FaultBackend, FaultPlan};
/// use ff_conformance::reference::ReferenceBackend;
/// use ff_core::clock::ManualClock;
/// use ff_core::engine_backend::EngineBackend;
/// use ff_core::types::{LaneId, TimestampMs};
///
/// let clock = Arc::new(ManualClock::starting_at(TimestampMs::from_millis(0)));
/// let store = ReferenceBackend::with_clock(clock.clone());
/// let plan = FaultPlan::At { call: 0, fault: Fault::After };
/// let backend = FaultBackend::over(store.clone(), clock, plan);
///
/// let answer = backend.pause_lane(&LaneId::new("mail")).await;
///
/// assert!(answer.unwrap_err().is_retryable());
/// assert_eq!(store.list_lanes().await.unwrap().len(), 1);
/// # });
/// ```
pub struct FaultBackend<B: EngineBackend + ?Sized> {
    inner: Arc<B>,
    clock: Arc<ManualClock>,
    plan: FaultPlan,
    calls: Mutex<Vec<Call>>,
}

impl<B: EngineBackend + ?Sized> FaultBackend<B> {
    /// In front of a backend that takes its time from this clock.
    pub fn over(inner: Arc<B>, clock: Arc<ManualClock>, plan: FaultPlan) -> Arc<Self> {
        Arc::new(Self { inner, clock, plan, calls: Mutex::default() })
    }

    /// The calls that were made, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the call as the plan says.
    async fn pass<'a, T: Send>(
        &'a self,
        op: &'static str,
        call: impl Fn() -> BoxFuture<'a, Answer<T>> + Send,
    ) -> Answer<T> {
        let fault = self.note(op);
        match fault {
            Some(Fault::Before) => return Err(self.lost()),
            Some(Fault::Delay(late)) => self.clock.advance(late),
            _ => {}
        }
        let answer = call().await;
        match fault {
            Some(Fault::After) => return Err(self.lost()),
            Some(Fault::Duplicate) => drop(call().await),
            _ => {}
        }
        answer
    }

    fn note(&self, op: &'static str) -> Option<Fault> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = self.plan.fault(calls.len() as u64);
        calls.push(Call { op, fault });
        fault
    }

    /// The same whether or not the call was done: who is told it cannot know.
    fn lost(&self) -> EngineError {
        let source = "the connection was lost".into();
        EngineError::Transport { backend: self.inner.backend_label(), source }
    }
}

impl<B: EngineBackend + ?Sized> fmt::Debug for FaultBackend<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultBackend").field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[async_trait]
impl<B: EngineBackend + ?Sized> EngineBackend for FaultBackend<B> {
    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult> {
        self.pass("create_execution", || self.inner.create_execution(args.clone())).await
    }

    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        self.pass("create_executions", || self.inner.create_executions(batch.clone())).await
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        self.pass("complete", || self.inner.complete(handle, result.clone())).await
    }

    async fn complete_batch(&self, batch: Vec<Completion>) -> Answer<Vec<Answer<()>>> {
        self.pass("complete_batch", || self.inner.complete_batch(batch.clone())).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        self.pass("fail", || self.inner.fail(handle, reason.clone(), class)).await
    }

    async fn fail_batch(&self, batch: Vec<Failure>) -> Answer<Vec<Answer<FailOutcome>>> {
        self.pass("fail_batch", || self.inner.fail_batch(batch.clone())).await
    }

    async fn describe_execution(&self, id: &ExecutionId) -> Answer<Option<ExecutionSnapshot>> {
        self.pass("describe_execution", || self.inner.describe_execution(id)).await
    }

    async fn list_attempts(&self, id: &ExecutionId) -> Answer<Vec<Attempt>> {
        self.pass("list_attempts", || self.inner.list_attempts(id)).await
    }

    async fn get_execution_result(&self, id: &ExecutionId) -> Answer<Option<Vec<u8>>> {
        self.pass("get_execution_result", || self.inner.get_execution_result(id)).await
    }

    async fn read_outcomes(&self, ids: &[ExecutionId]) -> Answer<Vec<Option<ExecutionOutcome>>> {
        self.pass("read_outcomes", || self.inner.read_outcomes(ids)).await
    }

    async fn read_execution_context(&self, id: &ExecutionId) -> Answer<ExecutionContext> {
        self.pass("read_execution_context", || self.inner.read_execution_context(id)).await
    }

    async fn list_executions(
        &self,
        filter: &ExecutionFilter,
        after: Option<ExecutionsCursor>,
        limit: u32,
    ) -> Answer<ExecutionPage> {
        self.pass("list_executions", || self.inner.list_executions(filter, after.clone(), limit))
            .await
    }

    async fn count_executions(&self, filter: &ExecutionFilter) -> Answer<Vec<ExecutionCount>> {
        self.pass("count_executions", || self.inner.count_executions(filter)).await
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        self.pass("claim", || self.inner.claim(lane, capabilities, policy.clone())).await
    }

    async fn claim_batch(&self, args: ClaimBatchArgs) -> Answer<Vec<ClaimedExecution>> {
        self.pass("claim_batch", || self.inner.claim_batch(args.clone())).await
    }

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        self.pass("renew", || self.inner.renew(handle)).await
    }

    async fn renew_batch(&self, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
        self.pass("renew_batch", || self.inner.renew_batch(handles)).await
    }

    async fn progress(&self, handle: &Handle, progress: Value) -> Answer<()> {
        self.pass("progress", || self.inner.progress(handle, progress.clone())).await
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer<()> {
        self.pass("delay", || self.inner.delay(handle, until)).await
    }

    async fn check_leases(&self, handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
        self.pass("check_leases", || self.inner.check_leases(handles)).await
    }

    async fn revoke_lease(&self, args: RevokeLeaseArgs) -> Answer<RevokeLeaseResult> {
        self.pass("revoke_lease", || self.inner.revoke_lease(args.clone())).await
    }

    async fn list_expired_leases(
        &self,
        args: ListExpiredLeasesArgs,
    ) -> Answer<ListExpiredLeasesResult> {
        self.pass("list_expired_leases", || self.inner.list_expired_leases(args.clone())).await
    }

    async fn cancel_execution(&self, args: CancelExecutionArgs) -> Answer<CancelExecutionResult> {
        self.pass("cancel_execution", || self.inner.cancel_execution(args.clone())).await
    }

    async fn change_priority(&self, args: ChangePriorityArgs) -> Answer<ChangePriorityResult> {
        self.pass("change_priority", || self.inner.change_priority(args.clone())).await
    }

    async fn replay_execution(&self, args: ReplayExecutionArgs) -> Answer<ReplayExecutionResult> {
        self.pass("replay_execution", || self.inner.replay_execution(args.clone())).await
    }

    async fn create_flow(&self, args: CreateFlowArgs) -> Answer<CreateFlowResult> {
        self.pass("create_flow", || self.inner.create_flow(args.clone())).await
    }

    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Answer<AddExecutionToFlowResult> {
        self.pass("add_execution_to_flow", || self.inner.add_execution_to_flow(args.clone())).await
    }

    async fn describe_flow(&self, id: &FlowId) -> Answer<Option<FlowSnapshot>> {
        self.pass("describe_flow", || self.inner.describe_flow(id)).await
    }

    async fn list_flows(&self, args: ListFlowsArgs) -> Answer<ListFlowsResult> {
        self.pass("list_flows", || self.inner.list_flows(args.clone())).await
    }

    async fn list_flow_members(
        &self,
        id: &FlowId,
        after: Option<&ExecutionId>,
        limit: u32,
    ) -> Answer<Vec<ExecutionSnapshot>> {
        self.pass("list_flow_members", || self.inner.list_flow_members(id, after, limit)).await
    }

    async fn cancel_flow(
        &self,
        id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Answer<CancelFlowResult> {
        self.pass("cancel_flow", || self.inner.cancel_flow(id, policy, wait)).await
    }

    async fn cancel_flow_header(&self, args: CancelFlowArgs) -> Answer<CancelFlowHeader> {
        self.pass("cancel_flow_header", || self.inner.cancel_flow_header(args.clone())).await
    }

    async fn ack_cancel_member(&self, flow_id: &FlowId, id: &ExecutionId) -> Answer<()> {
        self.pass("ack_cancel_member", || self.inner.ack_cancel_member(flow_id, id)).await
    }

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer<ScanReport> {
        self.pass("reconcile", || self.inner.reconcile(task, limit)).await
    }

    async fn list_execution_events(&self, id: &ExecutionId) -> Answer<Vec<ExecutionEvent>> {
        self.pass("list_execution_events", || self.inner.list_execution_events(id)).await
    }

    async fn read_events(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Answer<Vec<RecordedEvent>> {
        self.pass("read_events", || self.inner.read_events(stream, after, limit)).await
    }

    async fn register_worker(&self, args: RegisterWorkerArgs) -> Answer<RegisterWorkerOutcome> {
        self.pass("register_worker", || self.inner.register_worker(args.clone())).await
    }

    async fn heartbeat_worker(&self, args: HeartbeatWorkerArgs) -> Answer<HeartbeatWorkerOutcome> {
        self.pass("heartbeat_worker", || self.inner.heartbeat_worker(args.clone())).await
    }

    async fn mark_worker_dead(&self, args: MarkWorkerDeadArgs) -> Answer<MarkWorkerDeadOutcome> {
        self.pass("mark_worker_dead", || self.inner.mark_worker_dead(args.clone())).await
    }

    async fn list_workers(&self, args: ListWorkersArgs) -> Answer<ListWorkersResult> {
        self.pass("list_workers", || self.inner.list_workers(args.clone())).await
    }

    async fn list_lanes(&self) -> Answer<Vec<LaneInfo>> {
        self.pass("list_lanes", || self.inner.list_lanes()).await
    }

    async fn pause_lane(&self, lane: &LaneId) -> Answer<()> {
        self.pass("pause_lane", || self.inner.pause_lane(lane)).await
    }

    async fn resume_lane(&self, lane: &LaneId) -> Answer<()> {
        self.pass("resume_lane", || self.inner.resume_lane(lane)).await
    }

    async fn set_retention(
        &self,
        namespace: &Namespace,
        retention: Option<Duration>,
    ) -> Answer<()> {
        self.pass("set_retention", || self.inner.set_retention(namespace, retention)).await
    }

    async fn ping(&self) -> Answer<()> {
        self.pass("ping", || self.inner.ping()).await
    }

    async fn now(&self) -> Answer<TimestampMs> {
        self.pass("now", || self.inner.now()).await
    }

    async fn prepare(&self) -> Answer<()> {
        self.pass("prepare", || self.inner.prepare()).await
    }

    async fn shutdown(&self) -> Answer<()> {
        self.pass("shutdown", || self.inner.shutdown()).await
    }

    fn partition_config(&self) -> PartitionConfig {
        self.inner.partition_config()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn backend_label(&self) -> &'static str {
        self.inner.backend_label()
    }
}
