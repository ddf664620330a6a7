use ff_core::backend::{FailureClass, FailureReason, Handle};
use ff_core::contracts::ReconcileTask;
use ff_core::policy::TimeoutPolicy;

use crate::cases::at_once;
use crate::cx::{Cx, LEASE_TTL, ONE_MS, timeouts};

/// FIN-5, SAFE-3. A repeated ending records nothing twice.
pub(crate) async fn a_repeated_ending_records_nothing_twice(cx: Cx) {
    let completed = cx.given_completed().await;
    let failed = cx.given_claimed().await;
    cx.fail(&failed, FailureClass::Permanent).await.unwrap();
    let retried = cx.given_claimed().await;
    cx.fail(&retried, FailureClass::Transient).await.unwrap();
    let handles = [&completed, &failed, &retried];
    let mut before = Vec::new();
    for handle in handles {
        before.push(cx.events(handle.execution_id()).await);
    }

    for _ in 0..3 {
        cx.backend.complete(&completed, Some(b"result".to_vec())).await.unwrap();
        cx.fail(&failed, FailureClass::Permanent).await.unwrap();
        cx.fail(&retried, FailureClass::Transient).await.unwrap();
    }

    for (handle, before) in handles.into_iter().zip(before) {
        assert_eq!(cx.events(handle.execution_id()).await, before);
    }
}

/// SAFE-1, LEASE-2. A refused call by handle records nothing.
pub(crate) async fn a_refused_call_records_nothing(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL);
    let before = cx.events(handle.execution_id()).await;

    let refused = [
        cx.backend.complete(&handle, None).await.is_err(),
        cx.fail(&handle, FailureClass::Permanent).await.is_err(),
        cx.backend.delay(&handle, cx.now()).await.is_err(),
        cx.backend.renew(&handle).await.is_err(),
        cx.backend.progress(&handle, serde_json::json!(1)).await.is_err(),
    ];

    assert_eq!(refused, [true; 5]);
    assert_eq!(cx.events(handle.execution_id()).await, before);
}

/// EXEC-2, SAFE-3. A duplicate records nothing and leaves no trace of itself.
pub(crate) async fn a_duplicate_records_nothing(cx: Cx) {
    let handle = cx.given_completed().await;
    let before = cx.events(handle.execution_id()).await;
    let again = cx.args_with(|args| args.execution_id = handle.execution_id().clone());

    cx.backend.create_execution(again).await.unwrap();

    assert_eq!(cx.events(handle.execution_id()).await, before);
}

/// SAFE-5. Every way of finishing records exactly one completion, whatever is tried after it.
pub(crate) async fn every_ending_is_one_completion(cx: Cx) {
    let completed = cx.given_completed().await;
    let failed = cx.given_claimed().await;
    cx.fail(&failed, FailureClass::Permanent).await.unwrap();
    let cancelled = cx.given_claimed().await;
    cx.fail(&cancelled, FailureClass::Cancelled).await.unwrap();
    let policy = timeouts(TimeoutPolicy { max_reclaim_count: 0, ..TimeoutPolicy::default() });
    let reclaimed = cx.given_claimed_with(policy).await;
    cx.create(|args| args.execution_deadline_at = Some(crate::cx::after_start(1))).await;
    let expired = cx.claim().await;
    cx.advance(LEASE_TTL);

    for _ in 0..2 {
        cx.reconcile(ReconcileTask::ExpireDeadlines).await;
        cx.reconcile(ReconcileTask::ExpireLeases).await;
        cx.reconcile(ReconcileTask::TimeOutAttempts).await;
    }

    for handle in [&completed, &failed, &cancelled, &reclaimed, &expired] {
        let id = handle.execution_id();
        let late = cx.backend.fail(handle, FailureReason::new("late"), FailureClass::Permanent);
        assert!(late.await.is_err());
        assert!(cx.describe(id).await.is_finished());
        assert_eq!(cx.completions(id).await, 1, "{:?}", cx.events(id).await);
    }
}

/// SAFE-5, TIME-8. Nodes and a worker that race to end one execution record one completion.
pub(crate) async fn racing_endings_are_one_completion(cx: Cx) {
    for _ in 0..6 {
        let deadline = cx.now().saturating_add_millis(1);
        cx.create(|args| args.execution_deadline_at = Some(deadline)).await;
        let handle = cx.claim().await;
        cx.advance(ONE_MS);

        at_once(8, &cx.backend, |backend, number| {
            let handle: Handle = handle.clone();
            async move {
                if number % 2 == 0 {
                    let _ = backend.complete(&handle, None).await;
                } else {
                    backend.reconcile(ReconcileTask::ExpireDeadlines, 10).await.unwrap();
                }
            }
        })
        .await;

        assert!(cx.describe(handle.execution_id()).await.is_finished());
        assert_eq!(cx.completions(handle.execution_id()).await, 1);
    }
}

/// SAFE-1. A claim and its event are stored together, in every race.
pub(crate) async fn every_lease_is_told_once(cx: Cx) {
    let id = cx.create(|args| args.policy = Some(crate::cx::retries(1_000, 0))).await;

    at_once(6, &cx.backend, |backend, number| async move {
        let offered = ff_core::backend::CapabilitySet::default();
        for _ in 0..10 {
            let policy = crate::cx::worker(&format!("worker-{number}"));
            let claimed = backend.claim(&crate::cx::lane(), &offered, policy).await.unwrap();
            if let Some(handle) = claimed {
                let reason = FailureReason::new("boom");
                backend.fail(&handle, reason, FailureClass::Transient).await.unwrap();
            }
        }
    })
    .await;

    let attempts = cx.attempts(&id).await.len();
    assert_eq!(cx.events(&id).await, vec!["lease acquired"; attempts]);
}

/// SAFE-2. An ending that is dropped is told exactly when it is done.
pub(crate) async fn a_dropped_ending_is_told_when_it_is_done(cx: Cx) {
    for polls in 0..6 {
        let handle = cx.given_claimed().await;

        let mut call = Box::pin(cx.backend.complete(&handle, None));
        for _ in 0..polls {
            if futures::poll!(call.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        cx.backend.complete(&handle, None).await.unwrap();

        assert_eq!(cx.completions(handle.execution_id()).await, 1);
    }
}
