use ff_core::backend::FailureClass;
use ff_core::contracts::{ChangePriorityResult, EventStream, ReconcileTask};
use ff_core::types::ExecutionId;
use serde_json::json;
use std::time::Duration;

use super::{assert_not_eligible, cancel, new_priority};
use crate::assertions::assert_not_found;
use crate::cx::{Cx, LIMIT, ONE_MS, after_start, retries};

const ONE_SECOND: Duration = Duration::from_secs(1);

/// An execution that a sweep has admitted to its queue.
async fn given_admitted(cx: &Cx) -> ExecutionId {
    let id = cx.given_created().await;
    cx.advance(ONE_SECOND + ONE_MS);
    cx.reconcile(ReconcileTask::PromoteDue).await;
    id
}

async fn change(cx: &Cx, id: &ExecutionId, priority: i32) {
    let answer = cx.backend.change_priority(new_priority(cx, id, priority)).await.unwrap();
    assert_eq!(answer, ChangePriorityResult::Changed { execution_id: id.clone() });
}

async fn assert_refused(cx: &Cx, id: &ExecutionId) {
    let before = cx.describe(id).await;
    let error = cx.backend.change_priority(new_priority(cx, id, 9)).await.unwrap_err();
    assert_not_eligible(error);
    assert_eq!(cx.describe(id).await, before);
}

/// OP-4. An execution with a new priority is claimed in its new place.
pub(crate) async fn a_changed_priority_moves_the_execution(cx: Cx) {
    let first = given_admitted(&cx).await;
    let last = given_admitted(&cx).await;

    change(&cx, &last, 5).await;

    assert_eq!(cx.describe(&last).await.priority, 5);
    let claimed = [cx.claim().await, cx.claim().await];
    assert_eq!([claimed[0].execution_id(), claimed[1].execution_id()], [&last, &first]);
}

/// OP-4. The change is told by an operator event with the old and the new priority.
pub(crate) async fn a_changed_priority_is_told(cx: Cx) {
    let id = given_admitted(&cx).await;

    change(&cx, &id, -7).await;

    assert_eq!(cx.events(&id).await, ["operator priority_changed"]);
    cx.store.settle().await;
    let told = cx.backend.read_events(EventStream::Operator, None, LIMIT).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].execution_id, told[0].occurred_at), (&id, cx.now()));
    assert_eq!(told[0].details, json!({ "old": 0, "new": -7 }));
}

/// OP-4, SAFE-3. The same change again records nothing.
pub(crate) async fn a_repeated_change_records_nothing(cx: Cx) {
    let id = given_admitted(&cx).await;
    change(&cx, &id, 5).await;

    change(&cx, &id, 5).await;

    assert_eq!(cx.events(&id).await, ["operator priority_changed"]);
}

/// OP-4. An execution that was just submitted cannot be moved, until a sweep has admitted it.
pub(crate) async fn what_was_just_submitted_cannot_be_moved(cx: Cx) {
    let id = cx.given_created().await;
    assert_refused(&cx, &id).await;
    cx.advance(ONE_SECOND);
    let too_early = cx.reconcile(ReconcileTask::PromoteDue).await;
    assert_refused(&cx, &id).await;
    cx.advance(ONE_MS);

    let report = cx.reconcile(ReconcileTask::PromoteDue).await;

    assert_eq!((too_early.processed, report.processed), (0, 1));
    let words = cx.words(&id).await;
    assert_eq!(words, "runnable unowned eligible_now pending waiting");
    change(&cx, &id, 5).await;
    assert!(cx.reconcile(ReconcileTask::PromoteDue).await.processed == 0);
}

/// OP-4, CLAIM-1. Admission changes nothing of the order in which executions are claimed.
pub(crate) async fn admission_keeps_the_order_of_the_queue(cx: Cx) {
    let first = given_admitted(&cx).await;
    let second = cx.given_created().await;
    let urgent = cx.create(|args| args.priority = 1).await;

    let claimed = cx.claim_all().await;

    let ids: Vec<_> = claimed.iter().map(|handle| handle.execution_id().clone()).collect();
    assert_eq!(ids, [urgent, first, second]);
}

/// OP-4. An execution that waits for another attempt can be moved.
pub(crate) async fn what_is_retried_can_be_moved(cx: Cx) {
    let handle = cx.given_claimed_with(retries(3, 0)).await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();

    change(&cx, handle.execution_id(), 5).await;

    assert_eq!(cx.describe(handle.execution_id()).await.priority, 5);
}

/// OP-4. What is delayed, running or finished cannot be moved, and what is unknown is not found.
pub(crate) async fn what_does_not_wait_cannot_be_moved(cx: Cx) {
    let delayed = cx.create(|args| args.delay_until = Some(after_start(60_000))).await;
    let running = cx.given_claimed().await;
    let completed = cx.given_completed().await;
    let cancelled = cx.given_claimed().await;
    cancel(&cx, cancelled.execution_id()).await;

    assert_refused(&cx, &delayed).await;
    assert_refused(&cx, running.execution_id()).await;
    assert_refused(&cx, completed.execution_id()).await;
    assert_refused(&cx, cancelled.execution_id()).await;

    let unknown = new_priority(&cx, &cx.mint_id(), 1);
    assert_not_found(cx.backend.change_priority(unknown).await.unwrap_err());
}

/// OP-4. The ends of the range are priorities too.
pub(crate) async fn the_ends_of_the_range_are_priorities(cx: Cx) {
    let id = given_admitted(&cx).await;

    change(&cx, &id, i32::MAX).await;
    change(&cx, &id, i32::MIN).await;

    assert_eq!(cx.describe(&id).await.priority, i32::MIN);
}
