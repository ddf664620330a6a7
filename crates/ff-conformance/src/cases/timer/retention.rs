use std::time::Duration;

use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::types::Namespace;

use crate::assertions::{assert_invalid, assert_not_found};
use crate::cx::{Cx, ONE_MS};

const KEPT: Duration = Duration::from_secs(3_600);

async fn keep(cx: &Cx, retention: Option<Duration>) {
    cx.backend.set_retention(&Namespace::new("default"), retention).await.unwrap();
}

/// TIME-7. Without a retention finished executions are kept for ever.
pub(crate) async fn without_a_retention_everything_is_kept(cx: Cx) {
    let handle = cx.given_completed().await;
    cx.advance(KEPT * 1_000_000);

    let report = cx.reconcile(ReconcileTask::TrimRetention).await;

    assert_eq!(report, ScanReport::default());
    cx.describe(handle.execution_id()).await;
}

/// TIME-7. A finished execution is kept for its namespace's retention and no longer.
pub(crate) async fn a_finished_execution_is_kept_for_its_retention(cx: Cx) {
    keep(&cx, Some(KEPT)).await;
    let handle = cx.given_completed().await;
    cx.advance(KEPT - ONE_MS);
    let early = cx.reconcile(ReconcileTask::TrimRetention).await;
    cx.advance(ONE_MS);

    let due = cx.reconcile(ReconcileTask::TrimRetention).await;

    assert_eq!((early.processed, due.processed), (0, 1));
    let id = handle.execution_id();
    assert_eq!(cx.backend.describe_execution(id).await.unwrap(), None);
    assert_not_found(cx.backend.list_attempts(id).await.unwrap_err());
    assert_not_found(cx.backend.complete(&handle, None).await.unwrap_err());
}

/// TIME-7. An execution goes with every row that names it.
pub(crate) async fn an_execution_goes_with_all_its_rows(cx: Cx) {
    keep(&cx, Some(KEPT)).await;
    let key = Some("order-17".to_owned());
    cx.create(|args| {
        args.idempotency_key = key;
        args.tags.insert("team".to_owned(), "blue".to_owned());
        args.policy = Some(crate::cx::retries(1, 0));
    })
    .await;
    let first = cx.claim().await;
    cx.fail_and_wait(&first).await;
    let second = cx.claim().await;
    cx.backend.complete(&second, None).await.unwrap();
    let before = cx.probe().count_rows(first.execution_id()).await;
    cx.advance(KEPT);

    cx.reconcile(ReconcileTask::TrimRetention).await;

    assert!(before > 3, "an execution, two attempts, a key and events");
    assert_eq!(cx.probe().count_rows(first.execution_id()).await, 0);
}

/// TIME-7, EXEC-2. A key is free again when its execution is gone.
pub(crate) async fn a_key_is_free_when_its_execution_is_gone(cx: Cx) {
    keep(&cx, Some(KEPT)).await;
    let key = Some("order-17".to_owned());
    let first = cx.create(|args| args.idempotency_key = key.clone()).await;
    let handle = cx.claim().await;
    cx.backend.complete(&handle, None).await.unwrap();
    cx.advance(KEPT);
    cx.reconcile(ReconcileTask::TrimRetention).await;

    let second = cx.create(|args| args.idempotency_key = key).await;

    assert_ne!(first, second);
}

/// TIME-7. Other namespaces, and what has not finished, are left alone.
pub(crate) async fn only_finished_executions_of_the_namespace_go(cx: Cx) {
    keep(&cx, Some(Duration::ZERO)).await;
    let other = cx.create(|args| args.namespace = Namespace::new("other")).await;
    let of_other = cx.claim().await;
    cx.backend.complete(&of_other, None).await.unwrap();
    let running = cx.given_claimed().await;
    let waiting = cx.given_created().await;
    cx.advance(KEPT);

    let report = cx.reconcile(ReconcileTask::TrimRetention).await;

    assert_eq!(report, ScanReport::default());
    for id in [&other, running.execution_id(), &waiting] {
        cx.describe(id).await;
    }
}

/// TIME-7. A retention can be changed and taken back, and every process goes by it.
pub(crate) async fn a_retention_can_be_taken_back(cx: Cx) {
    keep(&cx, Some(KEPT)).await;
    keep(&cx, Some(KEPT * 2)).await;
    cx.given_completed().await;
    cx.advance(KEPT);
    let other = cx.store.reopen().await;
    let longer = other.reconcile(ReconcileTask::TrimRetention, 10).await.unwrap();
    keep(&cx, None).await;
    cx.advance(KEPT);

    let taken_back = other.reconcile(ReconcileTask::TrimRetention, 10).await.unwrap();

    assert_eq!((longer.processed, taken_back.processed), (0, 0));
}

/// TIME-7. The longest retention there is is for ever.
pub(crate) async fn a_retention_never_overflows(cx: Cx) {
    keep(&cx, Some(Duration::MAX)).await;
    cx.given_completed().await;
    cx.advance(KEPT * 1_000_000);

    let report = cx.reconcile(ReconcileTask::TrimRetention).await;

    assert_eq!(report, ScanReport::default());
}

/// EXEC-3, TIME-7. A retention of no namespace is refused.
pub(crate) async fn a_retention_of_no_namespace_is_refused(cx: Cx) {
    let error = cx.backend.set_retention(&Namespace::new(""), Some(KEPT)).await.unwrap_err();

    assert_invalid(error, "namespace");
}
