use ff_core::backend::CapabilitySet;
use ff_core::contracts::{
    ChangePriorityResult, ReconcileTask, ReplayExecutionResult, RevokeLeaseResult,
};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::PublicState;
use std::time::Duration;

use super::{assert_cancelled, cancellation, new_priority, replay_of, revocation};
use crate::cases::at_once;
use crate::cx::{Cx, lane, worker};

const ROUNDS: usize = 10;
const CALLERS: usize = 8;

/// OP-7, SAFE-4. Of many cancellations at once, one is recorded and all are answered the same.
pub(crate) async fn concurrent_cancels_record_one(cx: Cx) {
    for _ in 0..ROUNDS {
        let handle = cx.given_claimed().await;
        let args = cancellation(&cx, handle.execution_id());

        let answers = at_once(CALLERS, &cx.backend, |backend, _| {
            let args = args.clone();
            async move { backend.cancel_execution(args).await }
        })
        .await;

        for answer in answers {
            assert_cancelled(answer.unwrap(), handle.execution_id());
        }
        let events = cx.events(handle.execution_id()).await;
        assert_eq!(events, ["lease acquired", "lease revoked", "completion cancelled"]);
    }
}

/// OP-7, SAFE-5. What is cancelled while it is being created, and claimed as soon as it is there, is cancelled
/// once, and its attempt with it.
pub(crate) async fn a_cancel_while_it_is_created_ends_what_was_claimed(cx: Cx) {
    for _ in 0..ROUNDS {
        let args = cx.args();
        let id = args.execution_id.clone();
        let cancel = cancellation(&cx, &id);

        let cancelled = at_once(CALLERS, &cx.backend, |backend, _| {
            let cancel = cancel.clone();
            async move {
                loop {
                    match backend.cancel_execution(cancel.clone()).await {
                        Err(EngineError::NotFound { .. }) => tokio::task::yield_now().await,
                        answer => return answer.unwrap(),
                    }
                }
            }
        });
        let (creating, claiming) = (cx.backend.clone(), cx.backend.clone());
        let created = tokio::spawn(async move {
            creating.create_execution(args).await.unwrap();
            claiming.claim(&lane(), &CapabilitySet::default(), worker("worker")).await.unwrap()
        });
        let (cancelled, claimed) = tokio::join!(cancelled, created);

        for answer in cancelled {
            assert_cancelled(answer, &id);
        }
        let leased: &[&str] = match claimed.unwrap() {
            Some(_) => &["lease acquired", "lease revoked"],
            None => &[],
        };
        assert_eq!(cx.events(&id).await, [leased, &["completion cancelled"]].concat());
        let attempts = cx.attempts(&id).await;
        assert!(attempts.iter().all(|attempt| attempt.outcome.is_some()), "{attempts:?}");
    }
}

/// OP-1, OP-7, SAFE-5. Of a cancellation and a completion exactly one wins, and the other says so.
pub(crate) async fn a_cancel_against_a_completion_has_one_winner(cx: Cx) {
    for _ in 0..ROUNDS {
        let handle = cx.given_claimed().await;
        let args = cancellation(&cx, handle.execution_id());
        let (completing, completed_handle) = (cx.backend.clone(), handle.clone());
        let cancelling = cx.backend.clone();

        let (completed, cancelled) = tokio::join!(
            tokio::spawn(async move { completing.complete(&completed_handle, None).await }),
            tokio::spawn(async move { cancelling.cancel_execution(args).await }),
        );

        let (completed, cancelled) = (completed.unwrap(), cancelled.unwrap());
        let public_state = cx.describe(handle.execution_id()).await.public_state;
        match (completed, cancelled) {
            (Ok(()), Err(EngineError::Contention(kind))) => {
                let outcome = PublicState::Completed;
                assert_eq!(kind, ContentionKind::ExecutionNotActive { outcome });
                assert_eq!(public_state, PublicState::Completed);
            }
            (Err(EngineError::Contention(kind)), Ok(_)) => {
                assert_eq!(kind, ContentionKind::LeaseConflict);
                assert_eq!(public_state, PublicState::Cancelled);
            }
            other => unreachable!("both won, or neither: {other:?}"),
        }
        assert_eq!(cx.completions(handle.execution_id()).await, 1);
    }
}

/// OP-3, OP-7. Of many revocations at once, one takes the lease.
pub(crate) async fn concurrent_revocations_take_one_lease(cx: Cx) {
    for _ in 0..ROUNDS {
        let handle = cx.given_claimed().await;
        let args = revocation(&handle);

        let answers = at_once(CALLERS, &cx.backend, |backend, _| {
            let args = args.clone();
            async move { backend.revoke_lease(args).await.unwrap() }
        })
        .await;

        let is_revoked =
            |answer: &&RevokeLeaseResult| matches!(answer, RevokeLeaseResult::Revoked { .. });
        assert_eq!(answers.iter().filter(is_revoked).count(), 1);
        let events = cx.events(handle.execution_id()).await;
        assert_eq!(events, ["lease acquired", "lease revoked"]);
        cx.backend.complete(&cx.claim().await, None).await.unwrap();
    }
}

/// OP-5, OP-7. Of many replays at once, one is made, and the others find nothing that has finished.
pub(crate) async fn concurrent_replays_make_one(cx: Cx) {
    for _ in 0..ROUNDS {
        let handle = cx.given_completed().await;
        let args = replay_of(&cx, handle.execution_id());

        let answers = at_once(CALLERS, &cx.backend, |backend, _| {
            let args = args.clone();
            async move { backend.replay_execution(args).await }
        })
        .await;

        let mut replayed = 0;
        for answer in answers {
            match answer {
                Ok(ReplayExecutionResult::Replayed { .. }) => replayed += 1,
                Err(EngineError::State(kind)) => {
                    assert_eq!(kind, StateKind::ExecutionNotTerminal);
                }
                Err(other) => unreachable!("{other:?}"),
            }
        }
        assert_eq!((replayed, cx.describe(handle.execution_id()).await.replay_count), (1, 1));
        cx.backend.complete(&cx.claim().await, None).await.unwrap();
    }
}

/// OP-4, OP-7. Of the same change by many operators at once, one is recorded.
pub(crate) async fn concurrent_changes_of_priority_record_one(cx: Cx) {
    let id = cx.given_created().await;
    cx.advance(Duration::from_secs(2));
    cx.reconcile(ReconcileTask::PromoteDue).await;
    let args = new_priority(&cx, &id, 5);

    let answers = at_once(CALLERS, &cx.backend, |backend, _| {
        let args = args.clone();
        async move { backend.change_priority(args).await.unwrap() }
    })
    .await;

    let changed = ChangePriorityResult::Changed { execution_id: id.clone() };
    assert!(answers.iter().all(|answer| *answer == changed), "{answers:?}");
    assert_eq!(cx.events(&id).await, ["operator priority_changed"]);
}
