//! What a case is given: a store, its clock, and the steps that cases share.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed case")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{
    CapabilitySet, ClaimPolicy, FailOutcome, FailureClass, FailureReason, Handle,
};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::{
    ClaimBatchArgs, CreateExecutionArgs, CreateExecutionResult, ReconcileTask, ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy, TimeoutPolicy};
use ff_core::types::{
    AttemptIndex, ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId,
};

use crate::fixture::{Probe, Store};

/// The time at which every case begins.
pub(crate) const START: TimestampMs = TimestampMs::from_millis(1_700_000_000_000);
/// How long the leases last that the helpers of [`Cx`] take.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(30);
pub(crate) const LEASE_TTL_MS: u32 = 30_000;
pub(crate) const ONE_MS: Duration = Duration::from_millis(1);
/// The lane that the helpers create in and claim from.
pub(crate) const LANE: &str = "default";
/// Enough for every row that a case makes.
pub(crate) const LIMIT: u32 = 100;
/// Rounds after which a loop that should have ended is one without end.
pub(crate) const ENOUGH: usize = 1_000;

/// What a case is given.
pub struct Cx {
    pub(crate) backend: Arc<dyn EngineBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Box<dyn Store>,
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").finish_non_exhaustive()
    }
}

// ---- given ---------------------------------------------------------------------------------

impl Cx {
    pub(crate) fn new(store: Box<dyn Store>, clock: Arc<ManualClock>) -> Self {
        Self { backend: store.backend(), clock, store }
    }

    pub(crate) fn probe(&self) -> &dyn Probe {
        self.store.probe().unwrap()
    }

    pub(crate) fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    pub(crate) fn mint_id(&self) -> ExecutionId {
        ExecutionId::solo(&lane(), &self.backend.partition_config())
    }

    /// A plain execution to create.
    pub(crate) fn args(&self) -> CreateExecutionArgs {
        let execution_id = self.mint_id();
        CreateExecutionArgs {
            partition_id: execution_id.partition(),
            execution_id,
            namespace: Namespace::new("default"),
            lane_id: lane(),
            execution_kind: "kind".to_owned(),
            input_payload: b"payload".to_vec(),
            payload_encoding: None,
            priority: 0,
            creator_identity: "conformance".to_owned(),
            idempotency_key: None,
            tags: HashMap::new(),
            policy: None,
            delay_until: None,
            execution_deadline_at: None,
            now: self.now(),
        }
    }

    pub(crate) fn args_with(
        &self,
        change: impl FnOnce(&mut CreateExecutionArgs),
    ) -> CreateExecutionArgs {
        let mut args = self.args();
        change(&mut args);
        args
    }

    /// Creates an execution and expects it to be a new one.
    pub(crate) async fn create(
        &self,
        change: impl FnOnce(&mut CreateExecutionArgs),
    ) -> ExecutionId {
        let result = self.backend.create_execution(self.args_with(change)).await.unwrap();
        assert!(matches!(result, CreateExecutionResult::Created { .. }), "{result:?}");
        result.execution_id().clone()
    }

    pub(crate) async fn given_created(&self) -> ExecutionId {
        self.create(|_| ()).await
    }

    pub(crate) async fn given_claimed(&self) -> Handle {
        self.given_created().await;
        self.claim().await
    }

    pub(crate) async fn given_claimed_with(&self, policy: ExecutionPolicy) -> Handle {
        self.create(|args| args.policy = Some(policy)).await;
        self.claim().await
    }

    pub(crate) async fn given_completed(&self) -> Handle {
        let handle = self.given_claimed().await;
        self.backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();
        handle
    }

    /// Claims until `count` executions are held.
    pub(crate) async fn given_several_claimed(&self, count: usize) -> Vec<Handle> {
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            handles.push(self.given_claimed().await);
        }
        handles
    }
}

// ---- when ----------------------------------------------------------------------------------

impl Cx {
    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Claims for worker `worker` and expects work.
    pub(crate) async fn claim(&self) -> Handle {
        self.claim_as("worker").await
    }

    pub(crate) async fn claim_as(&self, name: &str) -> Handle {
        self.try_claim_as(name).await.unwrap()
    }

    pub(crate) async fn try_claim(&self) -> Option<Handle> {
        self.try_claim_as("worker").await
    }

    async fn try_claim_as(&self, name: &str) -> Option<Handle> {
        self.backend.claim(&lane(), &CapabilitySet::default(), worker(name)).await.unwrap()
    }

    /// Claims until there is nothing left.
    pub(crate) async fn claim_all(&self) -> Vec<Handle> {
        let mut handles = Vec::new();
        while let Some(handle) = self.try_claim().await {
            handles.push(handle);
            assert!(handles.len() < ENOUGH, "there is no end of work");
        }
        handles
    }

    /// Creates an execution in a lane of its own and claims it.
    pub(crate) async fn claim_other(&self) -> Handle {
        let lane = LaneId::new("other");
        self.create(|args| args.lane_id = lane.clone()).await;
        let claimed = self.backend.claim(&lane, &CapabilitySet::default(), worker("other")).await;
        claimed.unwrap().unwrap()
    }

