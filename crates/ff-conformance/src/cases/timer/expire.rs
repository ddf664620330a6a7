use ff_core::backend::FailureClass;
use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::policy::TimeoutPolicy;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{AttemptIndex, LeaseEpoch};

use crate::cx::{Cx, LEASE_TTL, ONE_MS, timeouts};

/// TIME-1, STATE-1. An expired lease gives the execution back to its lane.
pub(crate) async fn an_expired_lease_gives_the_execution_back(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL);

    let report = cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "runnable unowned eligible_now attempt_interrupted waiting");
    let execution = cx.describe(handle.execution_id()).await;
    assert_eq!(execution.attempt_index, AttemptIndex::new(1));
    assert_eq!((execution.reclaim_count, execution.retry_count), (1, 0));
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Interrupted));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
    assert_eq!(attempt.error.unwrap().class, FailureClass::InfraCrash);
}

/// TIME-1. A lease that still holds is left alone.
pub(crate) async fn a_lease_that_holds_is_left_alone(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.given_created().await;
    cx.advance(LEASE_TTL - ONE_MS);
    let before = cx.describe(handle.execution_id()).await;

    let report = cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_eq!(report, ScanReport::default());
    assert_eq!(cx.describe(handle.execution_id()).await, before);
}

/// TIME-1. The next worker gets a new attempt.
pub(crate) async fn a_reclaim_makes_a_new_attempt(cx: Cx) {
    let first = cx.given_claimed().await;

    let second = cx.reclaim_and_claim(&first).await;

    assert_eq!(second.attempt_index(), AttemptIndex::new(1));
    assert_eq!(second.lease_epoch(), LeaseEpoch::new(1));
    assert_eq!(cx.attempts(first.execution_id()).await.len(), 2);
}

/// TIME-1. An execution that loses its workers too often fails.
pub(crate) async fn an_execution_that_loses_its_workers_too_often_fails(cx: Cx) {
    let policy = timeouts(TimeoutPolicy { max_reclaim_count: 1, ..TimeoutPolicy::default() });
    let first = cx.given_claimed_with(policy).await;
    let second = cx.reclaim_and_claim(&first).await;
    cx.advance(LEASE_TTL);

    let report = cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_eq!(report.processed, 1);
    let words = cx.words(first.execution_id()).await;
    assert_eq!(words, "terminal unowned not_applicable attempt_terminal failed");
    let execution = cx.describe(first.execution_id()).await;
    assert_eq!((execution.reclaim_count, execution.terminal_at), (2, Some(cx.now())));
    assert_eq!(cx.attempt(&second).await.outcome, Some(AttemptOutcome::Interrupted));
    assert_eq!(cx.try_claim().await, None);
}

/// TIME-1. Without a policy a hundred workers may be lost.
pub(crate) async fn without_a_policy_a_hundred_workers_may_be_lost(cx: Cx) {
    let id = cx.given_created().await;
    for _ in 0..100 {
        cx.claim().await;
        cx.advance(LEASE_TTL);
        cx.reconcile(ReconcileTask::ExpireLeases).await;
    }
    let before_the_last = cx.describe(&id).await.public_state;

    cx.claim().await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_eq!(before_the_last, PublicState::Waiting);
    assert_eq!(cx.describe(&id).await.public_state, PublicState::Failed);
}

/// TIME-1, FIN-1. A lease that ended before its time was up is not swept.
pub(crate) async fn an_ended_lease_is_not_swept(cx: Cx) {
    let completed = cx.given_completed().await;
    let failed = cx.given_claimed().await;
    cx.fail(&failed, FailureClass::Transient).await.unwrap();
    let delayed = cx.given_claimed().await;
    cx.backend.delay(&delayed, cx.now()).await.unwrap();
    cx.advance(LEASE_TTL * 2);

    let report = cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_eq!(report, ScanReport::default());
    let result = cx.result(completed.execution_id()).await;
    assert_eq!(result, Some(b"result".to_vec()));
}
