//! A backend that passes every call on, and breaks one promise on the way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailOutcome, FailureClass,
    FailureReason, Handle, LeaseRenewal,
};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{CancelSource, ExecutionId, FlowId, LaneId, Namespace, TimestampMs};
use serde_json::Value;
use uuid::Uuid;

use super::fault::Fault;

type Answer<T> = Result<T, EngineError>;

pub(super) struct BrokenBackend {
    inner: Arc<dyn EngineBackend>,
    fault: Fault,
    calls: AtomicU32,
    last: Mutex<Option<Handle>>,
}

impl BrokenBackend {
    pub(super) fn over(inner: Arc<dyn EngineBackend>, fault: Fault) -> Arc<Self> {
        Arc::new(Self { inner, fault, calls: AtomicU32::new(0), last: Mutex::new(None) })
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Every ninth call of a backend that answers busy.
    fn busy(&self) -> Answer<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.has(Fault::AnswersBusy) && call.is_multiple_of(9) {
            return Err(EngineError::Contention(ContentionKind::StoreBusy));
        }
        Ok(())
    }

    fn forgives(&self, error: &EngineError) -> bool {
        match error {
            EngineError::Contention(ContentionKind::LeaseConflict) => {
                self.has(Fault::AcceptsLostLeases)
            }
            EngineError::State(StateKind::LeaseExpired) => self.has(Fault::AcceptsExpiredLeases),
            EngineError::State(StateKind::AttemptAlreadyTerminal) => self.has(Fault::EndsTwice),
            _ => false,
        }
    }
}

