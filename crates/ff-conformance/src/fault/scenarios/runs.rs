//! Executions from their creation to their end.

use std::time::Duration;

use ff_core::backend::{FailOutcome, FailureClass, FailureReason, Handle};
use ff_core::contracts::{
    Completion, CreateExecutionArgs, CreateExecutionResult, EventStream, ExecutionFilter, Failure,
    ListExpiredLeasesArgs, ReconcileTask,
};
use ff_core::policy::TimeoutPolicy;
use ff_core::types::ExecutionId;
use serde_json::json;

use crate::cx::{LEASE_TTL, LIMIT, retries, timeouts};
use crate::fault::caller::{Answer, Caller, said};

const HOUR: Duration = Duration::from_secs(3_600);

fn word(result: &CreateExecutionResult) -> &'static str {
    match result {
        CreateExecutionResult::Created { .. } => "created",
        CreateExecutionResult::Duplicate { .. } => "a duplicate of itself",
    }
}

fn outcome_word(outcome: &FailOutcome) -> &'static str {
    match outcome {
        FailOutcome::RetryScheduled { .. } => "to be tried again",
        FailOutcome::TerminalFailed => "failed",
    }
}

/// The steps that runs share.
impl Caller {
    pub(super) async fn create(&mut self) -> ExecutionId {
        self.create_from(self.args()).await
    }

    pub(super) async fn create_from(&mut self, args: CreateExecutionArgs) -> ExecutionId {
        let result = self.ask(async |backend| backend.create_execution(args.clone()).await).await;
        let result = result.unwrap();
        assert_eq!(result.execution_id(), &args.execution_id);
        self.tell("create_execution", word(&result));
        self.executions.push(args.execution_id.clone());
        args.execution_id
    }

    pub(super) async fn complete(&mut self, handle: &mut Handle) {
        let result = Some(b"result".to_vec());
        let complete = self
            .ask_by(handle, async |backend, handle| backend.complete(handle, result.clone()).await);
        let answer = complete.await;
        self.tell("complete", said(answer));
    }

    pub(super) async fn fail(&mut self, handle: &mut Handle, class: FailureClass) {
        let reason = FailureReason::new("boom");
        let fail = self.ask_by(handle, async |backend, handle| {
            backend.fail(handle, reason.clone(), class).await
        });
        let outcome = fail.await.unwrap();
        self.tell("fail", outcome_word(&outcome));
    }

    async fn sweep(&mut self, task: ReconcileTask) {
        let processed = self.reconcile(task).await;
        self.tell("reconcile", processed);
    }
}

pub(super) async fn complete(caller: &mut Caller) {
    let args = CreateExecutionArgs { idempotency_key: Some("key".to_owned()), ..caller.args() };
    let id = caller.create_from(args).await;
    let mut handle = caller.claim().await;
    caller.ask_by(&mut handle, async |backend, handle| backend.renew(handle).await).await.unwrap();
    let progress = json!({ "done": 1 });
    caller
        .ask_by(&mut handle, async |backend, handle| {
            backend.progress(handle, progress.clone()).await
        })
        .await
        .unwrap();
    caller.complete(&mut handle).await;
    read(caller, &id).await;
}

/// Every way to read an execution.
async fn read(caller: &mut Caller, id: &ExecutionId) {
    let ids = [id.clone()];
    let filter = ExecutionFilter { lane_id: Some(caller.lane()), ..ExecutionFilter::default() };
    let outcomes = caller.ask(async |backend| backend.read_outcomes(&ids).await).await.unwrap();
    caller.tell("read_outcomes", outcomes[0].as_ref().unwrap().public_state);
    let result = caller.ask(async |backend| backend.get_execution_result(id).await).await.unwrap();
    caller.tell("get_execution_result", format!("{result:?}"));
    let described = caller.ask(async |backend| backend.describe_execution(id).await).await.unwrap();
    caller.tell("describe_execution", described.unwrap().public_state);
    let context = caller.ask(async |backend| backend.read_execution_context(id).await).await;
    caller.tell("read_execution_context", context.unwrap().execution_kind);
    let page =
        caller.ask(async |backend| backend.list_executions(&filter, None, LIMIT).await).await;
    caller.tell("list_executions", page.unwrap().executions.len());
    let counts = caller.ask(async |backend| backend.count_executions(&filter).await).await.unwrap();
    caller.tell("count_executions", counts[0].count);
    let attempts = caller.ask(async |backend| backend.list_attempts(id).await).await.unwrap();
    caller.tell("list_attempts", format!("{:?}", attempts.last().unwrap().outcome));
    let events = caller.ask(async |backend| backend.list_execution_events(id).await).await.unwrap();
    caller.tell("list_execution_events", &events.last().unwrap().name);
    let stream = EventStream::Completion;
    caller.ask(async |backend| backend.read_events(stream, None, LIMIT).await).await.unwrap();
}

