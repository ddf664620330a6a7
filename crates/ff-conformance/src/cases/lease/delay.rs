use ff_core::state::AttemptOutcome;
use ff_core::types::{AttemptIndex, TimestampMs};

use crate::cx::{Cx, ONE_MS};

/// FIN-6, STATE-1. Giving a lease back delays the execution.
pub(crate) async fn giving_back_delays_the_execution(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cx.advance(ONE_MS);
    let until = cx.now().saturating_add_millis(10);

    cx.backend.delay(&handle, until).await.unwrap();

    let expected = "runnable unowned not_eligible_until_time attempt_interrupted delayed";
    assert_eq!(cx.words(id).await, expected);
    let execution = cx.describe(id).await;
    assert_eq!(execution.eligible_at, Some(until));
    assert_eq!(execution.attempt_index, AttemptIndex::new(1));
    assert_eq!((execution.retry_count, execution.reclaim_count), (0, 0));
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Released));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
}

/// FIN-6. What was given back is claimed from its time on, as a new attempt.
pub(crate) async fn what_was_given_back_is_claimed_from_its_time_on(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.delay(&handle, cx.now().saturating_add_millis(10)).await.unwrap();

    cx.advance(ONE_MS * 9);
    let early = cx.try_claim().await;
    cx.advance(ONE_MS);
    let due = cx.claim().await;

    assert_eq!(early, None);
    assert_eq!(due.execution_id(), handle.execution_id());
    assert_eq!(due.attempt_index(), AttemptIndex::new(1));
}

/// FIN-6. A time that has passed, or that never comes, is a time too.
pub(crate) async fn any_time_may_be_given_back_until(cx: Cx) {
    let [past, never] = [cx.given_claimed().await, cx.given_claimed().await];

    cx.backend.delay(&past, TimestampMs::from_millis(0)).await.unwrap();
    cx.backend.delay(&never, TimestampMs::from_millis(i64::MAX)).await.unwrap();

    assert_eq!(cx.claim().await.execution_id(), past.execution_id());
    assert_eq!(cx.try_claim().await, None);
    let end = Some(TimestampMs::from_millis(i64::MAX));
    assert_eq!(cx.describe(never.execution_id()).await.eligible_at, end);
}

/// FIN-6. Giving back spends no retries.
pub(crate) async fn giving_back_spends_no_retries(cx: Cx) {
    let handle = cx.given_claimed_with(crate::cx::retries(0, 0)).await;
    let id = handle.execution_id();
    cx.backend.delay(&handle, cx.now()).await.unwrap();
    for _ in 0..5 {
        let again = cx.claim().await;
        cx.backend.delay(&again, cx.now()).await.unwrap();
    }

    assert_eq!(cx.describe(id).await.retry_count, 0);
    assert_eq!(cx.attempts(id).await.len(), 6);
}
