use ff_core::backend::{FailureClass, HandleKind};
use ff_core::contracts::ReconcileTask;
use ff_core::types::{AttemptIndex, LeaseEpoch, WorkerId, WorkerInstanceId};

use crate::cx::{Cx, LEASE_TTL, LEASE_TTL_MS, ONE_MS, retries};
use crate::fixture::AttemptKey;

/// CLAIM-2, STATE-1. A claim makes the execution run under a lease.
pub(crate) async fn a_claim_makes_the_execution_run(cx: Cx) {
    let id = cx.given_created().await;
    cx.advance(ONE_MS);

    let handle = cx.claim().await;

    assert_eq!(handle.execution_id(), &id);
    assert_eq!(cx.words(&id).await, "active leased not_applicable running_attempt running");
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.worker_id, Some(WorkerId::new("worker")));
    assert_eq!(attempt.worker_instance_id, Some(WorkerInstanceId::new("worker/1")));
    assert_eq!(attempt.lease_epoch, LeaseEpoch::new(1));
    let expires_at = cx.now().saturating_add_millis(u64::from(LEASE_TTL_MS));
    assert_eq!(attempt.lease_expires_at, Some(expires_at));
    assert_eq!((attempt.started_at, attempt.terminal_at), (Some(cx.now()), None));
    assert_eq!((attempt.outcome, attempt.error, attempt.progress), (None, None, None));
}

/// CLAIM-2. The handle says what the claim gave.
pub(crate) async fn a_handle_says_what_the_claim_gave(cx: Cx) {
    let first = cx.given_claimed_with(retries(1, 0)).await;
    cx.fail(&first, FailureClass::Transient).await.unwrap();

    let second = cx.claim_as("other").await;

    let told = |handle: &ff_core::backend::Handle| {
        let worker = handle.worker_instance_id().as_str().to_owned();
        (handle.attempt_index().0, handle.lease_epoch().0, handle.kind(), worker)
    };
    assert_eq!(told(&first), (0, 1, HandleKind::Fresh, "worker/1".to_owned()));
    assert_eq!(told(&second), (1, 1, HandleKind::Reattempt, "other/1".to_owned()));
    assert_eq!(first.lease_ttl_ms(), LEASE_TTL_MS);
    assert_ne!(first.lease_id(), second.lease_id());
}

/// CLAIM-2. A lease on an attempt that is stored already has the next epoch.
pub(crate) async fn a_lease_on_a_stored_attempt_has_the_next_epoch(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    let at = AttemptKey { execution_id: id, attempt_index: handle.attempt_index() };
    cx.probe().write_attempt_number(at, "lease_epoch", 41).await;
    for (column, word) in [
        ("lifecycle_phase", "runnable"),
        ("ownership_state", "unowned"),
        ("eligibility_state", "eligible_now"),
        ("attempt_state", "attempt_interrupted"),
        ("public_state", "waiting"),
    ] {
        cx.probe().write_word(id, column, word).await;
    }

    let again = cx.claim().await;

    assert_eq!(again.attempt_index(), AttemptIndex::new(0));
    assert_eq!(again.lease_epoch(), LeaseEpoch::new(42));
    assert_eq!(cx.attempt(&again).await.lease_epoch, LeaseEpoch::new(42));
    crate::assertions::assert_lease_conflict(cx.backend.renew(&handle).await.unwrap_err());
}

/// CLAIM-3 (#356). The first claim sets when the execution started.
pub(crate) async fn the_first_claim_sets_when_the_execution_started(cx: Cx) {
    let id = cx.given_created().await;
    let before = cx.describe(&id).await.started_at;
    cx.advance(ONE_MS);

    cx.claim().await;

    assert_eq!(before, None);
    assert_eq!(cx.describe(&id).await.started_at, Some(cx.now()));
}

/// CLAIM-3 (#356). A retry does not change when the execution started.
pub(crate) async fn a_retry_does_not_change_when_the_execution_started(cx: Cx) {
    let first = cx.given_claimed().await;
    let started_at = cx.now();
    cx.fail_and_wait(&first).await;
    let between = cx.describe(first.execution_id()).await.started_at;

    let second = cx.claim().await;

    let after = cx.describe(first.execution_id()).await.started_at;
    assert_eq!((between, after), (Some(started_at), Some(started_at)));
    assert_eq!(cx.attempt(&first).await.started_at, Some(started_at));
    assert_eq!(cx.attempt(&second).await.started_at, Some(cx.now()));
}

