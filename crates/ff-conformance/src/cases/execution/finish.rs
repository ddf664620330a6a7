use ff_core::backend::{FailureClass, FailureReason};
use ff_core::contracts::{Completion, Failure};
use ff_core::state::{AttemptOutcome, PublicState};

use crate::assertions::{
    assert_already_terminal, assert_lease_expired, assert_not_found, assert_too_large,
};
use crate::cases::at_once;
use crate::cx::{Cx, LEASE_TTL, ONE_MS};

/// FIN-1, STATE-1. Completing ends the attempt and stores the result.
pub(crate) async fn completing_finishes_the_execution(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cx.advance(ONE_MS);

    cx.backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();

    let words = cx.words(id).await;
    assert_eq!(words, "terminal unowned not_applicable attempt_terminal completed");
    let execution = cx.describe(id).await;
    assert_eq!(execution.terminal_at, Some(cx.now()));
    assert_eq!(execution.lease(), None);
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Success));
    assert_eq!((attempt.terminal_at, attempt.lease_expires_at), (Some(cx.now()), None));
    assert_eq!(cx.result(id).await, Some(b"result".to_vec()));
}

/// FIN-1. No result and an empty result are two things.
pub(crate) async fn an_empty_result_is_a_result(cx: Cx) {
    let [without, empty] = [cx.given_claimed().await, cx.given_claimed().await];

    cx.backend.complete(&without, None).await.unwrap();
    cx.backend.complete(&empty, Some(Vec::new())).await.unwrap();

    assert_eq!(cx.result(without.execution_id()).await, None);
    assert_eq!(cx.result(empty.execution_id()).await, Some(Vec::new()));
}

/// FIN-1. A completed execution is claimed no more.
pub(crate) async fn a_completed_execution_is_not_claimed_again(cx: Cx) {
    cx.given_completed().await;
    cx.advance(LEASE_TTL * 100);

    assert_eq!(cx.try_claim().await, None);
}

/// EXEC-3, FIN-1. A result that is too large is refused, and the lease goes on.
pub(crate) async fn a_large_result_is_refused(cx: Cx) {
    let handle = cx.given_claimed().await;

    let error = cx.backend.complete(&handle, Some(vec![0; (1 << 20) + 1])).await.unwrap_err();

    assert_too_large(error);
    cx.backend.complete(&handle, Some(vec![0; 1 << 20])).await.unwrap();
}

/// FIN-5, SAFE-3. Completing again with the same result answers the same.
pub(crate) async fn completing_again_changes_nothing(cx: Cx) {
    let handle = cx.given_completed().await;
    let before = cx.describe(handle.execution_id()).await;
    cx.advance(LEASE_TTL * 2);

    cx.backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();

    assert_eq!(cx.describe(handle.execution_id()).await, before);
}

/// FIN-5. Completing again with another result is refused.
pub(crate) async fn completing_again_with_another_result_is_refused(cx: Cx) {
    let handle = cx.given_completed().await;

    let other = cx.backend.complete(&handle, Some(b"other".to_vec())).await.unwrap_err();
    let none = cx.backend.complete(&handle, None).await.unwrap_err();

    assert_already_terminal(other);
    assert_already_terminal(none);
    assert_eq!(cx.result(handle.execution_id()).await, Some(b"result".to_vec()));
}

/// FIN-5. What completed cannot fail afterwards.
pub(crate) async fn failing_after_completing_is_refused(cx: Cx) {
    let handle = cx.given_completed().await;

    for class in FailureClass::ALL {
        let error = cx.fail(&handle, *class).await.unwrap_err();
        assert_already_terminal(error);
    }

    assert_eq!(cx.describe(handle.execution_id()).await.public_state, PublicState::Completed);
}

/// FIN-7. In a batch of completions every item has its own answer.
pub(crate) async fn a_stale_completion_does_not_hold_up_its_batch(cx: Cx) {
    let stale = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    let [first, last] = [cx.given_claimed().await, cx.given_claimed().await];
    let item = |handle: &_, result: &[u8]| Completion {
        handle: Clone::clone(handle),
        result: Some(result.to_vec()),
    };
    let batch = vec![item(&first, b"1"), item(&stale, b"2"), item(&last, b"3")];

    let answers = cx.backend.complete_batch(batch).await.unwrap();

    let [of_first, of_stale, of_last] = <[_; 3]>::try_from(answers).unwrap();
    of_first.unwrap();
    assert_lease_expired(of_stale.unwrap_err());
    of_last.unwrap();
    assert_eq!(cx.result(first.execution_id()).await, Some(b"1".to_vec()));
    assert_eq!(cx.result(stale.execution_id()).await, None);
    assert_eq!(cx.result(last.execution_id()).await, Some(b"3".to_vec()));
}

