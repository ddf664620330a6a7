//! A client of a backend that notes every call and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::backend::{
    CapabilitySet, ClaimPolicy, FailOutcome, FailureClass, FailureReason, Handle,
};
use ff_core::contracts::{
    CancelExecutionArgs, ClaimBatchArgs, Completion, CreateExecutionArgs, Failure, ReconcileTask,
    ReplayExecutionArgs, RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{CancelSource, ExecutionId, LaneId, TimestampMs};
use tokio::task::yield_now;

use super::log::Log;
use super::record::{Answer, Call, Creation, Entry, Refusal, What};

type Answered<T> = Result<T, EngineError>;

/// Makes calls and notes them in a [`Log`], each before it is made and again when its answer has come.
///
/// Between the two notes and the call it lets other tasks run, so that calls overlap on a store that answers
/// without ever waiting too.
pub struct Recorder {
    backend: Arc<dyn EngineBackend>,
    log: Arc<Log>,
    client: String,
    calls: AtomicU64,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Recorder {
    /// A client. No two of one log may have the same name.
    pub fn new(backend: Arc<dyn EngineBackend>, log: Arc<Log>, client: String) -> Self {
        Self { backend, log, client, calls: AtomicU64::new(0) }
    }

    /// The backend, for calls that no history needs.
    pub fn backend(&self) -> &Arc<dyn EngineBackend> {
        &self.backend
    }

    /// The client's name.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Creates one execution.
    pub async fn create(&self, args: CreateExecutionArgs) -> Answer {
        let call = Call::Create(vec![creation(&args)]);
        self.one(call, async {
            let created = self.backend.create_execution(args).await;
            told(created, |result| Answer::of_creations(vec![result]))
        })
        .await
    }

    /// Creates several executions, all or none.
    pub async fn create_batch(&self, batch: Vec<CreateExecutionArgs>) -> Answer {
        let call = Call::Create(batch.iter().map(creation).collect());
        self.one(call, async {
            told(self.backend.create_executions(batch).await, Answer::of_creations)
        })
        .await
    }

    /// Claims one execution.
    pub async fn claim(&self, lane: &LaneId, policy: ClaimPolicy) -> Answer {
        let call = Call::Claim { instance: policy.worker_instance_id.clone(), max: 1 };
        self.one(call, async {
            let claimed = self.backend.claim(lane, &CapabilitySet::default(), policy).await;
            told(claimed, |handle| Answer::Claimed(handle.into_iter().collect()))
        })
        .await
    }

    /// Claims up to `max` executions.
    pub async fn claim_batch(&self, lane: &LaneId, policy: ClaimPolicy, max: u32) -> Answer {
        let call = Call::Claim { instance: policy.worker_instance_id.clone(), max };
        let (lanes, capabilities) = (vec![lane.clone()], CapabilitySet::default());
        let args = ClaimBatchArgs { lanes, capabilities, policy, max };
        self.one(call, async {
            told(self.backend.claim_batch(args).await, |claimed| {
                Answer::Claimed(claimed.into_iter().map(|claimed| claimed.handle).collect())
            })
        })
        .await
    }

    /// Renews one lease.
    pub async fn renew(&self, handle: &Handle) -> Answer {
        self.one(Call::Renew(handle.clone()), async {
            told(self.backend.renew(handle).await, |renewal| Answer::Renewed(renewal.expires_at))
        })
        .await
    }

    /// Renews several leases.
    pub async fn renew_batch(&self, handles: &[Handle]) -> Vec<Answer> {
        let calls = handles.iter().cloned().map(Call::Renew).collect();
        let made = self.backend.renew_batch(handles);
        self.batch(calls, made, |renewal| Answer::Renewed(renewal.expires_at)).await
    }

    /// Ends a lease with success.
    pub async fn complete(&self, handle: &Handle, result: String) -> Answer {
        let bytes = Some(result.clone().into_bytes());
        self.one(Call::Complete { handle: handle.clone(), result }, async {
            told(self.backend.complete(handle, bytes).await, |()| Answer::Done)
        })
        .await
    }

    /// Ends several leases with success.
    pub async fn complete_batch(&self, batch: Vec<(Handle, String)>) -> Vec<Answer> {
        let completion = |(handle, result): &(Handle, String)| Completion {
            handle: handle.clone(),
            result: Some(result.clone().into_bytes()),
        };
        let completions = batch.iter().map(completion).collect();
        let call = |(handle, result)| Call::Complete { handle, result };
        let calls = batch.into_iter().map(call).collect();
        self.batch(calls, self.backend.complete_batch(completions), |()| Answer::Done).await
    }

    /// Ends a lease with a failure.
    pub async fn fail(&self, handle: &Handle, reason: String, class: FailureClass) -> Answer {
        let given = FailureReason::new(reason.clone());
        self.one(Call::Fail { handle: handle.clone(), reason, class }, async {
            told(self.backend.fail(handle, given, class).await, failed)
        })
        .await
    }

    /// Ends several leases with a failure of one class.
    pub async fn fail_batch(
        &self,
        batch: Vec<(Handle, String)>,
        class: FailureClass,
    ) -> Vec<Answer> {
        let failure = |(handle, reason): &(Handle, String)| Failure {
            handle: handle.clone(),
            reason: FailureReason::new(reason.clone()),
            class,
        };
        let failures = batch.iter().map(failure).collect();
        let call = |(handle, reason)| Call::Fail { handle, reason, class };
        let calls = batch.into_iter().map(call).collect();
        self.batch(calls, self.backend.fail_batch(failures), failed).await
    }

    /// Gives a lease back.
    pub async fn delay(&self, handle: &Handle, until: TimestampMs) -> Answer {
        self.one(Call::Delay { handle: handle.clone(), until }, async {
            told(self.backend.delay(handle, until).await, |()| Answer::Done)
        })
        .await
    }

    /// Cancels an execution, as its holder with a fence and as an operator without.
    pub async fn cancel(&self, execution_id: &ExecutionId, fence: Option<Handle>) -> Answer {
        let now = self.now().await;
        let args = CancelExecutionArgs {
            execution_id: execution_id.clone(),
            reason: "history".to_owned(),
            source: match fence {
                Some(_) => CancelSource::LeaseHolder,
                None => CancelSource::OperatorOverride,
            },
            lease_id: fence.as_ref().map(Handle::lease_id),
            lease_epoch: fence.as_ref().map(Handle::lease_epoch),
            attempt_id: None,
            now,
        };
        self.one(Call::Cancel { execution_id: execution_id.clone(), fence }, async {
            told(self.backend.cancel_execution(args).await, |_| Answer::Done)
        })
        .await
    }

    /// Takes a lease away.
    pub async fn revoke(&self, args: RevokeLeaseArgs) -> Answer {
        let call = Call::Revoke {
            execution_id: args.execution_id.clone(),
            instance: args.worker_instance_id.clone(),
            lease_id: args.expected_lease_id,
        };
        self.one(call, async {
            told(self.backend.revoke_lease(args).await, |result| match result {
                RevokeLeaseResult::Revoked { lease_id, .. } => Answer::Revoked(lease_id),
                RevokeLeaseResult::AlreadySatisfied { reason } => Answer::NotRevoked(reason),
            })
        })
        .await
    }

    /// Sets a finished execution to run again.
    pub async fn replay(&self, execution_id: &ExecutionId) -> Answer {
        let args =
            ReplayExecutionArgs { execution_id: execution_id.clone(), now: self.now().await };
        self.one(Call::Replay(execution_id.clone()), async {
            told(self.backend.replay_execution(args).await, |_| Answer::Done)
        })
        .await
    }

    /// Does a part of what time has made due.
    pub async fn reconcile(&self, task: ReconcileTask, limit: u32) -> Answer {
        self.one(Call::Reconcile(task), async {
            told(self.backend.reconcile(task, limit).await, |report| {
                Answer::Swept(report.processed)
            })
        })
        .await
    }

    /// The backend's time; 0 when it does not tell.
    pub async fn now(&self) -> TimestampMs {
        self.backend.now().await.unwrap_or(TimestampMs(0))
    }

    /// Notes a call of any kind, makes it and notes its answer.
    pub(super) async fn one(&self, call: Call, made: impl Future<Output = Answer>) -> Answer {
        let number = self.called(call);
        yield_now().await;
        let answer = made.await;
        yield_now().await;
        self.answered(number, answer.clone());
        answer
    }

    /// Notes each item of a batch as a call.
    async fn batch<T>(
        &self,
        calls: Vec<Call>,
        made: impl Future<Output = Answered<Vec<Answered<T>>>>,
        tell: impl Fn(T) -> Answer,
    ) -> Vec<Answer> {
        let numbers: Vec<u64> = calls.into_iter().map(|call| self.called(call)).collect();
        yield_now().await;
        let answers = match made.await {
            Ok(answers) => answers.into_iter().map(|answer| told(answer, &tell)).collect(),
            Err(error) => vec![Answer::of_error(&error); numbers.len()],
        };
        yield_now().await;
        let missing = || Answer::Refused(Refusal::Other("the batch has no answer for it".into()));
        let answers: Vec<Answer> = answers
            .into_iter()
            .chain(std::iter::repeat_with(missing))
            .take(numbers.len())
            .collect();
        for (number, answer) in numbers.into_iter().zip(&answers) {
            self.answered(number, answer.clone());
        }
        answers
    }

    fn called(&self, call: Call) -> u64 {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        self.note(number, What::Called(call));
        number
    }

    fn answered(&self, number: u64, answer: Answer) {
        self.note(number, What::Answered(answer));
    }

    fn note(&self, number: u64, what: What) {
        self.log.append(Entry { client: self.client.clone(), number, what });
    }
}

fn creation(args: &CreateExecutionArgs) -> Creation {
    Creation { execution_id: args.execution_id.clone(), key: args.idempotency_key.clone() }
}

fn failed(outcome: FailOutcome) -> Answer {
    match outcome {
        FailOutcome::RetryScheduled { delay_until } => Answer::RetryAt(delay_until),
        FailOutcome::TerminalFailed => Answer::Ended,
    }
}

fn told<T>(answered: Answered<T>, tell: impl FnOnce(T) -> Answer) -> Answer {
    answered.map_or_else(|error| Answer::of_error(&error), tell)
}
