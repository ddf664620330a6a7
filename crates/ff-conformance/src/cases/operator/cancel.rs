use ff_core::backend::FailureClass;
use ff_core::contracts::{CancelExecutionArgs, ReconcileTask};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::rules::input::OPERATOR_REASON_MAX_BYTES;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{CancelSource, ExecutionId, LeaseEpoch};

use super::{assert_cancelled, assert_lost, cancel, cancellation};
use crate::assertions::{assert_invalid, assert_not_found};
use crate::cx::{Cx, ONE_MS, after_start, lane};
use crate::fixture::ForeignExecution;

fn by_holder(cx: &Cx, id: &ExecutionId, epoch: Option<u64>) -> CancelExecutionArgs {
    CancelExecutionArgs {
        source: CancelSource::LeaseHolder,
        lease_epoch: epoch.map(LeaseEpoch::new),
        ..cancellation(cx, id)
    }
}

#[track_caller]
fn assert_stale(error: EngineError) {
    let is_it = matches!(error, EngineError::State(StateKind::StaleLease));
    assert!(is_it, "not a stale lease: {error:?}");
}

async fn assert_finished_as(cx: &Cx, id: &ExecutionId, expected: PublicState) {
    let before = cx.describe(id).await;
    let events = cx.events(id).await;

    let error = cx.backend.cancel_execution(cancellation(cx, id)).await.unwrap_err();

    let EngineError::Contention(ContentionKind::ExecutionNotActive { outcome }) = error else {
        unreachable!("not an execution that has finished: {error:?}");
    };
    assert_eq!(outcome, expected);
    assert_eq!((cx.describe(id).await, cx.events(id).await), (before, events));
}

/// OP-1, STATE-1. An execution that waits is finished by its cancellation.
pub(crate) async fn cancelling_what_waits_finishes_it(cx: Cx) {
    let id = cx.given_created().await;
    cx.advance(ONE_MS);

    cancel(&cx, &id).await;

    let words = cx.words(&id).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    assert_eq!(cx.describe(&id).await.terminal_at, Some(cx.now()));
    assert!(cx.attempts(&id).await.is_empty());
    assert!(cx.try_claim().await.is_none());
}

/// OP-1. An execution that is delayed is finished by its cancellation, and never becomes due.
pub(crate) async fn a_delayed_execution_can_be_cancelled(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(after_start(10))).await;

    cancel(&cx, &id).await;

    cx.advance(ONE_MS * 10);
    assert!(cx.try_claim().await.is_none());
    assert_eq!(cx.describe(&id).await.eligible_at, None);
}

/// OP-1, SAFE-5. A running attempt ends as cancelled, and its worker has lost the lease.
pub(crate) async fn cancelling_takes_the_lease(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(ONE_MS);

    cancel(&cx, handle.execution_id()).await;

    let words = cx.words(handle.execution_id()).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Cancelled));
    assert_eq!((attempt.lease_expires_at, attempt.terminal_at), (None, Some(cx.now())));
    assert!(attempt.lease_epoch > handle.lease_epoch(), "the epoch is not raised: {attempt:?}");
    assert_lost(&cx, &handle).await;
    assert!(cx.try_claim().await.is_none());
}

/// OP-1. A claimed execution's cancellation is told by two lease events and one completion, and no more.
pub(crate) async fn a_claimed_execution_tells_of_its_cancellation(cx: Cx) {
    let handle = cx.given_claimed().await;

    cancel(&cx, handle.execution_id()).await;

    let events = cx.events(handle.execution_id()).await;
    assert_eq!(events, ["lease acquired", "lease revoked", "completion cancelled"]);
}

/// OP-1. An execution that nobody holds tells of no lease.
pub(crate) async fn what_nobody_holds_tells_of_no_lease(cx: Cx) {
    let id = cx.given_created().await;

    cancel(&cx, &id).await;

    assert_eq!(cx.events(&id).await, ["completion cancelled"]);
}

/// OP-1. Who cancelled it and why is stored, whatever the reason's text.
pub(crate) async fn who_cancelled_and_why_is_stored(cx: Cx) {
    for (reason, stored) in
        [("two\nlines, 'quoted' \"", "two\nlines, 'quoted' \""), ("a\0b", "a\u{fffd}b"), ("", "")]
    {
        let id = cx.given_created().await;
        let args = CancelExecutionArgs { reason: reason.to_owned(), ..cancellation(&cx, &id) };

        cx.backend.cancel_execution(args).await.unwrap();

        let execution = cx.describe(&id).await;
        assert_eq!(execution.cancelled_by.as_deref(), Some("operator_override"));
        assert_eq!(execution.cancellation_reason.as_deref(), Some(stored));
    }
}

/// OP-1, EXEC-3. A reason beyond the limit is refused before any write.
pub(crate) async fn a_long_reason_is_refused(cx: Cx) {
    let id = cx.given_created().await;
    let reason = "x".repeat(OPERATOR_REASON_MAX_BYTES + 1);
    let args = CancelExecutionArgs { reason, ..cancellation(&cx, &id) };

    assert_invalid(cx.backend.cancel_execution(args).await.unwrap_err(), "reason");

    assert_eq!(cx.describe(&id).await.public_state, PublicState::Waiting);
}

/// OP-1, SAFE-3. Cancelling again gives the same answer and records nothing.
pub(crate) async fn cancelling_again_records_nothing(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cancel(&cx, id).await;
    let (before, events) = (cx.describe(id).await, cx.events(id).await);
    cx.advance(ONE_MS);

    let args = CancelExecutionArgs { reason: "another".to_owned(), ..by_holder(&cx, id, None) };
    let answer = cx.backend.cancel_execution(args).await.unwrap();

    assert_cancelled(answer, id);
    assert_eq!((cx.describe(id).await, cx.events(id).await), (before, events));
}

