use ff_core::contracts::{RevokeLeaseArgs, RevokeLeaseResult};
use ff_core::state::AttemptOutcome;
use ff_core::types::{AttemptIndex, ExecutionId, LeaseEpoch, LeaseId};

use super::{assert_lost, cancel, revocation, revocation_of};
use crate::assertions::{assert_invalid, assert_not_found};
use crate::cx::{Cx, LEASE_TTL, ONE_MS};

#[track_caller]
fn assert_satisfied(answer: RevokeLeaseResult, expected: &str) {
    let RevokeLeaseResult::AlreadySatisfied { reason } = answer else {
        unreachable!("a lease was revoked: {answer:?}");
    };
    assert_eq!(reason, expected);
}

/// OP-3, STATE-1. A revoked lease's execution waits in its lane again, for its next attempt.
pub(crate) async fn revoking_gives_the_execution_back(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    let lease = cx.describe(id).await.lease().unwrap();
    cx.advance(ONE_MS);

    let answer = cx.backend.revoke_lease(revocation(&handle)).await.unwrap();

    let (lease_id, lease_epoch) = (lease.lease_id, handle.lease_epoch());
    assert_eq!(answer, RevokeLeaseResult::Revoked { lease_id, lease_epoch });
    let words = cx.words(id).await;
    assert_eq!(words, "runnable unowned eligible_now attempt_interrupted waiting");
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Interrupted));
    assert_eq!((attempt.lease_expires_at, attempt.terminal_at), (None, Some(cx.now())));
    let next = cx.claim_as("successor").await;
    assert_eq!((next.execution_id(), next.attempt_index()), (id, AttemptIndex::new(1)));
}

/// OP-3, SAFE-5. The worker whose lease was revoked can do nothing with it.
pub(crate) async fn a_revoked_lease_is_lost(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.revoke_lease(revocation(&handle)).await.unwrap();
    assert_lost(&cx, &handle).await;

    let successor = cx.claim_as("successor").await;
    assert_lost(&cx, &handle).await;

    cx.backend.complete(&successor, None).await.unwrap();
}

/// OP-3. A revocation is told by one lease event, and is neither a reclaim nor a retry.
pub(crate) async fn a_revocation_is_told_once(cx: Cx) {
    let handle = cx.given_claimed().await;

    cx.backend.revoke_lease(revocation(&handle)).await.unwrap();
    cx.backend.revoke_lease(revocation(&handle)).await.unwrap();

    let events = cx.events(handle.execution_id()).await;
    assert_eq!(events, ["lease acquired", "lease revoked"]);
    let execution = cx.describe(handle.execution_id()).await;
    assert_eq!((execution.reclaim_count, execution.retry_count), (0, 0));
}

/// OP-3, SAFE-3. Where there is no lease, there is nothing to revoke.
pub(crate) async fn without_a_lease_there_is_nothing_to_revoke(cx: Cx) {
    let waiting = cx.create(|args| args.lane_id = ff_core::types::LaneId::new("waiting")).await;
    let completed = cx.given_completed().await;
    let cancelled = cx.given_claimed().await;
    cancel(&cx, cancelled.execution_id()).await;

    for id in [&waiting, completed.execution_id(), cancelled.execution_id()] {
        let answer = cx.backend.revoke_lease(revocation_of(id, "worker/1")).await.unwrap();
        assert_satisfied(answer, "no_active_lease");
    }
}

/// OP-3. The lease of another process, and one of another id, stay.
pub(crate) async fn another_lease_is_not_revoked(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    let other_lease =
        RevokeLeaseArgs { expected_lease_id: Some(LeaseId::new()), ..revocation(&handle) };

    let of_other = cx.backend.revoke_lease(revocation_of(id, "other/1")).await.unwrap();
    let by_id = cx.backend.revoke_lease(other_lease).await.unwrap();

    assert_satisfied(of_other, "different_worker_instance_id");
    assert_satisfied(by_id, "lease_id_mismatch");
    cx.backend.complete(&handle, None).await.unwrap();
}

