use ff_core::contracts::ReconcileTask;

use super::assert_refused;
use crate::assertions::{assert_lease_conflict, assert_lease_expired};
use crate::cx::{Cx, LEASE_TTL, ONE_MS};

/// LEASE-2. Every call by handle is refused from the moment that the lease's time is up.
pub(crate) async fn an_expired_lease_allows_nothing(cx: Cx) {
    let handle = cx.given_claimed().await;

    cx.advance(LEASE_TTL);

    assert_refused(&cx, &handle, assert_lease_expired).await;
}

/// LEASE-2. Until that moment every call is accepted.
pub(crate) async fn a_lease_holds_until_its_last_millisecond(cx: Cx) {
    let [completed, renewed, delayed] =
        [cx.given_claimed().await, cx.given_claimed().await, cx.given_claimed().await];
    cx.advance(LEASE_TTL - ONE_MS);

    cx.backend.complete(&completed, None).await.unwrap();
    cx.backend.renew(&renewed).await.unwrap();
    cx.backend.delay(&delayed, cx.now()).await.unwrap();
}

/// LEASE-2. An expired lease stays expired after the sweep.
pub(crate) async fn a_swept_lease_stays_expired(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;

    assert_refused(&cx, &handle, assert_lease_expired).await;
}

/// LEASE-2, SAFE-5. A worker whose lease was reclaimed is refused, and its successor goes on.
pub(crate) async fn a_reclaimed_lease_allows_nothing(cx: Cx) {
    let first = cx.given_claimed().await;
    let second = cx.reclaim_and_claim(&first).await;

    assert_refused(&cx, &first, assert_lease_expired).await;

    cx.backend.complete(&second, Some(b"right".to_vec())).await.unwrap();
    assert_eq!(cx.result(first.execution_id()).await, Some(b"right".to_vec()));
}

/// LEASE-2. A lease that was lost stays lost after the execution finished.
pub(crate) async fn a_lost_lease_stays_lost_after_the_end(cx: Cx) {
    let first = cx.given_claimed().await;
    let second = cx.reclaim_and_claim(&first).await;
    cx.backend.complete(&second, Some(b"right".to_vec())).await.unwrap();

    assert_refused(&cx, &first, assert_lease_expired).await;
}

/// LEASE-2. An expired lease cannot be brought back by a clock that goes back after the sweep.
pub(crate) async fn a_clock_that_goes_back_revives_no_lease(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;

    cx.clock.set(crate::cx::START);

    assert_refused(&cx, &handle, assert_lease_expired).await;
}

/// FIN-6, SAFE-5. A lease that was given back allows nothing.
pub(crate) async fn a_lease_given_back_allows_nothing(cx: Cx) {
    let handle = cx.given_claimed().await;

    cx.backend.delay(&handle, cx.now()).await.unwrap();

    assert_refused(&cx, &handle, assert_lease_conflict).await;
}

/// SAFE-5. A lease whose execution's deadline has passed allows nothing.
pub(crate) async fn a_lease_past_the_deadline_allows_nothing(cx: Cx) {
    let deadline = crate::cx::after_start(10);
    cx.create(|args| args.execution_deadline_at = Some(deadline)).await;
    let handle = cx.claim().await;
    cx.advance(ONE_MS * 10);
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_refused(&cx, &handle, crate::assertions::assert_already_terminal).await;
}
