//! One worker that does everything a worker, an operator, a supervisor and a subscriber do, and what they
//! should not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{ClaimPolicy, FailureClass, Handle};
use ff_core::contracts::{CreateExecutionArgs, ReconcileTask, RevokeLeaseArgs};
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy};
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};

use super::dice::Dice;
use super::record::{Answer, Refusal};
use super::recorder::Recorder;
use super::workload::Shared;

/// The lane that everything waits in.
pub(super) const LANE: &str = "history";
/// What one sweep may act on.
pub(super) const SWEEP: u32 = 100;
/// Executions in a batch of creations, and in a batch of claims.
const BATCH: u32 = 3;
/// Idempotency keys that are used again and again.
const KEYS: u64 = 12;

const TASKS: [ReconcileTask; 4] = [
    ReconcileTask::ExpireLeases,
    ReconcileTask::ExpireLeases,
    ReconcileTask::PromoteDue,
    ReconcileTask::ExpireDeadlines,
];

/// The policy of a process that holds leases of the workload.
pub(super) fn policy(client: &str, lease_ttl_ms: u32, wait: Option<Duration>) -> ClaimPolicy {
    let (worker, instance) = (WorkerId::new("history"), WorkerInstanceId::new(client));
    ClaimPolicy::new(worker, instance, lease_ttl_ms, wait)
}

pub(super) struct Client {
    recorder: Recorder,
    shared: Arc<Shared>,
    dice: Dice,
    /// The leases that it means to end.
    held: Vec<Handle>,
    results: u64,
}

impl Client {
    pub(super) fn new(recorder: Recorder, shared: Arc<Shared>) -> Self {
        let dice = Dice::new(shared.workload.seed, recorder.client());
        Self { recorder, shared, dice, held: Vec::new(), results: 0 }
    }

    pub(super) async fn run(mut self) {
        for _ in 0..self.shared.workload.steps {
            self.let_time_pass();
            self.step().await;
        }
    }

    /// Moves the clock, where it does not move by itself, by a twentieth of a lease's time on average.
    fn let_time_pass(&mut self) {
        if let Some(clock) = self.shared.clock.as_ref().filter(|_| self.dice.one_in(5)) {
            let millis = self.dice.below(self.ttl_ms() / 2);
            clock.advance(Duration::from_millis(millis));
        }
    }

    fn ttl_ms(&self) -> u64 {
        u64::from(self.shared.workload.lease_ttl_ms)
    }

    async fn step(&mut self) {
        match self.dice.below(100) {
            0..12 => self.create().await,
            12..16 => self.create_batch().await,
            16..46 if self.held.is_empty() => self.claim().await,
            16..22 => self.claim().await,
            22..30 => self.renew().await,
            30..42 => self.complete().await,
            42..46 => self.complete_batch().await,
            46..54 => self.claim().await,
            54..62 => self.fail().await,
            62..65 => self.delay().await,
            65..68 => drop(self.take_held()),
            68..77 => self.meddle().await,
            77..80 => self.revoke().await,
            80..83 => self.cancel().await,
            83..87 => self.replay().await,
            87..91 => self.sweep().await,
            _ => self.read().await,
        }
    }

    // ---- creations -------------------------------------------------------------------------

    async fn args(&mut self) -> CreateExecutionArgs {
        let lane_id = LaneId::new(LANE);
        let minted = ExecutionId::solo(&lane_id, &self.recorder.backend().partition_config());
        let again = if self.dice.one_in(8) { self.any_execution() } else { None };
        let execution_id = again.unwrap_or(minted);
        let now = self.recorder.now().await;
        let ttl_ms = self.ttl_ms();
        let key = self.dice.one_in(5).then(|| format!("key-{}", self.dice.below(KEYS)));
        let delay_until = self.dice.one_in(10).then(|| now.saturating_add_millis(ttl_ms / 2));
        let deadline = self.dice.one_in(8).then(|| now.saturating_add_millis(ttl_ms * 2));
        CreateExecutionArgs {
            partition_id: execution_id.partition(),
            execution_id,
            namespace: Namespace::new("default"),
            lane_id,
            execution_kind: "history".to_owned(),
            input_payload: Vec::new(),
            payload_encoding: None,
            priority: 0,
            creator_identity: self.recorder.client().to_owned(),
            idempotency_key: key,
            tags: HashMap::new(),
            policy: Some(retries(self.dice.below(2) * ttl_ms / 4)),
            delay_until,
            execution_deadline_at: deadline,
            now,
        }
    }

    async fn create(&mut self) {
        let args = self.args().await;
        self.shared.remember_execution(&args.execution_id);
        self.recorder.create(args).await;
    }

