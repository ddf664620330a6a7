use ff_core::backend::FailureClass;
use ff_core::contracts::ReconcileTask;
use ff_core::policy::{ExecutionPolicy, TimeoutPolicy};
use ff_core::state::{EligibilityState, LifecyclePhase, PublicState, derive_public_state};
use ff_core::types::ExecutionId;
use serde_json::json;

use crate::cx::{Cx, LEASE_TTL, ONE_MS, after_start, retries, timeouts};

/// The stored words derive the stored public state, and each is spelled as it is written today.
async fn assert_stored(cx: &Cx, id: &ExecutionId, expected: PublicState) {
    let phase: LifecyclePhase = stored(cx, id, "lifecycle_phase").await;
    let eligibility: EligibilityState = stored(cx, id, "eligibility_state").await;
    let public_state: PublicState = stored(cx, id, "public_state").await;
    let attempt = cx.describe(id).await.current_attempt;
    let outcome = attempt.and_then(|attempt| attempt.outcome);
    assert_eq!(derive_public_state(phase, eligibility, outcome), Some(public_state));
    assert_eq!(public_state, expected);
}

async fn stored<W>(cx: &Cx, id: &ExecutionId, column: &str) -> W
where
    W: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Display,
{
    let text = cx.probe().read_word(id, column).await;
    let word: W = text.parse().unwrap();
    assert_eq!(word.to_string(), text, "{column} is spelled as of old");
    word
}

/// STATE-1. After each operation of a long life the stored public state is what the other words
/// derive.
pub(crate) async fn stored_words_agree_along_a_whole_life(cx: Cx) {
    let policy = ExecutionPolicy {
        timeout_policy: Some(TimeoutPolicy {
            attempt_timeout_ms: Some(60_000),
            ..TimeoutPolicy::default()
        }),
        ..retries(5, 1)
    };
    let id = cx
        .create(|args| {
            args.delay_until = Some(after_start(1));
            args.policy = Some(policy);
        })
        .await;
    assert_stored(&cx, &id, PublicState::Delayed).await;
    cx.advance(ONE_MS);
    cx.reconcile(ReconcileTask::PromoteDue).await;
    assert_stored(&cx, &id, PublicState::Waiting).await;
    let handle = cx.claim().await;
    assert_stored(&cx, &id, PublicState::Running).await;
    cx.backend.renew(&handle).await.unwrap();
    cx.backend.progress(&handle, json!({"done": 1})).await.unwrap();
    assert_stored(&cx, &id, PublicState::Running).await;
    let until = cx.now().saturating_add_millis(1);
    cx.backend.delay(&handle, until).await.unwrap();
    assert_stored(&cx, &id, PublicState::Delayed).await;
    cx.advance(ONE_MS);
    let handle = cx.claim().await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();
    assert_stored(&cx, &id, PublicState::Delayed).await;
    cx.advance(ONE_MS);
    cx.claim().await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;
    assert_stored(&cx, &id, PublicState::Waiting).await;
    let handle = cx.claim().await;
    cx.advance(LEASE_TTL / 2);
    cx.backend.renew(&handle).await.unwrap();
    cx.advance(LEASE_TTL - ONE_MS);
    cx.backend.renew(&handle).await.unwrap();
    cx.advance(LEASE_TTL - ONE_MS);
    cx.reconcile(ReconcileTask::TimeOutAttempts).await;
    assert_stored(&cx, &id, PublicState::Delayed).await;
    cx.advance(ONE_MS);
    let handle = cx.claim().await;

    cx.backend.complete(&handle, None).await.unwrap();

    assert_stored(&cx, &id, PublicState::Completed).await;
}

/// STATE-1. However an execution finishes, the stored public state is what the other words derive.
pub(crate) async fn stored_words_agree_at_every_end(cx: Cx) {
    let failed = cx.given_claimed().await;
    cx.fail(&failed, FailureClass::Permanent).await.unwrap();
    let cancelled = cx.given_claimed().await;
    cx.fail(&cancelled, FailureClass::Cancelled).await.unwrap();
    let no_reclaim = TimeoutPolicy { max_reclaim_count: 0, ..TimeoutPolicy::default() };
    let reclaimed = cx.given_claimed_with(timeouts(no_reclaim)).await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;
    let deadline = Some(cx.now());
    let waiting = cx.create(|args| args.execution_deadline_at = deadline).await;
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_stored(&cx, failed.execution_id(), PublicState::Failed).await;
    assert_stored(&cx, cancelled.execution_id(), PublicState::Cancelled).await;
    assert_stored(&cx, reclaimed.execution_id(), PublicState::Failed).await;
    assert_stored(&cx, &waiting, PublicState::Expired).await;
}
