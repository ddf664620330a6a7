use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass};
use ff_core::contracts::{ExecutionCount, ExecutionFilter};
use ff_core::state::{PublicFlowState, PublicState};
use ff_core::types::FlowId;

use super::{
    assert_no_flow, cancel_flow, flow_of, given_flow, given_held_member, given_member, member_id,
    texts,
};
use crate::assertions::assert_lease_conflict;
use crate::cases::operator::{assert_lost, replay_of, write_stale_outcome};
use crate::cx::{Cx, ONE_MS, lane, retries};

/// FLOW-2, STATE-1. Cancelling a flow cancels every member that has not finished, and names them.
pub(crate) async fn cancelling_a_flow_cancels_its_members(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let done = given_held_member(&cx, &flow_id).await;
    cx.backend.complete(&done, Some(b"result".to_vec())).await.unwrap();
    let waiting = given_member(&cx, &flow_id).await;
    let stranger = cx.given_created().await;
    cx.advance(ONE_MS);

    let cancelled = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_eq!(cancelled, texts(vec![held.execution_id(), &waiting]));
    for id in [held.execution_id(), &waiting] {
        let words = cx.words(id).await;
        assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
        let member = cx.describe(id).await;
        assert_eq!(member.terminal_at, Some(cx.now()));
        assert_eq!((member.cancelled_by.as_deref(), member.blocking_reason), (Some("flow"), None));
    }
    assert_eq!(cx.describe(done.execution_id()).await.public_state, PublicState::Completed);
    assert_eq!(cx.claim().await.execution_id(), &stranger);
    assert!(cx.try_claim().await.is_none());
}

/// FLOW-2. A cancelled flow keeps how and when.
pub(crate) async fn a_cancelled_flow_keeps_how_and_when(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let before = flow_of(&cx, &flow_id).await;
    cx.advance(ONE_MS);

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelPending).await;

    let flow = flow_of(&cx, &flow_id).await;
    assert_eq!(flow.public_flow_state, PublicFlowState::Cancelled);
    assert_eq!(flow.cancellation_policy.as_deref(), Some("cancel_pending"));
    assert!(flow.cancel_reason.is_some_and(|reason| !reason.is_empty()));
    assert_eq!(flow.terminal_at, Some(cx.now()));
    assert_eq!((flow.created_at, flow.tags), (before.created_at, before.tags));
}

/// FLOW-2, SAFE-5. Each member tells of its cancellation once, and of its lease if it had one; the flow of
/// nothing.
pub(crate) async fn members_tell_of_their_cancellation(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    let events = cx.events(held.execution_id()).await;
    assert_eq!(events, ["lease acquired", "lease revoked", "completion cancelled"]);
    assert_eq!(cx.events(&waiting).await, ["completion cancelled"]);
    cx.store.settle().await;
    let operator = ff_core::contracts::EventStream::Operator;
    assert!(cx.backend.read_events(operator, None, crate::cx::LIMIT).await.unwrap().is_empty());
}

/// FLOW-2, FLOW-7, SAFE-5. The worker of a cancelled member has lost its lease.
pub(crate) async fn the_worker_of_a_cancelled_member_has_lost_its_lease(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_lost(&cx, &held).await;
    let mut renewed = cx.backend.renew_batch(std::slice::from_ref(&held)).await.unwrap();
    assert_lease_conflict(renewed.pop().unwrap().unwrap_err());
}

/// FLOW-3 (#355). The outcome of each member's current attempt is cleared, whatever it was.
pub(crate) async fn cancel_flow_clears_the_current_attempts_outcome(cx: Cx) {
    use crate::fixture::AttemptKey;
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let stale = given_member(&cx, &flow_id).await;
    let attempt_index = ff_core::types::AttemptIndex::new(0);
    let at = AttemptKey { execution_id: &stale, attempt_index };
    cx.probe().insert_foreign_attempt(at).await;
    cx.probe().write_attempt_text(at, "outcome", Some("retry")).await;

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_eq!(cx.attempt_at(&stale, 0).await.outcome, None);
    let attempt = cx.attempt(&held).await;
    assert_eq!((attempt.outcome, attempt.lease_expires_at), (None, None));
    assert!(attempt.lease_epoch > held.lease_epoch());
    cx.words(held.execution_id()).await;
}

/// FLOW-2, FLOW-3, SAFE-5. A member that a worker holds loses its lease, whatever stale outcome it held.
pub(crate) async fn a_held_members_stale_outcome_goes_with_its_lease(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    write_stale_outcome(&cx, &held).await;

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    let attempt = cx.attempt(&held).await;
    assert_eq!((attempt.outcome, attempt.lease_expires_at), (None, None));
    assert!(attempt.lease_epoch > held.lease_epoch());
    assert_lost(&cx, &held).await;
}

