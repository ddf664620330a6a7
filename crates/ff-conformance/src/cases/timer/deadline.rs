use ff_core::backend::FailureClass;
use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::ExecutionId;

use crate::cx::{Cx, ONE_MS, after_start};

async fn given_deadline(cx: &Cx) -> ExecutionId {
    cx.create(|args| args.execution_deadline_at = Some(after_start(10))).await
}

/// TIME-4, STATE-1. An execution whose deadline passes while it waits expires.
pub(crate) async fn a_waiting_execution_expires(cx: Cx) {
    let id = given_deadline(&cx).await;
    cx.advance(ONE_MS * 10);

    let report = cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    let words = cx.words(&id).await;
    assert_eq!(words, "terminal unowned not_applicable attempt_terminal expired");
    assert_eq!(cx.describe(&id).await.terminal_at, Some(cx.now()));
    assert_eq!(cx.try_claim().await, None);
}

/// TIME-4, STATE-1. An execution whose deadline passes while it runs expires, and its lease ends.
pub(crate) async fn a_running_execution_expires(cx: Cx) {
    given_deadline(&cx).await;
    let handle = cx.claim().await;
    cx.advance(ONE_MS * 10);

    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "terminal unowned not_applicable attempt_terminal expired");
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Expired));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
}

/// TIME-4. An execution whose deadline passes between two attempts expires.
pub(crate) async fn an_execution_between_attempts_expires(cx: Cx) {
    given_deadline(&cx).await;
    let handle = cx.claim().await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();
    cx.advance(ONE_MS * 10);

    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.describe(handle.execution_id()).await.public_state, PublicState::Expired);
    let outcome = cx.attempt(&handle).await.outcome;
    assert_eq!(outcome, Some(AttemptOutcome::Retry), "the history stays");
}

/// TIME-4. A delayed execution expires before it is due.
pub(crate) async fn a_delayed_execution_expires(cx: Cx) {
    let id = cx
        .create(|args| {
            args.execution_deadline_at = Some(after_start(10));
            args.delay_until = Some(after_start(20));
        })
        .await;
    cx.advance(ONE_MS * 10);

    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.describe(&id).await.public_state, PublicState::Expired);
}

/// TIME-4. What has finished, or has time left, or no deadline, does not expire.
pub(crate) async fn only_what_is_late_expires(cx: Cx) {
    given_deadline(&cx).await;
    let finished = cx.claim().await;
    cx.backend.complete(&finished, None).await.unwrap();
    let in_time = cx.create(|args| args.execution_deadline_at = Some(after_start(11))).await;
    let without = cx.given_created().await;
    cx.advance(ONE_MS * 10);

    let report = cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(report, ScanReport::default());
    let state = async |id: &ExecutionId| cx.describe(id).await.public_state;
    assert_eq!(state(finished.execution_id()).await, PublicState::Completed);
    assert_eq!(state(&in_time).await, PublicState::Waiting);
    assert_eq!(state(&without).await, PublicState::Waiting);
}
