//! A caller that knows no more of its calls than their answers, and repeats those that it got none to.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed check")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::{ClaimBatchArgs, CreateExecutionArgs, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::partition::PartitionConfig;
use ff_core::types::{
    ExecutionId, FlowId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId,
};

use crate::cx::{ENOUGH, LEASE_TTL, LEASE_TTL_MS, LIMIT};

pub(super) type Answer<T> = Result<T, EngineError>;

/// What a caller was told in the end: the operation, and its answer without times and ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) op: &'static str,
    pub(super) answer: String,
}

pub(super) struct Caller {
    backend: Arc<dyn EngineBackend>,
    clock: Arc<ManualClock>,
    /// Its lane, its namespace and its worker: nobody else's.
    pub(super) name: String,
    pub(super) told: Vec<Told>,
    pub(super) executions: Vec<ExecutionId>,
    pub(super) flows: Vec<FlowId>,
    /// Whether an answer was lost in the last step.
    has_lost: bool,
}

impl Caller {
    pub(super) fn new(
        backend: Arc<dyn EngineBackend>,
        clock: Arc<ManualClock>,
        name: String,
    ) -> Self {
        let (told, executions, flows) = (Vec::new(), Vec::new(), Vec::new());
        Self { backend, clock, name, told, executions, flows, has_lost: false }
    }

    pub(super) fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    pub(super) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    pub(super) fn lane(&self) -> LaneId {
        LaneId::new(self.name.clone())
    }

    pub(super) fn namespace(&self) -> Namespace {
        Namespace::new(self.name.clone())
    }

    pub(super) fn worker(&self) -> ClaimPolicy {
        ClaimPolicy::new(WorkerId::new("worker"), self.instance(), LEASE_TTL_MS, None)
    }

    pub(super) fn instance(&self) -> WorkerInstanceId {
        WorkerInstanceId::new(format!("{}/1", self.name))
    }

    pub(super) fn partition_config(&self) -> PartitionConfig {
        self.backend.partition_config()
    }

    pub(super) fn tell(&mut self, op: &'static str, answer: impl ToString) {
        self.told.push(Told { op, answer: answer.to_string() });
    }

    /// Makes a call until it is answered.
    pub(super) async fn ask<T>(
        &mut self,
        call: impl AsyncFn(&dyn EngineBackend) -> Answer<T>,
    ) -> Answer<T> {
        self.has_lost = false;
        for _ in 0..ENOUGH {
            match call(&*self.backend).await {
                Err(error) if is_no_answer(&error) => self.has_lost = true,
                answer => return answer,
            }
        }
        unreachable!("the store never answers");
    }

    /// As [`ask`](Self::ask), under these leases. One that was lost while the call was on its way is taken again,
    /// and the call made again. If the call may have been done already, its answer is the caller's.
    pub(super) async fn ask_under<T>(
        &mut self,
        handles: &mut [Handle],
        call: impl AsyncFn(&dyn EngineBackend, &[Handle]) -> Answer<T>,
        refusal: impl Fn(&Answer<T>) -> bool,
    ) -> Answer<T> {
        for _ in 0..ENOUGH {
            let answer = self.ask(async |backend| call(backend, handles).await).await;
            if self.has_lost || !refusal(&answer) {
                return answer;
            }
            self.take_again(handles).await;
        }
        unreachable!("the lease is lost again and again");
    }

    /// As [`ask_under`](Self::ask_under), one lease.
    pub(super) async fn ask_by<T>(
        &mut self,
        handle: &mut Handle,
        call: impl AsyncFn(&dyn EngineBackend, &Handle) -> Answer<T>,
    ) -> Answer<T> {
        let handles = std::slice::from_mut(handle);
        let is_lost = |answer: &Answer<T>| {
            answer.as_ref().is_err_and(|error: &EngineError| error.is_lease_lost())
        };
        self.ask_under(handles, async |backend, handles| call(backend, &handles[0]).await, is_lost)
            .await
    }

    async fn take_again(&mut self, handles: &mut [Handle]) {
        self.let_leases_end().await;
        for _ in 0..handles.len() {
            let handle = self.claim().await;
            let mut same = handles.iter_mut();
            let old = same.find(|old| old.execution_id() == handle.execution_id());
            *old.unwrap() = handle;
        }
    }

    async fn let_leases_end(&mut self) {
        self.advance(LEASE_TTL);
        self.reconcile(ReconcileTask::ExpireLeases).await;
    }

    pub(super) async fn reconcile(&mut self, task: ReconcileTask) -> u32 {
        let report = self.ask(async |backend| backend.reconcile(task, LIMIT).await).await.unwrap();
        assert_eq!(report.errors, 0);
        report.processed
    }

    /// An execution of this caller's to create.
    pub(super) fn args(&self) -> CreateExecutionArgs {
        let execution_id = ExecutionId::solo(&self.lane(), &self.backend.partition_config());
        CreateExecutionArgs {
            partition_id: execution_id.partition(),
            execution_id,
            namespace: self.namespace(),
            lane_id: self.lane(),
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
            now: self.now(),
        }
    }

    /// Claims. A claim whose answer was lost leaves nothing to claim, until the lease that it took has ended.
    pub(super) async fn claim(&mut self) -> Handle {
        for _ in 0..ENOUGH {
            if let Some(handle) = self.try_claim().await {
                return handle;
            }
            self.let_leases_end().await;
        }
        unreachable!("there is nothing to claim: an execution is lost");
    }

    pub(super) async fn try_claim(&mut self) -> Option<Handle> {
        let (lane, policy) = (self.lane(), self.worker());
        let offered = CapabilitySet::default();
        self.ask(async |backend| backend.claim(&lane, &offered, policy.clone()).await)
            .await
            .unwrap()
    }

    /// As [`claim`](Self::claim), all that there is in one call.
    pub(super) async fn claim_batch(&mut self) -> Vec<Handle> {
        let (lanes, capabilities) = (vec![self.lane()], CapabilitySet::default());
        let args = ClaimBatchArgs { lanes, capabilities, policy: self.worker(), max: LIMIT };
        for _ in 0..ENOUGH {
            let claimed = self.ask(async |backend| backend.claim_batch(args.clone()).await).await;
            let handles: Vec<_> = claimed.unwrap().into_iter().map(|one| one.handle).collect();
            if !handles.is_empty() {
                return handles;
            }
            self.let_leases_end().await;
        }
        unreachable!("there is nothing to claim: executions are lost");
    }
}

/// Whether the call is done or not done.
fn is_no_answer(error: &EngineError) -> bool {
    let busy = [ContentionKind::StoreBusy, ContentionKind::PoolExhausted];
    match error {
        EngineError::Transport { .. } => true,
        EngineError::Contention(kind) => busy.contains(kind),
        _ => false,
    }
}

/// What an error says, or `done`.
pub(super) fn said<T>(answer: Answer<T>) -> String {
    answer.map_or_else(|error| error.to_string(), |_| "done".to_owned())
}
