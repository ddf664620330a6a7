use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ff_core::backend::{
    CapabilitySet, ClaimPolicy, FailOutcome, FailureClass, FailureReason, Handle, LeaseRenewal,
};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::types::{ExecutionId, FlowId, LaneId, TimestampMs};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

type Answer<T> = Result<T, EngineError>;

/// Where a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Before anything was done.
    Before,
    /// After everything was done: the answer is lost.
    After,
}

/// A backend that counts calls, makes some of them fail, and holds some answers back.
pub(crate) struct Spy {
    inner: Arc<dyn EngineBackend>,
    plan: Mutex<HashMap<&'static str, Plan>>,
    changed: Notify,
    checked: Mutex<Vec<usize>>,
}

#[derive(Default)]
struct Plan {
    calls: usize,
    faults: usize,
    fault: Option<(Fault, fn() -> EngineError)>,
    gate: Option<Arc<Semaphore>>,
}

pub(crate) fn transport() -> EngineError {
    EngineError::Transport { backend: "spy", source: "the line was cut".into() }
}

pub(crate) fn unavailable() -> EngineError {
    EngineError::Unavailable { op: "spy" }
}

pub(crate) fn refused() -> EngineError {
    EngineError::invalid_input("spy: refused")
}

impl Spy {
    pub(crate) fn over(inner: Arc<dyn EngineBackend>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            plan: Mutex::default(),
            changed: Notify::new(),
            checked: Mutex::default(),
        })
    }

    /// Makes the next `times` calls of `op` fail.
    pub(crate) fn fail(&self, op: &'static str, times: usize, fault: (Fault, fn() -> EngineError)) {
        let mut plan = self.plan.lock().unwrap();
        let plan = plan.entry(op).or_default();
        (plan.faults, plan.fault) = (times, Some(fault));
    }

    /// Holds back every answer of `op` until the gate is given a permit.
    pub(crate) fn hold_back(&self, op: &'static str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.plan.lock().unwrap().entry(op).or_default().gate = Some(Arc::clone(&gate));
        gate
    }

    /// How many leases each check asked for.
    pub(crate) fn checked(&self) -> Vec<usize> {
        self.checked.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self, op: &'static str) -> usize {
        self.plan.lock().unwrap().get(op).map_or(0, |plan| plan.calls)
    }

    /// Waits until `op` has been called this often, failed calls included.
    pub(crate) async fn called(&self, op: &'static str, times: usize) {
        loop {
            let changed = self.changed.notified();
            if self.calls(op) >= times {
                return;
            }
            changed.await;
        }
    }

    async fn around<T>(
        &self,
        op: &'static str,
        call: impl Future<Output = Answer<T>>,
    ) -> Answer<T> {
        let fault = self.note_call(op);
        self.changed.notify_waiters();
        if let Some((Fault::Before, error)) = fault {
            return Err(error());
        }
        let answer = call.await;
        let gate = self.plan.lock().unwrap().get(op).and_then(|plan| plan.gate.clone());
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        match fault {
            Some((_, error)) => Err(error()),
            None => answer,
        }
    }

    fn note_call(&self, op: &'static str) -> Option<(Fault, fn() -> EngineError)> {
        let mut plan = self.plan.lock().unwrap();
        let plan = plan.entry(op).or_default();
        plan.calls += 1;
        plan.faults = plan.faults.checked_sub(1)?;
        plan.fault
    }
}