    async fn create_batch(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            batch.push(self.args().await);
        }
        for args in &batch {
            self.shared.remember_execution(&args.execution_id);
        }
        self.recorder.create_batch(batch).await;
    }

    // ---- leases ----------------------------------------------------------------------------

    async fn claim(&mut self) {
        let policy = policy(self.recorder.client(), self.shared.workload.lease_ttl_ms, None);
        let lane = LaneId::new(LANE);
        let claimed = if self.dice.one_in(3) {
            self.recorder.claim_batch(&lane, policy, BATCH).await
        } else {
            self.recorder.claim(&lane, policy).await
        };
        if let Answer::Claimed(handles) = claimed {
            handles.iter().for_each(|handle| self.shared.remember_handle(handle));
            self.held.extend(handles);
        }
    }

    async fn renew(&mut self) {
        let held = self.held.clone();
        let answers = if self.dice.one_in(2) {
            self.recorder.renew_batch(&held).await
        } else if let Some(handle) = held.first() {
            vec![self.recorder.renew(handle).await]
        } else {
            Vec::new()
        };
        let lost: Vec<&Handle> =
            held.iter().zip(answers).filter(|(_, answer)| is_lost(answer)).map(|it| it.0).collect();
        self.held.retain(|handle| !lost.contains(&handle));
    }

    async fn complete(&mut self) {
        let Some(handle) = self.take_held() else { return };
        let result = self.next_result();
        self.recorder.complete(&handle, result.clone()).await;
        if self.dice.one_in(4) {
            self.recorder.complete(&handle, result).await;
        }
        if self.dice.one_in(8) {
            let another = self.next_result();
            self.recorder.complete(&handle, another).await;
        }
    }

    async fn complete_batch(&mut self) {
        let batch = self.take_all_held();
        self.recorder.complete_batch(batch).await;
    }

    async fn fail(&mut self) {
        let class = self.any_class();
        if self.dice.one_in(3) {
            let batch = self.take_all_held();
            self.recorder.fail_batch(batch, class).await;
        } else if let Some(handle) = self.take_held() {
            let reason = self.next_result();
            self.recorder.fail(&handle, reason.clone(), class).await;
            if self.dice.one_in(4) {
                self.recorder.fail(&handle, reason, class).await;
            }
        }
    }

    async fn delay(&mut self) {
        let Some(handle) = self.take_held() else { return };
        let until = self.until().await;
        self.recorder.delay(&handle, until).await;
    }

    /// Calls by a handle that another client, or it itself, was given some time ago.
    async fn meddle(&mut self) {
        let Some(handle) = self.shared.any_handle(&mut self.dice) else { return };
        let result = self.next_result();
        match self.dice.below(5) {
            0 => drop(self.recorder.complete(&handle, result).await),
            1 => {
                let class = self.any_class();
                self.recorder.fail(&handle, result, class).await;
            }
            2 => {
                let until = self.until().await;
                self.recorder.delay(&handle, until).await;
            }
            _ => drop(self.recorder.renew(&handle).await),
        }
    }

    fn take_held(&mut self) -> Option<Handle> {
        let index = self.dice.below(self.held.len() as u64);
        (!self.held.is_empty()).then(|| self.held.remove(usize::try_from(index).unwrap_or(0)))
    }

    fn take_all_held(&mut self) -> Vec<(Handle, String)> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|handle| (handle, self.next_result())).collect()
    }

    fn next_result(&mut self) -> String {
        self.results += 1;
        format!("{}-{}", self.recorder.client(), self.results)
    }

    fn any_class(&mut self) -> FailureClass {
        match self.dice.below(6) {
            0 => FailureClass::Permanent,
            1 => FailureClass::Cancelled,
            _ => FailureClass::Transient,
        }
    }

    async fn until(&mut self) -> TimestampMs {
        let millis = self.dice.below(2) * self.ttl_ms() / 4;
        self.recorder.now().await.saturating_add_millis(millis)
    }

    // ---- operators, supervisors and subscribers --------------------------------------------

    fn any_execution(&mut self) -> Option<ExecutionId> {
        self.shared.any_execution(&mut self.dice)
    }

    async fn revoke(&mut self) {
        let own = self.held.last().filter(|_| self.dice.one_in(2)).cloned();
        let Some(handle) = own.or_else(|| self.shared.any_handle(&mut self.dice)) else { return };
        let expected = if self.dice.one_in(2) { Some(handle.lease_id()) } else { None };
        let args = RevokeLeaseArgs {
            execution_id: handle.execution_id().clone(),
            expected_lease_id: expected,
            worker_instance_id: handle.worker_instance_id().clone(),
            reason: "history".to_owned(),
        };
        self.recorder.revoke(args).await;
    }

    async fn cancel(&mut self) {
        if self.dice.one_in(2) {
            let Some(fence) = self.shared.any_handle(&mut self.dice) else { return };
            self.recorder.cancel(&fence.execution_id().clone(), Some(fence)).await;
        } else if let Some(id) = self.any_execution() {
            self.recorder.cancel(&id, None).await;
        }
    }

    async fn replay(&mut self) {
        let Some(id) = self.any_execution() else { return };
        self.recorder.replay(&id).await;
    }

    async fn sweep(&mut self) {
        if let Some(task) = self.dice.pick(&TASKS) {
            self.recorder.reconcile(*task, SWEEP).await;
        }
    }

    async fn read(&mut self) {
        let limit = 1 + u32::try_from(self.dice.below(20)).unwrap_or(0);
        let shared = Arc::clone(&self.shared);
        if let Some(subscriber) = self.dice.pick(&shared.subscribers) {
            subscriber.lock().await.read_page(&self.recorder, limit).await;
        }
    }
}

fn is_lost(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(refusal) if *refusal != Refusal::Busy)
}

fn retries(delay_ms: u64) -> ExecutionPolicy {
    let backoff = BackoffStrategy::Fixed { delay_ms };
    ExecutionPolicy {
        retry_policy: Some(RetryPolicy { max_retries: 2, backoff, ..RetryPolicy::default() }),
        ..ExecutionPolicy::default()
    }
}
