use ff_core::backend::FailureClass;
use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::state::PublicState;

use crate::cx::{Cx, ONE_MS, after_start, retries};

/// TIME-2, STATE-1. A delayed execution that is due is promoted.
pub(crate) async fn a_due_execution_is_promoted(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(after_start(10))).await;
    cx.advance(ONE_MS * 10);

    let report = cx.reconcile(ReconcileTask::PromoteDue).await;

    assert_eq!(report.processed, 1);
    let execution = cx.describe(&id).await;
    assert_eq!((execution.public_state, execution.eligible_at), (PublicState::Waiting, None));
    assert_eq!(cx.claim().await.execution_id(), &id);
}

/// TIME-2. A delayed execution that is not due is left alone.
pub(crate) async fn an_execution_that_is_not_due_is_left_alone(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(after_start(10))).await;
    cx.advance(ONE_MS * 9);

    let report = cx.reconcile(ReconcileTask::PromoteDue).await;

    assert_eq!(report, ScanReport::default());
    assert_eq!(cx.describe(&id).await.public_state, PublicState::Delayed);
}

/// TIME-2, FIN-2. A retry that is due is promoted, and keeps that it is one.
pub(crate) async fn a_due_retry_is_promoted(cx: Cx) {
    let handle = cx.given_claimed_with(retries(1, 10)).await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();
    cx.advance(ONE_MS * 10);

    cx.reconcile(ReconcileTask::PromoteDue).await;

    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "runnable unowned eligible_now pending_retry_attempt waiting");
}

/// TIME-2. A claim does not wait for promotion, and promotion leaves what was claimed alone.
pub(crate) async fn a_claimed_execution_is_not_promoted(cx: Cx) {
    cx.create(|args| args.delay_until = Some(after_start(10))).await;
    cx.advance(ONE_MS * 10);
    let handle = cx.claim().await;

    cx.reconcile(ReconcileTask::PromoteDue).await;

    assert_eq!(cx.describe(handle.execution_id()).await.public_state, PublicState::Running);
}