pub(super) async fn batches(caller: &mut Caller) {
    let batch = vec![caller.args(), caller.args()];
    let created = caller.ask(async |backend| backend.create_executions(batch.clone()).await).await;
    for result in created.unwrap() {
        caller.tell("create_executions", word(&result));
        caller.executions.push(result.execution_id().clone());
    }
    let mut handles = caller.claim_batch().await;
    assert_eq!(handles.len(), 2);
    handles.sort_by_key(|handle| handle.execution_id().uuid());
    under(caller, &mut handles, async |backend, handles| backend.renew_batch(handles).await)
        .await
        .unwrap();
    under(caller, &mut handles, async |backend, handles| backend.check_leases(handles).await)
        .await
        .unwrap();
    let (first, second) = handles.split_at_mut(1);
    let completed = under(caller, first, async |backend, handles| {
        let batch = handles.iter().map(completion).collect();
        backend.complete_batch(batch).await
    });
    let answer = completed.await;
    caller.tell("complete_batch", said(answer));
    let failed = under(caller, second, async |backend, handles| {
        let batch = handles.iter().map(failure).collect();
        backend.fail_batch(batch).await
    });
    let answer = failed.await.unwrap();
    caller.tell("fail_batch", outcome_word(&answer));
}

/// The last answer of a batch, none of whose items has lost its lease.
async fn under<T>(
    caller: &mut Caller,
    handles: &mut [Handle],
    call: impl AsyncFn(&dyn ff_core::engine_backend::EngineBackend, &[Handle]) -> Answer<Vec<Answer<T>>>,
) -> Answer<T> {
    let is_lost = |answers: &Answer<Vec<Answer<T>>>| {
        let mut answers = answers.iter().flatten();
        answers.any(|answer| answer.as_ref().is_err_and(|error| error.is_lease_lost()))
    };
    caller.ask_under(handles, call, is_lost).await.unwrap().pop().unwrap()
}

fn completion(handle: &Handle) -> Completion {
    Completion { handle: handle.clone(), result: None }
}

fn failure(handle: &Handle) -> Failure {
    let (reason, class) = (FailureReason::new("boom"), FailureClass::Permanent);
    Failure { handle: handle.clone(), reason, class }
}

pub(super) async fn retry(caller: &mut Caller) {
    let policy = Some(retries(1, 5_000));
    caller.create_from(CreateExecutionArgs { policy, ..caller.args() }).await;
    let mut handle = caller.claim().await;
    caller.fail(&mut handle, FailureClass::Transient).await;
    caller.advance(Duration::from_secs(5));
    caller.sweep(ReconcileTask::PromoteDue).await;
    let mut handle = caller.claim().await;
    caller.fail(&mut handle, FailureClass::Transient).await;
}

pub(super) async fn give_back(caller: &mut Caller) {
    caller.create().await;
    let mut handle = caller.claim().await;
    let until = caller.now();
    let delay =
        caller.ask_by(&mut handle, async |backend, handle| backend.delay(handle, until).await);
    let answer = delay.await;
    caller.tell("delay", said(answer));
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn expire(caller: &mut Caller) {
    caller.create().await;
    let stale = caller.claim().await;
    caller.advance(LEASE_TTL);
    let mut args = ListExpiredLeasesArgs::new(caller.now());
    args.namespace = Some(caller.namespace());
    let list = caller.ask(async |backend| backend.list_expired_leases(args.clone()).await);
    let expired = list.await.unwrap().entries.len();
    caller.tell("list_expired_leases", expired);
    caller.sweep(ReconcileTask::ExpireLeases).await;
    let refused = caller.ask(async |backend| backend.complete(&stale, None).await).await;
    caller.tell("complete", said(refused));
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn time_out(caller: &mut Caller) {
    let limit = TimeoutPolicy { attempt_timeout_ms: Some(10_000), ..TimeoutPolicy::default() };
    let mut policy = timeouts(limit);
    policy.retry_policy = retries(1, 0).retry_policy;
    caller.create_from(CreateExecutionArgs { policy: Some(policy), ..caller.args() }).await;
    caller.claim().await;
    caller.advance(Duration::from_secs(10));
    caller.sweep(ReconcileTask::TimeOutAttempts).await;
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn miss_a_deadline(caller: &mut Caller) {
    let hour_ms = u64::try_from(HOUR.as_millis()).unwrap();
    let execution_deadline_at = Some(caller.now().saturating_add_millis(hour_ms));
    caller.create_from(CreateExecutionArgs { execution_deadline_at, ..caller.args() }).await;
    caller.claim().await;
    caller.advance(HOUR);
    caller.sweep(ReconcileTask::ExpireDeadlines).await;
}

pub(super) async fn trim(caller: &mut Caller) {
    let namespace = caller.namespace();
    let set = caller.ask(async |backend| backend.set_retention(&namespace, Some(HOUR)).await);
    set.await.unwrap();
    caller.create().await;
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
    caller.advance(HOUR * 2);
    caller.sweep(ReconcileTask::TrimRetention).await;
}
