use ff_core::backend::FailureClass;
use ff_core::contracts::{EventStream, ReconcileTask};
use ff_core::policy::TimeoutPolicy;

use crate::assertions::assert_not_found;
use crate::cx::{Cx, LEASE_TTL, ONE_MS, START, retries, timeouts};

/// EXEC-1. Creating announces nothing: nobody has done anything yet.
pub(crate) async fn creating_records_nothing(cx: Cx) {
    let id = cx.given_created().await;

    assert!(cx.events(&id).await.is_empty());
}

/// CLAIM-2, FIN-1. A life without trouble has two events, each at its time.
pub(crate) async fn a_plain_life_has_two_events(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(ONE_MS);
    cx.backend.renew(&handle).await.unwrap();
    cx.backend.progress(&handle, serde_json::json!(1)).await.unwrap();
    cx.backend.complete(&handle, None).await.unwrap();

    let events = cx.backend.list_execution_events(handle.execution_id()).await.unwrap();

    let told: Vec<_> =
        events.iter().map(|event| (event.occurred_at, event.stream, event.name.as_str())).collect();
    let acquired = (START, EventStream::Lease, "acquired");
    assert_eq!(told, [acquired, (cx.now(), EventStream::Completion, "success")]);
}

/// FIN-2, FIN-3. A retry completes nothing; the failure that ends it all does.
pub(crate) async fn only_the_last_failure_is_a_completion(cx: Cx) {
    let first = cx.given_claimed_with(retries(1, 1)).await;
    cx.fail_and_wait(&first).await;
    let second = cx.claim().await;
    cx.advance(ONE_MS);
    cx.fail(&second, FailureClass::Transient).await.unwrap();

    let events = cx.events(first.execution_id()).await;

    assert_eq!(events, ["lease acquired", "lease acquired", "completion failed"]);
}

/// FIN-3. A handler that gives up completes the execution as cancelled.
pub(crate) async fn giving_up_is_a_completion(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.fail(&handle, FailureClass::Cancelled).await.unwrap();

    let events = cx.events(handle.execution_id()).await;

    assert_eq!(events, ["lease acquired", "completion cancelled"]);
}

/// FIN-6. Giving a lease back is told.
pub(crate) async fn giving_back_is_told(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.delay(&handle, cx.now()).await.unwrap();

    assert_eq!(cx.events(handle.execution_id()).await, ["lease acquired", "lease released"]);
}

/// TIME-1. An expired lease is told, and a completion follows when it was one too many.
pub(crate) async fn an_expired_lease_is_told(cx: Cx) {
    let policy = timeouts(TimeoutPolicy { max_reclaim_count: 1, ..TimeoutPolicy::default() });
    let first = cx.given_claimed_with(policy).await;
    cx.reclaim_and_claim(&first).await;
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;

    let events = cx.events(first.execution_id()).await;

    let given_and_lost = ["lease acquired", "lease expired"];
    assert_eq!(events[..4], [given_and_lost, given_and_lost].concat());
    assert_eq!(events[4..], ["completion failed"]);
}

/// TIME-2. A promotion announces nothing.
pub(crate) async fn a_promotion_records_nothing(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(crate::cx::after_start(1))).await;
    cx.advance(ONE_MS);
    cx.reconcile(ReconcileTask::PromoteDue).await;

    assert!(cx.events(&id).await.is_empty());
}

/// TIME-3. A timeout that ends the execution is a completion, one that is retried is none.
pub(crate) async fn a_timeout_completes_when_it_is_the_last(cx: Cx) {
    let timeout = TimeoutPolicy { attempt_timeout_ms: Some(1), ..TimeoutPolicy::default() };
    let policy =
        ff_core::policy::ExecutionPolicy { timeout_policy: Some(timeout), ..retries(1, 0) };
    let first = cx.given_claimed_with(policy).await;
    cx.advance(ONE_MS);
    cx.reconcile(ReconcileTask::TimeOutAttempts).await;
    let between = cx.completions(first.execution_id()).await;
    cx.claim().await;
    cx.advance(ONE_MS);

    cx.reconcile(ReconcileTask::TimeOutAttempts).await;

    assert_eq!(between, 0);
    let events = cx.events(first.execution_id()).await;
    assert_eq!(events.last().map(String::as_str), Some("completion failed"));
    assert_eq!(cx.completions(first.execution_id()).await, 1);
}

/// TIME-4. A deadline that passes completes the execution, and takes its lease.
pub(crate) async fn an_expiry_is_a_completion(cx: Cx) {
    let deadline = crate::cx::after_start(10);
    let waiting = cx.create(|args| args.execution_deadline_at = Some(deadline)).await;
    cx.create(|args| {
        args.execution_deadline_at = Some(deadline);
        args.priority = 1;
    })
    .await;
    let running = cx.claim().await;
    cx.advance(ONE_MS * 10);

    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.events(&waiting).await, ["completion expired"]);
    let events = cx.events(running.execution_id()).await;
    assert_eq!(events, ["lease acquired", "lease revoked", "completion expired"]);
}

/// SAFE-1. Each execution has its own events, and an unknown one has none to read.
pub(crate) async fn each_execution_has_its_own_events(cx: Cx) {
    let [first, second] = [cx.given_completed().await, cx.given_claimed().await];

    let of_first = cx.events(first.execution_id()).await;
    let of_second = cx.events(second.execution_id()).await;
    let unknown = cx.backend.list_execution_events(&cx.mint_id()).await.unwrap_err();

    assert_eq!(of_first, ["lease acquired", "completion success"]);
    assert_eq!(of_second, ["lease acquired"]);
    assert_not_found(unknown);
}

/// CLAIM-6, FIN-7. Batches tell of each item what single calls would.
pub(crate) async fn batches_tell_of_each_item(cx: Cx) {
    use ff_core::contracts::Completion;
    for _ in 0..3 {
        cx.given_created().await;
    }
    let handles = cx.claim_batch(3).await;
    let item = |handle: &_| Completion { handle: Clone::clone(handle), result: None };
    let batch = handles.iter().chain(&handles[..1]).map(item).collect();

    cx.backend.complete_batch(batch).await.unwrap();

    for handle in &handles {
        let events = cx.events(handle.execution_id()).await;
        assert_eq!(events, ["lease acquired", "completion success"]);
    }
}
