//! Which operation is where; nothing is decided here.

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

use super::{LABEL, ReferenceBackend};

type Answer<T> = Result<T, EngineError>;

#[async_trait]
impl EngineBackend for ReferenceBackend {
    // ---- execution -------------------------------------------------------------------------

    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult> {
        self.create_one(&args)
    }

    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        self.create_all(&batch)
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        self.complete_one(handle, result)
    }

    async fn complete_batch(&self, batch: Vec<Completion>) -> Answer<Vec<Answer<()>>> {
        self.check_open()?;
        Ok(batch.into_iter().map(|item| self.complete_one(&item.handle, item.result)).collect())
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        self.fail_one(handle, &reason, class)
    }

    async fn fail_batch(&self, batch: Vec<Failure>) -> Answer<Vec<Answer<FailOutcome>>> {
        self.check_open()?;
        Ok(batch.iter().map(|item| self.fail_one(&item.handle, &item.reason, item.class)).collect())
    }

    async fn describe_execution(
        &self,
        execution_id: &ExecutionId,
    ) -> Answer<Option<ExecutionSnapshot>> {
        self.describe(execution_id)
    }

    async fn list_attempts(&self, execution_id: &ExecutionId) -> Answer<Vec<Attempt>> {
        self.attempts(execution_id)
    }

    async fn read_outcomes(
        &self,
        execution_ids: &[ExecutionId],
    ) -> Answer<Vec<Option<ExecutionOutcome>>> {
        self.outcomes(execution_ids)
    }

    async fn read_execution_context(&self, execution_id: &ExecutionId) -> Answer<ExecutionContext> {
        self.context(execution_id)
    }

    async fn list_executions(
        &self,
        filter: &ExecutionFilter,
        after: Option<ExecutionsCursor>,
        limit: u32,
    ) -> Answer<ExecutionPage> {
        self.list(filter, after.as_ref(), limit)
    }

    async fn count_executions(&self, filter: &ExecutionFilter) -> Answer<Vec<ExecutionCount>> {
        self.count(filter)
    }

    // ---- claim -----------------------------------------------------------------------------

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        self.claim_one(lane, capabilities, policy).await
    }

    async fn claim_batch(&self, args: ClaimBatchArgs) -> Answer<Vec<ClaimedExecution>> {
        self.claim_several(args).await
    }

    // ---- lease -----------------------------------------------------------------------------

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        self.renew_one(handle)
    }

    async fn renew_batch(&self, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
        self.check_open()?;
        Ok(handles.iter().map(|handle| self.renew_one(handle)).collect())
    }

    async fn progress(&self, handle: &Handle, progress: Value) -> Answer<()> {
        self.store_progress(handle, progress)
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer<()> {
        self.give_back(handle, until)
    }

    async fn check_leases(&self, handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
        self.check_all(handles)
    }

    async fn revoke_lease(&self, args: RevokeLeaseArgs) -> Answer<RevokeLeaseResult> {
        self.revoke(&args)
    }

    async fn list_expired_leases(
        &self,
        args: ListExpiredLeasesArgs,
    ) -> Answer<ListExpiredLeasesResult> {
        self.expired_leases(&args)
    }

    // ---- operator --------------------------------------------------------------------------

    async fn cancel_execution(&self, args: CancelExecutionArgs) -> Answer<CancelExecutionResult> {
        self.cancel_one(&args)
    }

    async fn change_priority(&self, args: ChangePriorityArgs) -> Answer<ChangePriorityResult> {
        self.reprioritize(&args)
    }

    async fn replay_execution(&self, args: ReplayExecutionArgs) -> Answer<ReplayExecutionResult> {
        self.replay(&args)
    }

    // ---- flow ------------------------------------------------------------------------------

    async fn create_flow(&self, args: CreateFlowArgs) -> Answer<CreateFlowResult> {
        self.create_flow_once(&args)
    }

    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Answer<AddExecutionToFlowResult> {
        self.add_member(&args)
    }

    async fn describe_flow(&self, flow_id: &FlowId) -> Answer<Option<FlowSnapshot>> {
        self.flow(flow_id)
    }

    async fn list_flows(&self, args: ListFlowsArgs) -> Answer<ListFlowsResult> {
        self.flows(&args)
    }

    async fn list_flow_members(
        &self,
        flow_id: &FlowId,
        after: Option<&ExecutionId>,
        limit: u32,
    ) -> Answer<Vec<ExecutionSnapshot>> {
        self.members(flow_id, after, limit)
    }

    async fn cancel_flow(
        &self,
        flow_id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Answer<CancelFlowResult> {
        self.cancel_flow_and_wait(flow_id, policy, wait).await
    }

    async fn cancel_flow_header(&self, args: CancelFlowArgs) -> Answer<CancelFlowHeader> {
        self.cancel_flow_by_name(&args)
    }

    async fn ack_cancel_member(&self, flow_id: &FlowId, id: &ExecutionId) -> Answer<()> {
        self.ack(flow_id, id)
    }

    // ---- timer -----------------------------------------------------------------------------

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer<ScanReport> {
        self.sweep(task, limit)
    }

    // ---- event -----------------------------------------------------------------------------

    async fn list_execution_events(
        &self,
        execution_id: &ExecutionId,
    ) -> Answer<Vec<ExecutionEvent>> {
        self.history(execution_id)
    }

    async fn read_events(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Answer<Vec<RecordedEvent>> {
        self.read_stream(stream, after, limit)
    }

    // ---- worker ----------------------------------------------------------------------------

    async fn register_worker(&self, args: RegisterWorkerArgs) -> Answer<RegisterWorkerOutcome> {
        self.register(&args)
    }

    async fn heartbeat_worker(&self, args: HeartbeatWorkerArgs) -> Answer<HeartbeatWorkerOutcome> {
        self.heartbeat(&args)
    }

    async fn mark_worker_dead(&self, args: MarkWorkerDeadArgs) -> Answer<MarkWorkerDeadOutcome> {
        self.mark_dead(&args)
    }

    async fn list_workers(&self, args: ListWorkersArgs) -> Answer<ListWorkersResult> {
        self.workers(&args)
    }

    // ---- admin -----------------------------------------------------------------------------

    async fn list_lanes(&self) -> Answer<Vec<LaneInfo>> {
        self.lanes()
    }

    async fn pause_lane(&self, lane: &LaneId) -> Answer<()> {
        self.pause(lane)
    }

    async fn resume_lane(&self, lane: &LaneId) -> Answer<()> {
        self.resume(lane)
    }

    async fn set_retention(
        &self,
        namespace: &Namespace,
        retention: Option<Duration>,
    ) -> Answer<()> {
        self.keep_for(namespace, retention)
    }

    async fn ping(&self) -> Answer<()> {
        self.check_open()
    }

    async fn now(&self) -> Answer<TimestampMs> {
        self.tell_time()
    }

    async fn prepare(&self) -> Answer<()> {
        self.check_open()
    }

    async fn shutdown(&self) -> Answer<()> {
        self.shut_down();
        Ok(())
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
