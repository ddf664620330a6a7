use ff_core::backend::{FailOutcome, FailureClass, FailureReason};
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy};
use ff_core::rules::retry::{backoff_ms, retry_delay_ms};
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{AttemptIndex, TimestampMs};

use crate::assertions::{assert_already_terminal, assert_too_large};
use crate::cx::{Cx, ONE_MS, retries};

const RETRYABLE: [FailureClass; 3] =
    [FailureClass::Transient, FailureClass::InfraCrash, FailureClass::Timeout];

/// FIN-2, STATE-1. A failure that may go away schedules another attempt.
pub(crate) async fn a_retryable_failure_schedules_another_attempt(cx: Cx) {
    for class in RETRYABLE {
        let handle = cx.given_claimed_with(retries(1, 500)).await;
        let id = handle.execution_id();
        cx.advance(ONE_MS);

        let outcome = cx.fail(&handle, class).await.unwrap();

        let delay_until = cx.now().saturating_add_millis(500);
        assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until });
        let words = cx.words(id).await;
        let expected = "runnable unowned not_eligible_until_time pending_retry_attempt delayed";
        assert_eq!(words, expected);
        let execution = cx.describe(id).await;
        assert_eq!(execution.attempt_index, AttemptIndex::new(1));
        assert_eq!((execution.retry_count, execution.eligible_at), (1, Some(delay_until)));
        let attempt = cx.attempt(&handle).await;
        assert_eq!(
            (attempt.outcome, attempt.terminal_at),
            (Some(AttemptOutcome::Retry), Some(cx.now()))
        );
        assert_eq!(attempt.lease_expires_at, None);
    }
}

/// FIN-2. Without a backoff the next attempt can be claimed at once.
pub(crate) async fn a_retry_without_backoff_is_eligible_at_once(cx: Cx) {
    let handle = cx.given_claimed_with(retries(1, 0)).await;

    let outcome = cx.fail(&handle, FailureClass::Transient).await.unwrap();

    assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until: cx.now() });
    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "runnable unowned eligible_now pending_retry_attempt waiting");
    assert_eq!(cx.claim().await.attempt_index(), AttemptIndex::new(1));
}

/// FIN-2. A retry is not claimed before its time, and is from then on.
pub(crate) async fn a_retry_waits_for_its_time(cx: Cx) {
    let handle = cx.given_claimed_with(retries(1, 500)).await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();

    cx.advance(ONE_MS * 499);
    let early = cx.try_claim().await;
    cx.advance(ONE_MS);
    let due = cx.try_claim().await;

    assert_eq!(early, None);
    assert_eq!(due.unwrap().attempt_index(), AttemptIndex::new(1));
}

/// FIN-3, STATE-1. A failure that will not go away ends the execution.
pub(crate) async fn a_permanent_failure_ends_the_execution(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(ONE_MS);

    let outcome = cx.fail(&handle, FailureClass::Permanent).await.unwrap();

    assert_eq!(outcome, FailOutcome::TerminalFailed);
    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "terminal unowned not_applicable attempt_terminal failed");
    assert_eq!(cx.describe(handle.execution_id()).await.terminal_at, Some(cx.now()));
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Failed));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
}

/// FIN-3. A failure after the last retry ends the execution.
pub(crate) async fn a_spent_budget_ends_the_execution(cx: Cx) {
    let first = cx.given_claimed_with(retries(1, 0)).await;
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let second = cx.claim().await;

    let outcome = cx.fail(&second, FailureClass::Transient).await.unwrap();

    assert_eq!(outcome, FailOutcome::TerminalFailed);
    let execution = cx.describe(first.execution_id()).await;
    assert_eq!((execution.public_state, execution.retry_count), (PublicState::Failed, 1));
    let attempts = cx.attempts(first.execution_id()).await;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Retry), Some(AttemptOutcome::Failed)]);
}

/// FIN-3, STATE-1. A handler that gives up because the work is not wanted ends it as cancelled.
pub(crate) async fn a_failure_of_class_cancelled_ends_as_cancelled(cx: Cx) {
    let handle = cx.given_claimed().await;

    let outcome = cx.fail(&handle, FailureClass::Cancelled).await.unwrap();

    assert_eq!(outcome, FailOutcome::TerminalFailed);
    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    let execution = cx.describe(handle.execution_id()).await;
    assert_eq!(execution.cancelled_by.as_deref(), Some("lease_holder"));
    assert_eq!(execution.cancellation_reason.as_deref(), Some("boom"));
    assert_eq!(cx.attempt(&handle).await.outcome, Some(AttemptOutcome::Cancelled));
}