    pub(crate) async fn claim_batch(&self, max: u32) -> Vec<Handle> {
        let claimed = self.backend.claim_batch(batch_of(max)).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.handle).collect()
    }

    /// Lets the lease's time pass, sweeps, and claims for worker `successor`.
    pub(crate) async fn reclaim_and_claim(&self, handle: &Handle) -> Handle {
        self.advance(LEASE_TTL);
        self.reconcile(ReconcileTask::ExpireLeases).await;
        let successor = self.claim_as("successor").await;
        assert_eq!(successor.execution_id(), handle.execution_id());
        successor
    }

    pub(crate) async fn reconcile(&self, task: ReconcileTask) -> ScanReport {
        self.backend.reconcile(task, LIMIT).await.unwrap()
    }

    /// Fails with a class that is tried again, and lets the backoff pass.
    pub(crate) async fn fail_and_wait(&self, handle: &Handle) {
        let outcome = self.fail(handle, FailureClass::Transient).await.unwrap();
        let FailOutcome::RetryScheduled { delay_until } = outcome else {
            unreachable!("no retry was scheduled: {outcome:?}");
        };
        self.clock.set(delay_until);
    }

    pub(crate) async fn fail(
        &self,
        handle: &Handle,
        class: FailureClass,
    ) -> Result<FailOutcome, EngineError> {
        self.backend.fail(handle, FailureReason::new("boom"), class).await
    }
}

// ---- then ----------------------------------------------------------------------------------

impl Cx {
    /// The execution as it is stored; its words must agree with each other (STATE-1).
    pub(crate) async fn describe(&self, id: &ExecutionId) -> Execution {
        let execution = self.backend.describe_execution(id).await.unwrap().unwrap();
        crate::assertions::assert_sound(&execution);
        execution
    }

    /// `lifecycle_phase ownership_state eligibility_state attempt_state public_state`.
    pub(crate) async fn words(&self, id: &ExecutionId) -> String {
        let execution = self.describe(id).await;
        format!(
            "{} {} {} {} {}",
            execution.lifecycle_phase,
            execution.ownership_state,
            execution.eligibility_state,
            execution.attempt_state,
            execution.public_state
        )
    }

    pub(crate) async fn attempts(&self, id: &ExecutionId) -> Vec<Attempt> {
        self.backend.list_attempts(id).await.unwrap()
    }

    pub(crate) async fn attempt(&self, handle: &Handle) -> Attempt {
        let attempts = self.attempts(handle.execution_id()).await;
        let of_handle =
            attempts.into_iter().find(|attempt| attempt.attempt_index == handle.attempt_index());
        of_handle.unwrap()
    }

    pub(crate) async fn attempt_at(&self, id: &ExecutionId, index: u32) -> Attempt {
        let attempts = self.attempts(id).await;
        attempts.into_iter().find(|one| one.attempt_index == AttemptIndex::new(index)).unwrap()
    }

    pub(crate) async fn result(&self, id: &ExecutionId) -> Option<Vec<u8>> {
        self.backend.get_execution_result(id).await.unwrap()
    }

    /// The execution's events as `stream name`, oldest first.
    pub(crate) async fn events(&self, id: &ExecutionId) -> Vec<String> {
        let events = self.backend.list_execution_events(id).await.unwrap();
        events.iter().map(|event| format!("{} {}", event.stream, event.name)).collect()
    }

    /// How many completion events the execution has.
    pub(crate) async fn completions(&self, id: &ExecutionId) -> usize {
        self.events(id).await.iter().filter(|event| event.starts_with("completion ")).count()
    }

    /// The store still does what it is for.
    pub(crate) async fn assert_usable(&self) {
        let id = self.create(|args| args.lane_id = LaneId::new("usable")).await;
        let claimed = self
            .backend
            .claim(&LaneId::new("usable"), &CapabilitySet::default(), worker("worker"))
            .await
            .unwrap();
        let handle = claimed.unwrap();
        assert_eq!(handle.execution_id(), &id);
        self.backend.renew(&handle).await.unwrap();
        self.backend.complete(&handle, None).await.unwrap();
    }
}

// ---- arguments -----------------------------------------------------------------------------

pub(crate) fn lane() -> LaneId {
    LaneId::new(LANE)
}

/// The policy of a worker's only process.
pub(crate) fn worker(name: &str) -> ClaimPolicy {
    waiting_worker(name, None)
}

pub(crate) fn waiting_worker(name: &str, max_wait: Option<Duration>) -> ClaimPolicy {
    let instance = WorkerInstanceId::new(format!("{name}/1"));
    ClaimPolicy::new(WorkerId::new(name), instance, LEASE_TTL_MS, max_wait)
}

pub(crate) fn batch_of(max: u32) -> ClaimBatchArgs {
    let (lanes, capabilities) = (vec![lane()], CapabilitySet::default());
    ClaimBatchArgs { lanes, capabilities, policy: worker("worker"), max }
}

pub(crate) fn retries(max_retries: u32, delay_ms: u64) -> ExecutionPolicy {
    let backoff = BackoffStrategy::Fixed { delay_ms };
    ExecutionPolicy {
        retry_policy: Some(RetryPolicy { max_retries, backoff, ..RetryPolicy::default() }),
        ..ExecutionPolicy::default()
    }
}

pub(crate) fn timeouts(timeout: TimeoutPolicy) -> ExecutionPolicy {
    ExecutionPolicy { timeout_policy: Some(timeout), ..ExecutionPolicy::default() }
}

/// The time `millis` after the case began.
pub(crate) fn after_start(millis: u64) -> TimestampMs {
    START.saturating_add_millis(millis)
}