#[async_trait]
impl EngineBackend for BrokenBackend {
    async fn create_execution(
        &self,
        mut args: CreateExecutionArgs,
    ) -> Answer<CreateExecutionResult> {
        self.busy()?;
        if self.has(Fault::LosesCreations) && self.calls.load(Ordering::SeqCst).is_multiple_of(2) {
            let (execution_id, public_state) = (args.execution_id, PublicState::Waiting);
            return Ok(CreateExecutionResult::Created { execution_id, public_state });
        }
        if self.has(Fault::ForgetsIdempotencyKeys) {
            args.idempotency_key = None;
        }
        if self.has(Fault::IgnoresPriorities) {
            args.priority = 0;
        }
        self.inner.create_execution(args).await
    }

    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        if !self.has(Fault::StoresHalfABatch) {
            return self.inner.create_executions(batch).await;
        }
        let mut results = Vec::new();
        for (index, args) in batch.into_iter().enumerate() {
            let result = self.inner.create_execution(args).await;
            let in_batch = |error| EngineError::BatchItem { index, source: Box::new(error) };
            results.push(result.map_err(in_batch)?);
        }
        Ok(results)
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        self.busy()?;
        let result = result.filter(|_| !self.has(Fault::LosesResults));
        match self.inner.complete(handle, result).await {
            Err(error) if self.forgives(&error) => Ok(()),
            answer => answer,
        }
    }

    async fn complete_batch(&self, batch: Vec<Completion>) -> Answer<Vec<Answer<()>>> {
        self.inner.complete_batch(batch).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        self.busy()?;
        let class = if self.has(Fault::NeverRetries) { FailureClass::Permanent } else { class };
        match self.inner.fail(handle, reason, class).await {
            Err(error) if self.forgives(&error) => Ok(FailOutcome::TerminalFailed),
            answer => answer,
        }
    }

    async fn fail_batch(&self, batch: Vec<Failure>) -> Answer<Vec<Answer<FailOutcome>>> {
        self.inner.fail_batch(batch).await
    }

    async fn describe_execution(&self, id: &ExecutionId) -> Answer<Option<ExecutionSnapshot>> {
        let mut found = self.inner.describe_execution(id).await?;
        if let Some(execution) = &mut found {
            self.fault.spoil_snapshot(execution);
        }
        Ok(found)
    }

    async fn list_attempts(&self, id: &ExecutionId) -> Answer<Vec<Attempt>> {
        let mut attempts = self.inner.list_attempts(id).await?;
        if let Some(execution) = self.inner.describe_execution(id).await? {
            self.fault.spoil_attempts(&execution, &mut attempts);
        }
        Ok(attempts)
    }

    async fn read_outcomes(&self, ids: &[ExecutionId]) -> Answer<Vec<Option<ExecutionOutcome>>> {
        self.inner.read_outcomes(ids).await
    }

    async fn read_execution_context(&self, id: &ExecutionId) -> Answer<ExecutionContext> {
        self.inner.read_execution_context(id).await
    }

    async fn list_executions(
        &self,
        filter: &ExecutionFilter,
        mut after: Option<ExecutionsCursor>,
        limit: u32,
    ) -> Answer<ExecutionPage> {
        if let Some(cursor) = after.as_mut().filter(|_| self.has(Fault::RepeatsPages)) {
            cursor.execution_id = ExecutionId::from_parts(0, uuid::Uuid::nil());
        }
        self.inner.list_executions(filter, after, limit).await
    }

    async fn count_executions(&self, filter: &ExecutionFilter) -> Answer<Vec<ExecutionCount>> {
        self.inner.count_executions(filter).await
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        mut policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        self.busy()?;
        if self.has(Fault::NeverWaits) {
            policy.max_wait = None;
        }
        let claimed = self.inner.claim(lane, capabilities, policy).await?;
        if !self.has(Fault::SharesExecutions) {
            return Ok(claimed);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match claimed {
            Some(handle) => {
                *last = Some(handle.clone());
                Ok(Some(handle))
            }
            None => Ok(last.take()),
        }
    }

    async fn claim_batch(&self, args: ClaimBatchArgs) -> Answer<Vec<ClaimedExecution>> {
        if !self.has(Fault::ClaimsLaneByLane) {
            return self.inner.claim_batch(args).await;
        }
        let mut claimed = Vec::new();
        for lane in &args.lanes {
            let mut one_lane = ClaimBatchArgs { lanes: vec![lane.clone()], ..args.clone() };
            one_lane.max =
                args.max.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
            if one_lane.max > 0 {
                claimed.extend(self.inner.claim_batch(one_lane).await?);
            }
        }
        Ok(claimed)
    }

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        self.busy()?;
        match self.inner.renew(handle).await {
            Err(error) if self.forgives(&error) => Ok(LeaseRenewal {
                expires_at: self.inner.now().await?,
                lease_epoch: handle.lease_epoch(),
            }),
            answer => answer,
        }
    }

    async fn renew_batch(&self, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
        self.inner.renew_batch(handles).await
    }

    async fn progress(&self, handle: &Handle, progress: Value) -> Answer<()> {
        if self.has(Fault::DoesNotHaveProgress) {
            return Err(EngineError::Unavailable { op: "progress" });
        }
        self.inner.progress(handle, progress).await
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer<()> {
        self.inner.delay(handle, until).await
    }

    async fn check_leases(&self, handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
        if self.has(Fault::SaysEveryLeaseHolds) {
            return Ok(handles.iter().map(|_| Ok(())).collect());
        }
        self.inner.check_leases(handles).await
    }

    async fn revoke_lease(&self, mut args: RevokeLeaseArgs) -> Answer<RevokeLeaseResult> {
        if self.has(Fault::RevokesAnyLease) {
            args.expected_lease_id = None;
            let execution = self.inner.describe_execution(&args.execution_id).await?;
            if let Some(lease) = execution.and_then(|execution| execution.lease()) {
                args.worker_instance_id = lease.worker_instance_id;
            }
        }
        self.inner.revoke_lease(args).await
    }

    async fn list_expired_leases(
        &self,
        mut args: ListExpiredLeasesArgs,
    ) -> Answer<ListExpiredLeasesResult> {
        if self.has(Fault::ListsLeasesThatHold) {
            args.as_of = args.as_of.saturating_add_millis(3_600_000);
        }
        if let Some(after) = args.after.as_mut().filter(|_| self.has(Fault::LosesLeasesOfOneExpiry))
        {
            after.execution_id = ExecutionId::from_parts(9_999, Uuid::max());
        }
        self.inner.list_expired_leases(args).await
    }

    async fn cancel_execution(
        &self,
        mut args: CancelExecutionArgs,
    ) -> Answer<CancelExecutionResult> {
        if self.has(Fault::IgnoresFences) {
            args.source = CancelSource::OperatorOverride;
        }
        let execution = self.inner.describe_execution(&args.execution_id).await?;
        let outcome = execution.map(|execution| execution.public_state);
        let refused =
            outcome.filter(|it| it.is_finished() && self.has(Fault::RefusesRepeatedCancels));
        if let Some(outcome) = refused {
            return Err(EngineError::Contention(ContentionKind::ExecutionNotActive { outcome }));
        }
        self.inner.cancel_execution(args).await
    }

    async fn change_priority(&self, args: ChangePriorityArgs) -> Answer<ChangePriorityResult> {
        if self.has(Fault::MovesNothing) {
            return Ok(ChangePriorityResult::Changed { execution_id: args.execution_id });
        }
        self.inner.change_priority(args).await
    }

    async fn replay_execution(&self, args: ReplayExecutionArgs) -> Answer<ReplayExecutionResult> {
        if self.has(Fault::ReplaysNothing) {
            return Ok(ReplayExecutionResult::Replayed { public_state: PublicState::Waiting });
        }
        self.inner.replay_execution(args).await
    }

    async fn create_flow(&self, args: CreateFlowArgs) -> Answer<CreateFlowResult> {
        self.inner.create_flow(args).await
    }

    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Answer<AddExecutionToFlowResult> {
        if self.has(Fault::ForgetsMembers) {
            return Ok(AddExecutionToFlowResult::Added { graph_revision: 1 });
        }
        self.inner.add_execution_to_flow(args).await
    }

    async fn describe_flow(&self, flow_id: &FlowId) -> Answer<Option<FlowSnapshot>> {
        self.inner.describe_flow(flow_id).await
    }

    async fn list_flows(&self, args: ListFlowsArgs) -> Answer<ListFlowsResult> {
        self.inner.list_flows(args).await
    }

    async fn list_flow_members(
        &self,
        flow_id: &FlowId,
        after: Option<&ExecutionId>,
        limit: u32,
    ) -> Answer<Vec<ExecutionSnapshot>> {
        self.inner.list_flow_members(flow_id, after, limit).await
    }

    async fn cancel_flow(
        &self,
        flow_id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Answer<CancelFlowResult> {
        let policy = self.fault.spoil_policy(policy);
        let wait = if self.has(Fault::DoesNotWait) { CancelFlowWait::NoWait } else { wait };
        let mut result = self.inner.cancel_flow(flow_id, policy, wait).await?;
        if let CancelFlowResult::Cancelled { member_execution_ids, .. } = &mut result
            && self.has(Fault::NamesNoMembers)
        {
            member_execution_ids.clear();
        }
        Ok(result)
    }

    async fn cancel_flow_header(&self, args: CancelFlowArgs) -> Answer<CancelFlowHeader> {
        let header = self.inner.cancel_flow_header(args.clone()).await?;
        if let CancelFlowHeader::Cancelled { member_execution_ids, .. } = &header
            && self.has(Fault::ForgetsBacklogs)
        {
            for member in member_execution_ids.iter().filter_map(|id| id.parse().ok()) {
                self.inner.ack_cancel_member(&args.flow_id, &member).await?;
            }
        }
        Ok(header)
    }

    async fn ack_cancel_member(&self, flow_id: &FlowId, id: &ExecutionId) -> Answer<()> {
        if self.has(Fault::NeverLetsGo) {
            return Ok(());
        }
        self.inner.ack_cancel_member(flow_id, id).await
    }

    async fn register_worker(&self, args: RegisterWorkerArgs) -> Answer<RegisterWorkerOutcome> {
        match self.inner.register_worker(args).await {
            Err(_) if self.has(Fault::ReassignsInstances) => Ok(RegisterWorkerOutcome::Refreshed),
            outcome => outcome,
        }
    }

    async fn heartbeat_worker(&self, args: HeartbeatWorkerArgs) -> Answer<HeartbeatWorkerOutcome> {
        let late = HeartbeatWorkerOutcome::Refreshed { next_expiry_ms: args.now };
        match self.inner.heartbeat_worker(args).await? {
            HeartbeatWorkerOutcome::NotRegistered if self.has(Fault::TakesLateHeartbeats) => {
                Ok(late)
            }
            outcome => Ok(outcome),
        }
    }

    async fn mark_worker_dead(&self, args: MarkWorkerDeadArgs) -> Answer<MarkWorkerDeadOutcome> {
        if self.has(Fault::KeepsTheDead) {
            return Ok(MarkWorkerDeadOutcome::Marked);
        }
        self.inner.mark_worker_dead(args).await
    }

    async fn list_workers(&self, args: ListWorkersArgs) -> Answer<ListWorkersResult> {
        let limit = args.limit.filter(|_| self.has(Fault::CutsPagesOfWorkers));
        let mut page = self.inner.list_workers(args).await?;
        page.entries.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(page)
    }

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer<ScanReport> {
        if self.fault.skipped_task() == Some(task) {
            return Ok(ScanReport::default());
        }
        let limit = if self.has(Fault::IgnoresLimits) { RECONCILE_MAX_LIMIT } else { limit };
        self.inner.reconcile(task, limit).await
    }

    async fn list_execution_events(&self, id: &ExecutionId) -> Answer<Vec<ExecutionEvent>> {
        let mut events = self.inner.list_execution_events(id).await?;
        if self.has(Fault::ForgetsCompletionEvents) {
            events.retain(|event| event.stream != EventStream::Completion);
        }
        if self.has(Fault::RepeatsEvents) {
            events.extend(events.last().cloned());
        }
        Ok(events)
    }

    async fn read_events(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Answer<Vec<RecordedEvent>> {
        let stream = if self.has(Fault::MixesStreamsUp) { EventStream::Lease } else { stream };
        let after = after.map(|cursor| self.fault.spoil_cursor(cursor));
        let mut events = self.inner.read_events(stream, after, limit).await?;
        if self.has(Fault::LosesInstanceTags) {
            events.iter_mut().for_each(|event| event.instance_tag = None);
        }
        Ok(events)
    }

    async fn list_lanes(&self) -> Answer<Vec<LaneInfo>> {
        self.inner.list_lanes().await
    }

    async fn pause_lane(&self, lane: &LaneId) -> Answer<()> {
        if self.has(Fault::ForgetsPauses) {
            return Ok(());
        }
        self.inner.pause_lane(lane).await
    }

    async fn resume_lane(&self, lane: &LaneId) -> Answer<()> {
        self.inner.resume_lane(lane).await
    }

    async fn set_retention(
        &self,
        namespace: &Namespace,
        retention: Option<Duration>,
    ) -> Answer<()> {
        self.inner.set_retention(namespace, retention).await
    }

    async fn ping(&self) -> Answer<()> {
        self.inner.ping().await
    }

    async fn now(&self) -> Answer<TimestampMs> {
        self.inner.now().await
    }

    async fn prepare(&self) -> Answer<()> {
        self.inner.prepare().await
    }

    async fn shutdown(&self) -> Answer<()> {
        self.inner.shutdown().await
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