/// FIN-2, FIN-3. Why an attempt failed is kept with it, byte for byte.
pub(crate) async fn an_attempt_keeps_why_it_failed(cx: Cx) {
    let handle = cx.given_claimed().await;
    let reason = FailureReason {
        message: "it's \"broken\" \u{e9}".to_owned(),
        detail: Some(vec![0, 171, 255]),
    };

    cx.backend.fail(&handle, reason.clone(), FailureClass::Permanent).await.unwrap();

    let error = cx.attempt(&handle).await.error.unwrap();
    assert_eq!((error.class, &error.message), (FailureClass::Permanent, &reason.message));
    assert_eq!(error.detail_hex.as_deref(), Some("00abff"));
    let ids = [handle.execution_id().clone()];
    let outcome = cx.backend.read_outcomes(&ids).await.unwrap().remove(0).unwrap();
    assert_eq!(outcome.error, Some(error));
}

/// FIN-3, SAFE-1. A NUL in a reason does not keep the failure from being stored.
pub(crate) async fn a_reason_with_a_nul_is_stored(cx: Cx) {
    let handle = cx.given_claimed().await;
    let reason = FailureReason::new("bad\0byte");

    cx.backend.fail(&handle, reason.clone(), FailureClass::Permanent).await.unwrap();
    let again = cx.backend.fail(&handle, reason, FailureClass::Permanent).await.unwrap();

    assert_eq!(again, FailOutcome::TerminalFailed);
    assert_eq!(cx.attempt(&handle).await.error.unwrap().message, "bad\u{fffd}byte");
}

/// EXEC-3, FIN-3. A reason that is too large is refused, and the lease goes on.
pub(crate) async fn a_large_reason_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;
    let reason = FailureReason { message: "long".to_owned(), detail: Some(vec![0; 1 << 20]) };

    let error = cx.backend.fail(&handle, reason, FailureClass::Permanent).await.unwrap_err();

    assert_too_large(error);
    cx.backend.complete(&handle, None).await.unwrap();
}

/// FIN-4. Without a policy there are three retries, after 1, 2 and 4 seconds.
pub(crate) async fn without_a_policy_there_are_three_retries(cx: Cx) {
    cx.given_created().await;
    let mut delays = Vec::new();

    for _ in 0..4 {
        let handle = cx.claim().await;
        let before = cx.now();
        if let FailOutcome::RetryScheduled { delay_until } =
            cx.fail(&handle, FailureClass::Transient).await.unwrap()
        {
            delays.push(delay_until.0 - before.0);
            cx.clock.set(delay_until);
        }
    }

    assert_eq!(delays, [1_000, 2_000, 4_000]);
    assert_eq!(cx.try_claim().await, None);
}

fn growing(max_delay_ms: u64, multiplier: f64, jitter: bool) -> ExecutionPolicy {
    let backoff =
        BackoffStrategy::Exponential { initial_delay_ms: 1_000, max_delay_ms, multiplier, jitter };
    let retry_policy = RetryPolicy { max_retries: 8, backoff, ..RetryPolicy::default() };
    ExecutionPolicy { retry_policy: Some(retry_policy), ..ExecutionPolicy::default() }
}

/// FIN-4. A wait grows up to its limit and no further.
pub(crate) async fn a_backoff_stops_at_its_limit(cx: Cx) {
    cx.create(|args| args.policy = Some(growing(5_000, 3.0, false))).await;
    let mut delays = Vec::new();

    for _ in 0..4 {
        let handle = cx.claim().await;
        let before = cx.now();
        cx.fail_and_wait(&handle).await;
        delays.push(cx.now().0 - before.0);
    }

    assert_eq!(delays, [1_000, 3_000, 5_000, 5_000]);
}

/// FIN-4. Jitter is a function of the execution and the attempt, the same wherever it is computed.
pub(crate) async fn jitter_follows_from_the_execution_and_the_attempt(cx: Cx) {
    let handle = cx.given_claimed_with(growing(60_000, 2.0, true)).await;
    let before = cx.describe(handle.execution_id()).await;
    let expected = retry_delay_ms(&before, FailureClass::Transient).unwrap();

    let outcome = cx.fail(&handle, FailureClass::Transient).await.unwrap();

    let delay_until = cx.now().saturating_add_millis(expected);
    assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until });
}

