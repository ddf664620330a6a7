use ff_core::types::LeaseEpoch;

use super::{assert_refused, forged};
use crate::assertions::{assert_lease_conflict, assert_other_backend};
use crate::cx::{Cx, retries};
use crate::fixture::AttemptKey;
use ff_core::backend::FailureClass;

/// LEASE-1. A handle whose epoch is not the row's is refused.
pub(crate) async fn another_epoch_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    assert_refused(&cx, &forged(&handle, 4, "2"), assert_lease_conflict).await;
    assert_refused(&cx, &forged(&handle, 4, "0"), assert_lease_conflict).await;
    let largest = u64::MAX.to_string();
    assert_refused(&cx, &forged(&handle, 4, &largest), assert_lease_conflict).await;
}

/// LEASE-1. A handle whose epoch the row has left behind is refused.
pub(crate) async fn an_older_epoch_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;
    let at =
        AttemptKey { execution_id: handle.execution_id(), attempt_index: handle.attempt_index() };
    cx.probe().write_attempt_number(at, "lease_epoch", 2).await;

    assert_refused(&cx, &handle, assert_lease_conflict).await;

    assert_eq!(cx.attempt(&handle).await.lease_epoch, LeaseEpoch::new(2));
}

/// LEASE-1. A handle of an attempt that there is not is refused.
pub(crate) async fn another_attempt_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    assert_refused(&cx, &forged(&handle, 3, "1"), assert_lease_conflict).await;
    let largest = u32::MAX.to_string();
    assert_refused(&cx, &forged(&handle, 3, &largest), assert_lease_conflict).await;
}

/// LEASE-1. A handle of another process is refused, though it has the epoch.
pub(crate) async fn another_process_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    assert_refused(&cx, &forged(&handle, 7, "worker/2"), assert_lease_conflict).await;
}

/// LEASE-1. A worker that comes back under its old id does not finish for its predecessor.
pub(crate) async fn a_reused_worker_id_does_not_finish_for_its_predecessor(cx: Cx) {
    let first = cx.given_claimed_with(retries(3, 0)).await;
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let second = cx.claim().await;
    assert_eq!(first.worker_instance_id(), second.worker_instance_id());

    let stale = cx.backend.delay(&first, cx.now()).await.unwrap_err();
    let renewed = cx.backend.renew(&first).await.unwrap_err();

    assert!(stale.is_lease_lost() && renewed.is_lease_lost(), "{stale:?}, {renewed:?}");
    cx.backend.complete(&second, None).await.unwrap();
}

/// LEASE-1. A handle of another kind of backend is refused as such.
pub(crate) async fn a_handle_of_another_backend_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    assert_refused(&cx, &forged(&handle, 1, "elsewhere"), assert_other_backend).await;
}

/// LEASE-1. A handle works after it was handed on as text, and in another process.
pub(crate) async fn a_handle_survives_being_handed_on(cx: Cx) {
    let handle = cx.given_claimed().await;
    let other = cx.store.reopen().await;

    let handed_on = handle.to_string().parse().unwrap();

    other.renew(&handed_on).await.unwrap();
    other.complete(&handed_on, None).await.unwrap();
}

/// LEASE-1. A handle of one execution is no proof for another.
pub(crate) async fn a_handle_proves_one_execution(cx: Cx) {
    let handle = cx.given_claimed().await;
    let other = cx.claim_other().await;

    let mixed = forged(&handle, 2, other.execution_id().as_str());

    assert_refused(&cx, &mixed, assert_lease_conflict).await;
}

/// SAFE-6. A write by handle does not hold on an execution that is not active.
pub(crate) async fn an_execution_that_is_not_active_takes_no_writes(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cx.probe().write_word(id, "lifecycle_phase", "runnable").await;
    cx.probe().write_word(id, "ownership_state", "unowned").await;
    cx.probe().write_word(id, "eligibility_state", "blocked_by_operator").await;
    cx.probe().write_word(id, "public_state", "waiting").await;

    for (name, answer) in super::calls_by_handle(&cx, &handle).await {
        assert!(answer.is_err(), "{name} was accepted");
        answer.err().into_iter().for_each(assert_lease_conflict);
    }

    assert_eq!(cx.probe().read_word(id, "lifecycle_phase").await, "runnable");
    assert_eq!(cx.attempt(&handle).await.outcome, None);
}