#[async_trait]
impl EngineBackend for Spy {
    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult> {
        self.around("create_execution", self.inner.create_execution(args)).await
    }

    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        self.around("create_executions", self.inner.create_executions(batch)).await
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        self.around("complete", self.inner.complete(handle, result)).await
    }

    async fn complete_batch(&self, batch: Vec<Completion>) -> Answer<Vec<Answer<()>>> {
        self.around("complete_batch", self.inner.complete_batch(batch)).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        self.around("fail", self.inner.fail(handle, reason, class)).await
    }

    async fn fail_batch(&self, batch: Vec<Failure>) -> Answer<Vec<Answer<FailOutcome>>> {
        self.around("fail_batch", self.inner.fail_batch(batch)).await
    }

    async fn describe_execution(&self, id: &ExecutionId) -> Answer<Option<ExecutionSnapshot>> {
        self.around("describe_execution", self.inner.describe_execution(id)).await
    }

    async fn list_attempts(&self, id: &ExecutionId) -> Answer<Vec<Attempt>> {
        self.around("list_attempts", self.inner.list_attempts(id)).await
    }

    async fn read_outcomes(&self, ids: &[ExecutionId]) -> Answer<Vec<Option<ExecutionOutcome>>> {
        self.around("read_outcomes", self.inner.read_outcomes(ids)).await
    }

    async fn read_execution_context(&self, id: &ExecutionId) -> Answer<ExecutionContext> {
        self.around("read_execution_context", self.inner.read_execution_context(id)).await
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        self.around("claim", self.inner.claim(lane, capabilities, policy)).await
    }

    async fn claim_batch(&self, args: ClaimBatchArgs) -> Answer<Vec<ClaimedExecution>> {
        self.around("claim_batch", self.inner.claim_batch(args)).await
    }

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        self.around("renew", self.inner.renew(handle)).await
    }

    async fn renew_batch(&self, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
        self.around("renew_batch", self.inner.renew_batch(handles)).await
    }

    async fn check_leases(&self, handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
        self.checked.lock().unwrap().push(handles.len());
        self.around("check_leases", self.inner.check_leases(handles)).await
    }

    async fn progress(&self, handle: &Handle, progress: Value) -> Answer<()> {
        self.around("progress", self.inner.progress(handle, progress)).await
    }

    async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer<()> {
        self.around("delay", self.inner.delay(handle, until)).await
    }

    async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer<ScanReport> {
        self.around(task.as_str(), self.inner.reconcile(task, limit)).await
    }

    async fn cancel_execution(&self, args: CancelExecutionArgs) -> Answer<CancelExecutionResult> {
        self.around("cancel_execution", self.inner.cancel_execution(args)).await
    }

    async fn create_flow(&self, args: CreateFlowArgs) -> Answer<CreateFlowResult> {
        self.around("create_flow", self.inner.create_flow(args)).await
    }

    async fn add_execution_to_flow(
        &self,
        args: AddExecutionToFlowArgs,
    ) -> Answer<AddExecutionToFlowResult> {
        self.around("add_execution_to_flow", self.inner.add_execution_to_flow(args)).await
    }

    async fn ack_cancel_member(&self, flow_id: &FlowId, id: &ExecutionId) -> Answer<()> {
        self.around("ack_cancel_member", self.inner.ack_cancel_member(flow_id, id)).await
    }

    async fn register_worker(&self, args: RegisterWorkerArgs) -> Answer<RegisterWorkerOutcome> {
        self.around("register_worker", self.inner.register_worker(args)).await
    }

    async fn heartbeat_worker(&self, args: HeartbeatWorkerArgs) -> Answer<HeartbeatWorkerOutcome> {
        self.around("heartbeat_worker", self.inner.heartbeat_worker(args)).await
    }

    async fn mark_worker_dead(&self, args: MarkWorkerDeadArgs) -> Answer<MarkWorkerDeadOutcome> {
        self.around("mark_worker_dead", self.inner.mark_worker_dead(args)).await
    }

    async fn now(&self) -> Answer<TimestampMs> {
        self.around("now", self.inner.now()).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn backend_label(&self) -> &'static str {
        self.inner.backend_label()
    }
}

/// A backend that has nothing but what every backend has.
pub(crate) struct Core(pub(crate) Arc<dyn EngineBackend>);

#[async_trait]
impl EngineBackend for Core {
    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult> {
        self.0.create_execution(args).await
    }

    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()> {
        self.0.complete(handle, result).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome> {
        self.0.fail(handle, reason, class).await
    }

    async fn read_execution_context(&self, id: &ExecutionId) -> Answer<ExecutionContext> {
        self.0.read_execution_context(id).await
    }

    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>> {
        self.0.claim(lane, capabilities, policy).await
    }

    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal> {
        self.0.renew(handle).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn backend_label(&self) -> &'static str {
        self.0.backend_label()
    }
}
