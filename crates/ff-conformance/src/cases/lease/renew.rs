use ff_core::types::LeaseEpoch;
use serde_json::{Value, json};

use crate::assertions::{
    assert_invalid, assert_lease_expired, assert_not_found, assert_other_backend, assert_too_large,
};
use crate::cx::{Cx, LEASE_TTL, LEASE_TTL_MS, ONE_MS};

/// LEASE-3. Renewing moves the expiry and keeps the epoch.
pub(crate) async fn renewing_moves_the_expiry(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL - ONE_MS);

    let renewal = cx.backend.renew(&handle).await.unwrap();

    let expires_at = cx.now().saturating_add_millis(u64::from(LEASE_TTL_MS));
    assert_eq!((renewal.expires_at, renewal.lease_epoch), (expires_at, handle.lease_epoch()));
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.lease_expires_at, Some(expires_at));
    assert_eq!(attempt.lease_epoch, LeaseEpoch::new(1));
}

/// LEASE-3. A renewed lease holds for its new time and no longer.
pub(crate) async fn a_renewed_lease_holds_for_its_new_time(cx: Cx) {
    let handle = cx.given_claimed().await;
    for _ in 0..3 {
        cx.advance(LEASE_TTL - ONE_MS);
        cx.backend.renew(&handle).await.unwrap();
    }
    cx.advance(LEASE_TTL);

    let error = cx.backend.renew(&handle).await.unwrap_err();

    assert_lease_expired(error);
}

/// LEASE-3. A renewed lease is not swept at its first expiry.
pub(crate) async fn a_renewed_lease_is_not_swept(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL - ONE_MS);
    cx.backend.renew(&handle).await.unwrap();
    cx.advance(ONE_MS);

    let report = cx.reconcile(ff_core::contracts::ReconcileTask::ExpireLeases).await;

    assert_eq!(report.processed, 0);
    cx.backend.complete(&handle, None).await.unwrap();
}

/// LEASE-3. A batch of renewals says which leases were lost, and renews the rest.
pub(crate) async fn a_batch_of_renewals_says_which_were_lost(cx: Cx) {
    let lost = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    let held = cx.given_several_claimed(2).await;
    let unknown = super::forged(&held[0], 2, cx.mint_id().as_str());
    let foreign = super::forged(&held[0], 1, "elsewhere");
    cx.advance(ONE_MS);
    let batch = [held[0].clone(), lost, unknown, held[1].clone(), foreign];

    let answers = cx.backend.renew_batch(&batch).await.unwrap();

    let [first, lost, unknown, second, foreign] = <[_; 5]>::try_from(answers).unwrap();
    let expires_at = cx.now().saturating_add_millis(u64::from(LEASE_TTL_MS));
    assert_eq!(first.unwrap().expires_at, expires_at);
    assert_lease_expired(lost.unwrap_err());
    assert_not_found(unknown.unwrap_err());
    assert_eq!(second.unwrap().expires_at, expires_at);
    assert_other_backend(foreign.unwrap_err());
}

/// LEASE-3. One handle twice in a batch is renewed, and answered twice.
pub(crate) async fn a_batch_may_renew_one_handle_twice(cx: Cx) {
    let handle = cx.given_claimed().await;

    let answers = cx.backend.renew_batch(&[handle.clone(), handle]).await.unwrap();

    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(Result::is_ok));
    assert!(cx.backend.renew_batch(&[]).await.unwrap().is_empty());
}

/// LEASE-1. What a handler reports is stored on its attempt, the last report alone.
pub(crate) async fn progress_is_stored_on_its_attempt(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.progress(&handle, json!(1)).await.unwrap();
    // A number that a reader of JSON who takes the shortest way reads as its neighbour.
    let share = 1.923_695_541_741_717_9;
    let who = "it's \"me\" \u{e9}";
    let report = json!({"done": 3, "of": 10, "share": share, "who": who, "deep": [null, {}]});

    cx.backend.progress(&handle, report.clone()).await.unwrap();

    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.progress, Some(report));
    assert_eq!(
        attempt.lease_expires_at,
        cx.describe(handle.execution_id()).await.lease().map(|lease| lease.expires_at)
    );
}

/// LEASE-1. A report of null takes the earlier one back.
pub(crate) async fn a_report_of_null_takes_the_earlier_back(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.progress(&handle, json!(1)).await.unwrap();

    cx.backend.progress(&handle, Value::Null).await.unwrap();

    assert_eq!(cx.attempt(&handle).await.progress, None);
}

/// LEASE-1. What an attempt reported stays with it after it ended.
pub(crate) async fn progress_outlives_its_attempt(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.progress(&handle, json!("half")).await.unwrap();

    cx.fail_and_wait(&handle).await;
    let next = cx.claim().await;

    assert_eq!(cx.attempt_at(handle.execution_id(), 0).await.progress, Some(json!("half")));
    assert_eq!(cx.attempt(&next).await.progress, None);
}

/// LEASE-2. Reporting progress does not renew the lease.
pub(crate) async fn progress_does_not_renew(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL - ONE_MS);
    cx.backend.progress(&handle, json!(1)).await.unwrap();
    cx.advance(ONE_MS);

    let error = cx.backend.progress(&handle, json!(2)).await.unwrap_err();

    assert_lease_expired(error);
}

/// EXEC-3, LEASE-1. A report that is too large is refused, and the lease goes on.
pub(crate) async fn a_large_report_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    let error = cx.backend.progress(&handle, json!("x".repeat(1 << 20))).await.unwrap_err();

    assert_too_large(error);
    cx.backend.complete(&handle, None).await.unwrap();
}

/// EXEC-3, LEASE-1. Progress that no reader of JSON would read back is refused, and its attempt can still
/// be finished.
pub(crate) async fn deeply_nested_progress_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;
    let deep = (0..200).fold(Value::Null, |inner, _| Value::from(vec![inner]));

    let error = cx.backend.progress(&handle, deep).await.unwrap_err();

    assert_invalid(error, "progress");
    cx.backend.complete(&handle, None).await.unwrap();
}

/// EXEC-3, LEASE-1. Progress with a NUL, which not every store can hold, is refused by all of them.
pub(crate) async fn progress_with_a_nul_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;
    let escaped = json!({"\\u0000": "\\0"});

    for report in [json!(["a\0b"]), json!({"deep": {"a\0b": 1}})] {
        let error = cx.backend.progress(&handle, report).await.unwrap_err();
        assert_invalid(error, "progress");
    }
    cx.backend.progress(&handle, escaped.clone()).await.unwrap();

    assert_eq!(cx.attempt(&handle).await.progress, Some(escaped));
}