/// CLAIM-3 (#356). An expired lease does not change when the execution started.
pub(crate) async fn a_reclaim_does_not_change_when_the_execution_started(cx: Cx) {
    let first = cx.given_claimed().await;
    let started_at = cx.now();

    let second = cx.reclaim_and_claim(&first).await;
    cx.backend.complete(&second, None).await.unwrap();

    assert_eq!(cx.describe(first.execution_id()).await.started_at, Some(started_at));
}

/// CLAIM-3 (#356). Giving an execution back does not change when it started.
pub(crate) async fn a_delay_does_not_change_when_the_execution_started(cx: Cx) {
    let first = cx.given_claimed().await;
    let started_at = cx.now();
    cx.advance(ONE_MS);
    cx.backend.delay(&first, cx.now()).await.unwrap();

    cx.claim().await;

    assert_eq!(cx.describe(first.execution_id()).await.started_at, Some(started_at));
}

/// CLAIM-3 (#356). An execution that is never claimed never started, even when it expires.
pub(crate) async fn what_was_never_claimed_never_started(cx: Cx) {
    let now = cx.now();
    let id = cx.create(|args| args.execution_deadline_at = Some(now)).await;
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.describe(&id).await.started_at, None);
}

/// CLAIM-2. Every lease lasts as long as its own claim asked for.
pub(crate) async fn a_lease_lasts_as_long_as_its_claim_asked_for(cx: Cx) {
    use ff_core::backend::{CapabilitySet, ClaimPolicy};
    cx.given_created().await;
    let (name, instance) = (WorkerId::new("brief"), WorkerInstanceId::new("brief/1"));
    let policy = ClaimPolicy::new(name, instance, u32::MAX, None);
    let offered = CapabilitySet::default();

    let claimed = cx.backend.claim(&crate::cx::lane(), &offered, policy).await.unwrap();

    let handle = claimed.unwrap();
    cx.advance(LEASE_TTL * 1_000);
    let renewal = cx.backend.renew(&handle).await.unwrap();
    assert_eq!(renewal.expires_at, cx.now().saturating_add_millis(u64::from(u32::MAX)));
}

/// CLAIM-3 (#356). Neither retry nor lease expiry, revocation or replay changes when it started.
pub(crate) async fn first_claim_sets_started_at_once(cx: Cx) {
    use ff_core::contracts::{ReplayExecutionArgs, RevokeLeaseArgs};
    let first = cx.given_claimed_with(crate::cx::retries(3, 1)).await;
    let (id, started_at) = (first.execution_id().clone(), Some(cx.now()));

    cx.fail_and_wait(&first).await;
    let retried = cx.claim().await;
    assert_eq!(cx.describe(&id).await.started_at, started_at);
    let reclaimed = cx.reclaim_and_claim(&retried).await;
    assert_eq!(cx.describe(&id).await.started_at, started_at);
    let revocation = RevokeLeaseArgs {
        execution_id: id.clone(),
        expected_lease_id: None,
        worker_instance_id: reclaimed.worker_instance_id().clone(),
        reason: "stuck".to_owned(),
    };
    cx.backend.revoke_lease(revocation).await.unwrap();
    cx.advance(ONE_MS);
    let revoked = cx.claim().await;
    assert_eq!(cx.describe(&id).await.started_at, started_at);
    cx.backend.complete(&revoked, None).await.unwrap();
    let replay = ReplayExecutionArgs { execution_id: id.clone(), now: cx.now() };
    cx.backend.replay_execution(replay).await.unwrap();
    assert_eq!(cx.describe(&id).await.started_at, started_at);
    let replayed = cx.claim().await;

    assert_eq!(cx.describe(&id).await.started_at, started_at);
    assert_eq!(cx.attempt(&replayed).await.started_at, Some(cx.now()));
}

/// CLAIM-2, STATE-1 (#356). The first claim makes the public state running.
pub(crate) async fn first_claim_makes_the_public_state_running(cx: Cx) {
    let id = cx.given_created().await;

    cx.claim().await;

    let words = cx.words(&id).await;
    assert_eq!(words, "active leased not_applicable running_attempt running");
}