/// FIN-4. A wait beyond the end of time ends there.
pub(crate) async fn a_backoff_never_overflows(cx: Cx) {
    let longest = u64::try_from(i64::MAX).unwrap();
    assert_eq!(backoff_ms(&BackoffStrategy::Fixed { delay_ms: longest }, 0), longest);
    let handle = cx.given_claimed_with(retries(1, longest)).await;

    let outcome = cx.fail(&handle, FailureClass::Transient).await.unwrap();

    let delay_until = TimestampMs::from_millis(i64::MAX);
    assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until });
    assert_eq!(cx.describe(handle.execution_id()).await.eligible_at, Some(delay_until));
}

/// FIN-4. A policy may narrow what is tried again.
pub(crate) async fn a_policy_narrows_what_is_retried(cx: Cx) {
    let policy = || ExecutionPolicy {
        retry_policy: Some(RetryPolicy {
            retryable_categories: vec!["timeout".to_owned()],
            ..RetryPolicy::default()
        }),
        ..ExecutionPolicy::default()
    };
    let transient = cx.given_claimed_with(policy()).await;
    let timeout = cx.given_claimed_with(policy()).await;

    let of_transient = cx.fail(&transient, FailureClass::Transient).await.unwrap();
    let of_timeout = cx.fail(&timeout, FailureClass::Timeout).await.unwrap();

    assert_eq!(of_transient, FailOutcome::TerminalFailed);
    assert!(matches!(of_timeout, FailOutcome::RetryScheduled { .. }), "{of_timeout:?}");
}

/// FIN-5, SAFE-3. Failing again in the same way answers the same, also when the time has moved on.
pub(crate) async fn failing_again_changes_nothing(cx: Cx) {
    for class in FailureClass::ALL {
        let handle = cx.given_claimed().await;
        let first = cx.fail(&handle, *class).await.unwrap();
        let before = cx.describe(handle.execution_id()).await;
        cx.advance(ONE_MS);

        let again = cx.fail(&handle, *class).await.unwrap();

        assert_eq!(again, first, "{class}");
        assert_eq!(cx.describe(handle.execution_id()).await, before, "{class}");
        assert_eq!(cx.attempts(handle.execution_id()).await.len(), 1, "{class}");
    }
}

/// FIN-5. Failing again in another way, or completing after failing, is refused.
pub(crate) async fn another_ending_after_a_failure_is_refused(cx: Cx) {
    for class in [FailureClass::Transient, FailureClass::Permanent, FailureClass::Cancelled] {
        let handle = cx.given_claimed().await;
        cx.fail(&handle, class).await.unwrap();
        let before = cx.describe(handle.execution_id()).await;

        let other_reason = cx.backend.fail(&handle, FailureReason::new("other"), class).await;
        let other_class = cx.fail(&handle, FailureClass::Timeout).await;
        let completed = cx.backend.complete(&handle, None).await;

        assert_already_terminal(other_reason.unwrap_err());
        assert_already_terminal(other_class.unwrap_err());
        assert_already_terminal(completed.unwrap_err());
        assert_eq!(cx.describe(handle.execution_id()).await, before);
    }
}

/// FIN-5, SAFE-6. A late acknowledgement does not touch the attempt that followed.
pub(crate) async fn a_late_ending_leaves_the_successor_alone(cx: Cx) {
    let first = cx.given_claimed_with(retries(3, 0)).await;
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let second = cx.claim().await;
    let before = cx.describe(first.execution_id()).await;

    let again = cx.fail(&first, FailureClass::Transient).await.unwrap();
    let completed = cx.backend.complete(&first, Some(b"late".to_vec())).await.unwrap_err();

    assert!(matches!(again, FailOutcome::RetryScheduled { .. }), "{again:?}");
    assert_already_terminal(completed);
    assert_eq!(cx.describe(first.execution_id()).await, before);
    cx.backend.complete(&second, Some(b"right".to_vec())).await.unwrap();
    assert_eq!(cx.result(first.execution_id()).await, Some(b"right".to_vec()));
}
