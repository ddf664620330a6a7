use ff_core::backend::FailureClass;
use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::policy::{ExecutionPolicy, TimeoutPolicy};
use ff_core::state::{AttemptOutcome, PublicState};

use crate::assertions::assert_already_terminal;
use crate::cx::{Cx, ONE_MS, retries};

const TIMEOUT_MS: u32 = 1_000;

fn timing_out(max_retries: u32) -> ExecutionPolicy {
    let attempt_timeout_ms = Some(u64::from(TIMEOUT_MS));
    let timeout_policy = Some(TimeoutPolicy { attempt_timeout_ms, ..TimeoutPolicy::default() });
    ExecutionPolicy { timeout_policy, ..retries(max_retries, 0) }
}

/// TIME-3, STATE-1. An attempt that runs too long ends, and another follows.
pub(crate) async fn an_attempt_that_runs_too_long_is_retried(cx: Cx) {
    let handle = cx.given_claimed_with(timing_out(1)).await;
    cx.advance(ONE_MS * TIMEOUT_MS);

    let report = cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "runnable unowned eligible_now pending_retry_attempt waiting");
    assert_eq!(cx.describe(handle.execution_id()).await.retry_count, 1);
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::TimedOut));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
    assert_eq!(attempt.error.unwrap().class, FailureClass::Timeout);
}

/// TIME-3. An attempt that runs too long and has no retry left ends the execution.
pub(crate) async fn a_timeout_without_retries_fails_the_execution(cx: Cx) {
    let handle = cx.given_claimed_with(timing_out(0)).await;
    cx.advance(ONE_MS * TIMEOUT_MS);

    cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!(cx.describe(handle.execution_id()).await.public_state, PublicState::Failed);
    assert_eq!(cx.attempt(&handle).await.outcome, Some(AttemptOutcome::TimedOut));
}

/// TIME-3. An attempt has its whole time, and one without a limit all the time there is.
pub(crate) async fn an_attempt_has_its_whole_time(cx: Cx) {
    let limited = cx.given_claimed_with(timing_out(1)).await;
    let unlimited = cx.given_claimed().await;
    cx.advance(ONE_MS * (TIMEOUT_MS - 1));

    let early = cx.reconcile(ReconcileTask::TimeOutAttempts).await;
    cx.advance(ONE_MS);
    let due = cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!((early.processed, due.processed), (0, 1));
    let state = async |handle: &ff_core::backend::Handle| {
        cx.describe(handle.execution_id()).await.public_state
    };
    assert_eq!(state(&limited).await, PublicState::Waiting);
    assert_eq!(state(&unlimited).await, PublicState::Running);
}

/// TIME-3. Renewing a lease does not lengthen the attempt.
pub(crate) async fn renewing_does_not_lengthen_an_attempt(cx: Cx) {
    let handle = cx.given_claimed_with(timing_out(1)).await;
    cx.advance(ONE_MS * (TIMEOUT_MS - 1));
    cx.backend.renew(&handle).await.unwrap();
    cx.advance(ONE_MS);

    let report = cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!(report.processed, 1);
}

/// TIME-3. The time of an attempt begins with its own claim.
pub(crate) async fn the_time_of_an_attempt_begins_with_its_claim(cx: Cx) {
    let first = cx.given_claimed_with(timing_out(3)).await;
    cx.advance(ONE_MS * (TIMEOUT_MS - 1));
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let second = cx.claim().await;
    cx.advance(ONE_MS);

    let report = cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!(report.processed, 0);
    cx.backend.complete(&second, None).await.unwrap();
}

/// TIME-3, SAFE-5. The worker of an attempt that timed out is told so.
pub(crate) async fn a_timed_out_attempt_cannot_be_finished(cx: Cx) {
    let handle = cx.given_claimed_with(timing_out(1)).await;
    cx.advance(ONE_MS * TIMEOUT_MS);
    cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    let completed = cx.backend.complete(&handle, None).await.unwrap_err();
    let renewed = cx.backend.renew(&handle).await.unwrap_err();

    assert_already_terminal(completed);
    assert_already_terminal(renewed);
}