/// FIN-5, FIN-7. One handle twice in a batch answers as two calls would.
pub(crate) async fn a_batch_may_complete_one_handle_twice(cx: Cx) {
    let handle = cx.given_claimed().await;
    let item = |result: &[u8]| Completion { handle: handle.clone(), result: Some(result.to_vec()) };

    let batch = vec![item(b"one"), item(b"one"), item(b"two")];
    let answers = cx.backend.complete_batch(batch).await.unwrap();

    let [first, same, other] = <[_; 3]>::try_from(answers).unwrap();
    first.unwrap();
    same.unwrap();
    assert_already_terminal(other.unwrap_err());
    assert_eq!(cx.result(handle.execution_id()).await, Some(b"one".to_vec()));
}

/// FIN-7. In a batch of failures every item has its own answer.
pub(crate) async fn a_stale_failure_does_not_hold_up_its_batch(cx: Cx) {
    let stale = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    let [retried, failed] = [cx.given_claimed().await, cx.given_claimed().await];
    let item = |handle: &_, class| Failure {
        handle: Clone::clone(handle),
        reason: FailureReason::new("boom"),
        class,
    };
    let batch = vec![
        item(&retried, FailureClass::Transient),
        item(&stale, FailureClass::Permanent),
        item(&failed, FailureClass::Permanent),
    ];

    let answers = cx.backend.fail_batch(batch).await.unwrap();

    let [of_retried, of_stale, of_failed] = <[_; 3]>::try_from(answers).unwrap();
    of_retried.unwrap();
    assert_lease_expired(of_stale.unwrap_err());
    of_failed.unwrap();
    let state = async |handle: &ff_core::backend::Handle| {
        cx.describe(handle.execution_id()).await.public_state
    };
    assert_eq!(state(&retried).await, PublicState::Delayed);
    assert_eq!(state(&stale).await, PublicState::Running);
    assert_eq!(state(&failed).await, PublicState::Failed);
}

/// FIN-7. Batches of nothing are fine.
pub(crate) async fn empty_batches_of_endings_are_fine(cx: Cx) {
    assert!(cx.backend.complete_batch(Vec::new()).await.unwrap().is_empty());
    assert!(cx.backend.fail_batch(Vec::new()).await.unwrap().is_empty());
}

/// FIN-7. A large batch of completions completes them all.
pub(crate) async fn a_large_batch_completes_whole(cx: Cx) {
    let args = (0..1_000).map(|_| cx.args()).collect();
    cx.backend.create_executions(args).await.unwrap();
    let handles = cx.claim_batch(1_000).await;
    assert_eq!(handles.len(), 1_000);

    let batch = handles.iter().map(|handle| Completion { handle: handle.clone(), result: None });
    let answers = cx.backend.complete_batch(batch.collect()).await.unwrap();

    assert_eq!(answers.len(), 1_000);
    assert!(answers.iter().all(Result::is_ok));
    let ids: Vec<_> = handles.iter().map(|handle| handle.execution_id().clone()).collect();
    let outcomes = cx.backend.read_outcomes(&ids).await.unwrap();
    let completed = |outcome: &Option<ff_core::contracts::ExecutionOutcome>| {
        outcome.as_ref().is_some_and(|one| one.public_state == PublicState::Completed)
    };
    assert!(outcomes.iter().all(completed));
}

/// FIN-5, SAFE-4. Of endings that race with one handle, the first decides what the rest are told.
pub(crate) async fn of_racing_endings_one_wins(cx: Cx) {
    let handle = cx.given_claimed().await;

    let endings = at_once(12, &cx.backend, |backend, number| {
        let handle = handle.clone();
        async move {
            match number % 3 {
                0 => backend.complete(&handle, Some(b"a".to_vec())).await.map(|()| "a"),
                1 => backend.complete(&handle, Some(b"b".to_vec())).await.map(|()| "b"),
                _ => {
                    let reason = FailureReason::new("boom");
                    backend.fail(&handle, reason, FailureClass::Permanent).await.map(|_| "failed")
                }
            }
        }
    })
    .await;

    let mut winners = Vec::new();
    for ending in endings {
        match ending {
            Ok(winner) => winners.push(winner),
            Err(error) => assert_already_terminal(error),
        }
    }
    assert_eq!(winners.len(), 4, "every call that asks for what happened is told so");
    assert!(winners.iter().all(|winner| *winner == winners[0]), "{winners:?}");
}

/// FIN-1. An execution that is not stored cannot be finished.
pub(crate) async fn an_unknown_execution_cannot_be_finished(cx: Cx) {
    let handle = cx.given_claimed().await;
    let unknown = cx.mint_id();
    let text = handle.to_string().replace(handle.execution_id().as_str(), unknown.as_str());
    let handle = text.parse().unwrap();

    assert_not_found(cx.backend.complete(&handle, None).await.unwrap_err());
    assert_not_found(cx.fail(&handle, FailureClass::Permanent).await.unwrap_err());
}