/// OP-3. A lease that is named by its id is revoked.
pub(crate) async fn a_lease_is_revoked_by_its_id(cx: Cx) {
    let handle = cx.given_claimed().await;
    let lease = cx.describe(handle.execution_id()).await.lease().unwrap();
    let args = RevokeLeaseArgs { expected_lease_id: Some(lease.lease_id), ..revocation(&handle) };

    let answer = cx.backend.revoke_lease(args).await.unwrap();

    assert!(matches!(answer, RevokeLeaseResult::Revoked { .. }), "{answer:?}");
}

/// OP-3. A lease whose time is up and that nobody has ended is still one to revoke.
pub(crate) async fn an_expired_lease_can_be_revoked(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL);

    let answer = cx.backend.revoke_lease(revocation(&handle)).await.unwrap();

    assert!(matches!(answer, RevokeLeaseResult::Revoked { .. }), "{answer:?}");
    cx.claim().await;
}

/// OP-3, SAFE-5. A lease that another program gave, on an attempt with the outcome that it had before, is one
/// to revoke.
pub(crate) async fn a_lease_on_a_stale_outcome_can_be_revoked(cx: Cx) {
    let handle = cx.given_claimed().await;
    super::write_stale_outcome(&cx, &handle).await;

    let answer = cx.backend.revoke_lease(revocation(&handle)).await.unwrap();

    assert!(matches!(answer, RevokeLeaseResult::Revoked { .. }), "{answer:?}");
    let attempt = cx.attempt_at(handle.execution_id(), 0).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Interrupted));
    assert_eq!(attempt.lease_expires_at, None);
    cx.claim().await;
}

/// OP-3. A lease's id is made of execution, attempt and epoch, the same on every backend.
pub(crate) async fn a_lease_id_is_derived_from_its_lease(cx: Cx) {
    let template = cx.mint_id();
    let uuid = uuid::Uuid::from_u128(0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00);
    let id = ExecutionId::from_parts(template.partition(), uuid);
    cx.create(|args| args.execution_id = id.clone()).await;

    let first = cx.claim().await;
    let lease_id = cx.describe(&id).await.lease().unwrap().lease_id;
    cx.backend.revoke_lease(revocation(&first)).await.unwrap();
    cx.claim().await;
    let next = cx.describe(&id).await.lease().unwrap();

    assert_eq!(lease_id.to_string(), "11223344-5566-7789-99aa-bbccddeeff00");
    assert_eq!(
        (next.epoch, next.lease_id.to_string().as_str()),
        (LeaseEpoch::new(1), "11223344-5566-7789-99aa-bbcdddeeff00")
    );
}

/// OP-3. An unknown execution is not found, and a reason beyond the limit is refused.
pub(crate) async fn a_bad_revocation_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;
    let unknown = revocation_of(&cx.mint_id(), "worker/1");
    let long = RevokeLeaseArgs { reason: "x".repeat(10_000), ..revocation(&handle) };

    assert_not_found(cx.backend.revoke_lease(unknown).await.unwrap_err());
    assert_invalid(cx.backend.revoke_lease(long).await.unwrap_err(), "reason");

    cx.backend.renew(&handle).await.unwrap();
}

/// FLOW-7, LEASE-2. Checking leases says which still hold, each on its own, and changes none.
pub(crate) async fn checking_leases_changes_none(cx: Cx) {
    let held = cx.given_claimed().await;
    let revoked = cx.given_claimed().await;
    let completed = cx.given_completed().await;
    cx.backend.revoke_lease(revocation(&revoked)).await.unwrap();
    let before = cx.describe(held.execution_id()).await;
    cx.advance(ONE_MS);
    let handles = [revoked, held.clone(), completed];

    let checked = cx.backend.check_leases(&handles).await.unwrap();

    let found: Vec<_> = checked.iter().map(Result::is_ok).collect();
    assert_eq!(found, [false, true, false]);
    assert!(checked.iter().flat_map(|one| one.as_ref().err()).all(|error| error.is_lease_lost()));
    assert_eq!(cx.describe(held.execution_id()).await, before);
    assert!(cx.backend.check_leases(&[]).await.unwrap().is_empty());
    cx.advance(LEASE_TTL);
    let mut late = cx.backend.check_leases(&[held]).await.unwrap();
    crate::assertions::assert_lease_expired(late.pop().unwrap().unwrap_err());
}