/// FLOW-3. The attempts before the current one keep how they ended.
pub(crate) async fn earlier_attempts_keep_their_outcome(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = cx
        .create(|args| {
            args.execution_id = member_id(&cx, &flow_id);
            args.policy = Some(retries(3, 0));
        })
        .await;
    super::add(&cx, &flow_id, &id).await;
    cx.fail_and_wait(&cx.claim().await).await;
    let current = cx.claim().await;

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    let outcomes: Vec<_> = cx.attempts(&id).await.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(ff_core::state::AttemptOutcome::Retry), None]);
    assert_eq!(cx.describe(&id).await.attempt_index, current.attempt_index());
}

/// FLOW-4. Cancelling what is pending spares the members that workers hold, and they go on.
pub(crate) async fn cancelling_what_is_pending_spares_what_is_held(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;

    let cancelled = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelPending).await;

    assert_eq!(cancelled, [waiting.to_string()]);
    assert_eq!(cx.describe(&waiting).await.public_state, PublicState::Cancelled);
    cx.backend.renew(&held).await.unwrap();
    cx.backend.complete(&held, None).await.unwrap();
}

/// FLOW-4. Cancelling the flow alone leaves its members to go on.
pub(crate) async fn cancelling_the_flow_alone_leaves_its_members(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;

    let cancelled = cancel_flow(&cx, &flow_id, CancelFlowPolicy::FlowOnly).await;

    assert!(cancelled.is_empty());
    cx.backend.complete(&held, None).await.unwrap();
    assert_eq!(cx.claim().await.execution_id(), &waiting);
}

/// FLOW-2, SAFE-3. Cancelling again answers as the first call did, and changes nothing.
pub(crate) async fn cancelling_a_flow_again_changes_nothing(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    given_member(&cx, &flow_id).await;
    let first = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;
    let (flow, events) = (flow_of(&cx, &flow_id).await, cx.events(held.execution_id()).await);
    cx.advance(ONE_MS);

    let again = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_eq!(again, first);
    assert_eq!(flow_of(&cx, &flow_id).await, flow);
    assert_eq!(cx.events(held.execution_id()).await, events);
}

/// FLOW-2. A cancelled flow stays as it was cancelled, whatever policy is named later.
pub(crate) async fn the_first_policy_holds(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let waiting = given_member(&cx, &flow_id).await;
    cancel_flow(&cx, &flow_id, CancelFlowPolicy::FlowOnly).await;

    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    let again = cx.backend.cancel_flow(&flow_id, policy, wait).await.unwrap();

    let (cancellation_policy, member_execution_ids) = ("flow_only".to_owned(), Vec::new());
    let expected = ff_core::contracts::CancelFlowResult::Cancelled {
        cancellation_policy,
        member_execution_ids,
    };
    assert_eq!(again, expected);
    assert_eq!(cx.describe(&waiting).await.public_state, PublicState::Waiting);
}

/// FLOW-8. An unknown flow is not found.
pub(crate) async fn an_unknown_flow_cannot_be_cancelled(cx: Cx) {
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite);

    assert_no_flow(cx.backend.cancel_flow(&FlowId::new(), policy, wait).await.unwrap_err());
}

/// FLOW-2. A member that failed and waits for its next attempt is cancelled too, and never becomes due.
pub(crate) async fn a_member_between_two_attempts_is_cancelled(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = cx
        .create(|args| {
            args.execution_id = member_id(&cx, &flow_id);
            args.policy = Some(retries(3, 10));
        })
        .await;
    super::add(&cx, &flow_id, &id).await;
    cx.fail(&cx.claim().await, FailureClass::Transient).await.unwrap();

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    let words = cx.words(&id).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    cx.advance(ONE_MS * 10);
    assert!(cx.try_claim().await.is_none());
}

/// FLOW-2, OP-5. A member of a cancelled flow can be replayed, by itself.
pub(crate) async fn a_cancelled_member_can_be_replayed(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    given_member(&cx, &flow_id).await;
    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    cx.backend.replay_execution(replay_of(&cx, held.execution_id())).await.unwrap();

    let again = cx.claim().await;
    assert_eq!(again.execution_id(), held.execution_id());
    cx.backend.complete(&again, None).await.unwrap();
    assert!(cx.try_claim().await.is_none());
}

/// FLOW-9. A flow of 10,000 members is cancelled whole, those that workers hold among them.
pub(crate) async fn a_large_flow_is_cancelled_whole(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let args: Vec<_> = (0..10_000)
        .map(|_| cx.args_with(|args| args.execution_id = member_id(&cx, &flow_id)))
        .collect();
    let ids: Vec<_> = args.iter().map(|args| args.execution_id.clone()).collect();
    cx.backend.create_executions(args).await.unwrap();
    cx.probe().write_flow(&ids, &flow_id).await;
    let held = cx.claim_batch(100).await;
    assert_eq!(held.len(), 100);

    let cancelled = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_eq!(cancelled, texts(ids.iter().collect()));
    let counts = cx.backend.count_executions(&ExecutionFilter::default()).await.unwrap();
    let public_state = PublicState::Cancelled;
    assert_eq!(counts, [ExecutionCount { lane_id: lane(), public_state, count: 10_000 }]);
    assert_lost(&cx, &held[0]).await;
}
