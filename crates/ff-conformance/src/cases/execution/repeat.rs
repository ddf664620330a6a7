use ff_core::backend::{CapabilitySet, FailureClass, FailureReason, Handle};
use ff_core::contracts::{CreateExecutionResult, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use std::sync::Arc;

use crate::assertions::assert_duplicate;
use crate::cases::at_once;
use crate::cx::{Cx, LIMIT, ONE_MS, lane, retries, worker};

/// SAFE-3. A batch of creations that is repeated answers with what the first one made.
pub(crate) async fn a_repeated_batch_of_creations_makes_nothing(cx: Cx) {
    let batch = vec![cx.args(), cx.args()];
    let first = cx.backend.create_executions(batch.clone()).await.unwrap();

    let again = cx.backend.create_executions(batch).await.unwrap();

    for (first, again) in first.iter().zip(&again) {
        assert_duplicate(again, first.execution_id());
    }
    assert_eq!(cx.claim_batch(10).await.len(), 2);
}

/// SAFE-3. A report of progress that is repeated stores the same.
pub(crate) async fn a_repeated_report_stores_the_same(cx: Cx) {
    let handle = cx.given_claimed().await;
    let report = serde_json::json!({"done": 3, "of": 10});
    cx.backend.progress(&handle, report.clone()).await.unwrap();
    let first = cx.describe(handle.execution_id()).await;

    cx.backend.progress(&handle, report).await.unwrap();

    assert_eq!(cx.describe(handle.execution_id()).await, first);
}

/// SAFE-3. A claim whose answer was lost takes other work or none, and never the same twice.
pub(crate) async fn a_repeated_claim_takes_other_work(cx: Cx) {
    let first = cx.given_claimed().await;
    let before = cx.describe(first.execution_id()).await;

    let again = cx.try_claim().await;

    assert_eq!(again, None);
    assert_eq!(cx.describe(first.execution_id()).await, before);
}

/// What one of many tasks may be told; anything else is a fault of the store.
fn assert_expected(answer: Result<(), EngineError>) {
    let Err(error) = answer else { return };
    let is_expected = matches!(
        error,
        EngineError::Contention(ContentionKind::LeaseConflict)
            | EngineError::State(StateKind::LeaseExpired | StateKind::AttemptAlreadyTerminal)
    );
    assert!(is_expected, "{error:?}");
}

async fn end_somehow(backend: &Arc<dyn EngineBackend>, handle: &Handle, number: usize) {
    let reason = FailureReason::new("boom");
    assert_expected(backend.renew(handle).await.map(drop));
    assert_expected(match number % 4 {
        0 => backend.complete(handle, None).await,
        1 => backend.fail(handle, reason, FailureClass::Transient).await.map(drop),
        2 => backend.delay(handle, handle_free_time()).await,
        _ => Ok(()),
    });
}

/// Long past, so that what is given back can be claimed at once.
fn handle_free_time() -> ff_core::types::TimestampMs {
    ff_core::types::TimestampMs::from_millis(0)
}

/// SAFE-4, SAFE-5. Many tasks at few executions meet nothing but typed answers, and each execution
/// ends once.
pub(crate) async fn many_tasks_at_few_executions_get_typed_answers(cx: Cx) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(cx.create(|args| args.policy = Some(retries(1_000_000, 0))).await);
    }
    let second = cx.store.reopen().await;
    let clock = cx.clock.clone();

    at_once(10, &cx.backend, |first, task| {
        let backend = if task % 2 == 0 { first } else { second.clone() };
        let (clock, ids) = (clock.clone(), ids.clone());
        async move {
            let offered = CapabilitySet::default();
            for round in 0..12 {
                let name = format!("worker-{task}");
                let claimed = backend.claim(&lane(), &offered, worker(&name)).await.unwrap();
                if let Some(handle) = claimed {
                    end_somehow(&backend, &handle, task + round).await;
                    end_somehow(&backend, &handle, task + round).await;
                }
                backend.describe_execution(&ids[round % ids.len()]).await.unwrap();
                clock.advance(ONE_MS * 4_000);
                backend.reconcile(ReconcileTask::ExpireLeases, LIMIT).await.unwrap();
                backend.reconcile(ReconcileTask::PromoteDue, LIMIT).await.unwrap();
            }
        }
    })
    .await;

    cx.advance(crate::cx::LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;
    for handle in cx.claim_all().await {
        cx.backend.complete(&handle, None).await.unwrap();
    }
    for id in &ids {
        assert!(cx.describe(id).await.is_finished());
        assert_eq!(cx.completions(id).await, 1);
    }
}

/// SAFE-4. Work in one lane never fails because of work in another.
pub(crate) async fn lanes_do_not_disturb_each_other(cx: Cx) {
    at_once(8, &cx.backend, |backend, task| {
        let lane_id = ff_core::types::LaneId::new(format!("lane-{task}"));
        let all: Vec<_> =
            (0..10).map(|_| cx.args_with(|args| args.lane_id = lane_id.clone())).collect();
        async move {
            for args in all {
                let id = args.execution_id.clone();
                let result = backend.create_execution(args).await.unwrap();
                assert!(matches!(result, CreateExecutionResult::Created { .. }), "{result:?}");
                let offered = CapabilitySet::default();
                let claimed = backend.claim(&lane_id, &offered, worker("worker")).await.unwrap();
                let handle = claimed.unwrap();
                assert_eq!(handle.execution_id(), &id);
                backend.renew(&handle).await.unwrap();
                backend.complete(&handle, None).await.unwrap();
            }
        }
    })
    .await;
}