/// OP-1. What has finished in another way says how, and stays as it is.
pub(crate) async fn cancelling_what_has_finished_says_how(cx: Cx) {
    let completed = cx.given_completed().await;
    assert_finished_as(&cx, completed.execution_id(), PublicState::Completed).await;

    let failed = cx.given_claimed().await;
    cx.fail(&failed, FailureClass::Permanent).await.unwrap();
    assert_finished_as(&cx, failed.execution_id(), PublicState::Failed).await;

    let now = cx.now();
    let expired = cx.create(|args| args.execution_deadline_at = Some(now)).await;
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;
    assert_finished_as(&cx, &expired, PublicState::Expired).await;
}

/// OP-1. An execution that its worker gave up is cancelled already.
pub(crate) async fn what_its_worker_gave_up_is_cancelled_already(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.fail(&handle, FailureClass::Cancelled).await.unwrap();

    cancel(&cx, handle.execution_id()).await;

    assert_eq!(cx.completions(handle.execution_id()).await, 1);
}

/// OP-1. An unknown execution is not found.
pub(crate) async fn an_unknown_execution_cannot_be_cancelled(cx: Cx) {
    let args = cancellation(&cx, &cx.mint_id());

    assert_not_found(cx.backend.cancel_execution(args).await.unwrap_err());
}

/// OP-2. Anyone but an operator names the epoch of the lease.
pub(crate) async fn only_an_operator_cancels_a_lease_without_its_epoch(cx: Cx) {
    let handle = cx.given_claimed().await;
    let args = by_holder(&cx, handle.execution_id(), None);

    assert_invalid(cx.backend.cancel_execution(args).await.unwrap_err(), "lease_epoch");

    cx.backend.renew(&handle).await.unwrap();
    cancel(&cx, handle.execution_id()).await;
}

/// OP-2. An epoch that is not the present one cancels nothing.
pub(crate) async fn a_stale_epoch_does_not_cancel(cx: Cx) {
    let handle = cx.given_claimed().await;

    for epoch in [0, handle.lease_epoch().0 + 1] {
        let args = by_holder(&cx, handle.execution_id(), Some(epoch));
        assert_stale(cx.backend.cancel_execution(args).await.unwrap_err());
    }

    cx.backend.complete(&handle, None).await.unwrap();
}

/// OP-2. The worker that holds the lease cancels with its epoch, and is named as the one who did.
pub(crate) async fn a_lease_holder_cancels_with_its_epoch(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    let lease = cx.describe(id).await.lease().unwrap();
    let args = CancelExecutionArgs {
        lease_id: Some(lease.lease_id),
        ..by_holder(&cx, id, Some(handle.lease_epoch().0))
    };

    assert_cancelled(cx.backend.cancel_execution(args).await.unwrap(), id);

    assert_eq!(cx.describe(id).await.cancelled_by.as_deref(), Some("lease_holder"));
}

/// OP-2. Every attempt begins with the same epoch, and the lease id tells a former holder apart.
pub(crate) async fn the_lease_of_an_earlier_attempt_does_not_cancel(cx: Cx) {
    let first = cx.given_claimed().await;
    let id = first.execution_id();
    let lease = cx.describe(id).await.lease().unwrap();
    let second = cx.reclaim_and_claim(&first).await;
    assert_eq!(first.lease_epoch(), second.lease_epoch());
    let args = CancelExecutionArgs {
        lease_id: Some(lease.lease_id),
        ..by_holder(&cx, id, Some(first.lease_epoch().0))
    };

    assert_stale(cx.backend.cancel_execution(args).await.unwrap_err());

    cx.backend.complete(&second, None).await.unwrap();
}

/// OP-2. Where there is no lease, nobody is asked for an epoch.
pub(crate) async fn no_epoch_is_asked_where_there_is_no_lease(cx: Cx) {
    let id = cx.given_created().await;

    let answer = cx.backend.cancel_execution(by_holder(&cx, &id, None)).await.unwrap();

    assert_cancelled(answer, &id);
}

/// OP-1, STATE-1. A row that another program wrote as leased, without an attempt, is cancelled too.
pub(crate) async fn a_leased_row_without_attempt_can_be_cancelled(cx: Cx) {
    let mut row = ForeignExecution::waiting(cx.mint_id(), lane(), cx.now());
    row.lifecycle_phase = "active".to_owned();
    row.ownership_state = "leased".to_owned();
    row.eligibility_state = "not_applicable".to_owned();
    row.public_state = "claimed".to_owned();
    row.attempt_state = "running_attempt".to_owned();
    let id = row.execution_id.clone();
    cx.probe().insert_foreign_execution(row).await;

    cancel(&cx, &id).await;

    let words = cx.words(&id).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    assert!(cx.attempts(&id).await.is_empty());
    assert_eq!(cx.events(&id).await, ["lease revoked", "completion cancelled"]);
}

/// OP-1, SAFE-5. An attempt that another program claimed, and left with the outcome that it had before, runs.
pub(crate) async fn a_lease_on_a_stale_outcome_is_taken(cx: Cx) {
    let handle = cx.given_claimed().await;
    super::write_stale_outcome(&cx, &handle).await;

    cancel(&cx, handle.execution_id()).await;

    let attempt = cx.attempt(&handle).await;
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Cancelled));
    assert_eq!((attempt.lease_expires_at, attempt.terminal_at), (None, Some(cx.now())));
    assert!(attempt.lease_epoch > handle.lease_epoch());
    assert_lost(&cx, &handle).await;
}
