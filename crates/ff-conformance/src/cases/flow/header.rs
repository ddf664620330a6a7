use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader, EventStream, ReconcileTask};
use ff_core::engine_error::EngineError;
use ff_core::state::{PublicFlowState, PublicState};
use ff_core::types::{ExecutionId, FlowId, Namespace};
use serde_json::json;

use super::{
    assert_no_flow, flow_args, flow_of, given_flow, given_held_member, given_member, texts,
};
use crate::assertions::assert_invalid;
use crate::cases::at_once;
use crate::cases::operator::replay_of;
use crate::cases::worker::{given_registered, mark_dead, registration};
use crate::cx::{Cx, LEASE_TTL, LIMIT, ONE_MS};

pub(super) fn header(cx: &Cx, flow_id: &FlowId, policy: &str) -> CancelFlowArgs {
    CancelFlowArgs {
        flow_id: *flow_id,
        reason: "not wanted".to_owned(),
        cancellation_policy: policy.to_owned(),
        now: cx.now(),
    }
}

async fn cancel_by_name(cx: &Cx, flow_id: &FlowId, policy: &str) -> Vec<String> {
    let answer = cx.backend.cancel_flow_header(header(cx, flow_id, policy)).await.unwrap();
    let CancelFlowHeader::Cancelled { cancellation_policy, member_execution_ids } = answer else {
        unreachable!("the flow was finished: {answer:?}");
    };
    assert_eq!(cancellation_policy, policy);
    member_execution_ids
}

async fn backlog(cx: &Cx, flow_id: &FlowId) -> Vec<String> {
    let members = cx.probe().read_cancel_backlog(flow_id).await;
    texts(members.unwrap_or_default().iter().collect())
}

/// FLOW-5. A cancellation by name cancels the members, keeps the reason, and records what must be let go.
pub(crate) async fn a_cancellation_by_name_records_its_members(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;
    let done = given_held_member_completed(&cx, &flow_id).await;

    let cancelled = cancel_by_name(&cx, &flow_id, "cancel_all").await;

    let expected = texts(vec![held.execution_id(), &waiting]);
    assert_eq!(cancelled, expected);
    assert_eq!(backlog(&cx, &flow_id).await, expected);
    let flow = flow_of(&cx, &flow_id).await;
    assert_eq!(flow.public_flow_state, PublicFlowState::Cancelled);
    assert_eq!(flow.cancel_reason.as_deref(), Some("not wanted"));
    let member = cx.describe(&waiting).await;
    assert_eq!(member.cancellation_reason.as_deref(), Some("not wanted"));
    assert_eq!(cx.describe(&done).await.public_state, PublicState::Completed);
}

async fn given_held_member_completed(cx: &Cx, flow_id: &FlowId) -> ExecutionId {
    // Claims take the oldest, and another member waits already.
    let handle = {
        let id = given_member(cx, flow_id).await;
        let mut handles = cx.claim_all().await;
        let place = handles.iter().position(|handle| handle.execution_id() == &id).unwrap();
        let handle = handles.swap_remove(place);
        for other in handles {
            cx.backend.delay(&other, cx.now()).await.unwrap();
        }
        handle
    };
    cx.backend.complete(&handle, None).await.unwrap();
    handle.execution_id().clone()
}

/// FLOW-5, EVT-1. A cancellation by name is told once, of the flow.
pub(crate) async fn a_cancellation_by_name_is_told(cx: Cx) {
    let flow_id = FlowId::new();
    let mut args = flow_args(&cx, flow_id);
    args.namespace = Namespace::new("tenant");
    args.tags.insert("cairn.instance_id".to_owned(), "blue".to_owned());
    cx.backend.create_flow(args).await.unwrap();
    given_member(&cx, &flow_id).await;
    cx.advance(ONE_MS);

    cancel_by_name(&cx, &flow_id, "cancel_all").await;
    cx.backend.cancel_flow_header(header(&cx, &flow_id, "cancel_all")).await.unwrap();

    cx.store.settle().await;
    let told = cx.backend.read_events(EventStream::Operator, None, LIMIT).await.unwrap();
    assert_eq!(told.len(), 1);
    let event = &told[0];
    assert_eq!((event.name.as_str(), event.occurred_at), ("flow_cancel_requested", cx.now()));
    assert_eq!(event.execution_id.uuid(), flow_id.0);
    assert_eq!(event.namespace.as_str(), "tenant");
    assert_eq!(event.instance_tag.as_deref(), Some("blue"));
    let details =
        json!({ "cancellation_policy": "cancel_all", "reason": "not wanted", "members": 1 });
    assert_eq!(event.details, details);
}

/// FLOW-5, FLOW-4. The other policies by their names: what they spare is not recorded.
pub(crate) async fn a_spared_member_is_not_recorded(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;

    let cancelled = cancel_by_name(&cx, &flow_id, "cancel_pending").await;

    assert_eq!(cancelled, [waiting.to_string()]);
    assert_eq!(backlog(&cx, &flow_id).await, [waiting.to_string()]);
    cx.backend.complete(&held, None).await.unwrap();

    let alone = given_flow(&cx).await;
    given_member(&cx, &alone).await;
    assert!(cancel_by_name(&cx, &alone, "flow_only").await.is_empty());
    assert_eq!(cx.probe().read_cancel_backlog(&alone).await, None);
}

/// FLOW-5. A policy of another name is refused before any write.
pub(crate) async fn another_policy_is_refused(cx: Cx) {
    let flow_id = given_flow(&cx).await;

    for name in ["", "CancelAll", "cancel-all", "cancel_all "] {
        let error = cx.backend.cancel_flow_header(header(&cx, &flow_id, name)).await.unwrap_err();
        assert_invalid(error, "cancellation_policy");
    }
    let long = CancelFlowArgs { reason: "x".repeat(10_000), ..header(&cx, &flow_id, "flow_only") };
    assert_invalid(cx.backend.cancel_flow_header(long).await.unwrap_err(), "reason");

    assert_eq!(flow_of(&cx, &flow_id).await.public_flow_state, PublicFlowState::Open);
    let unknown = header(&cx, &FlowId::new(), "cancel_all");
    assert_no_flow(cx.backend.cancel_flow_header(unknown).await.unwrap_err());
}

/// FLOW-5, SAFE-3. Cancelling again says how it was cancelled and who has not let go, and changes nothing.
pub(crate) async fn a_repeated_cancellation_says_who_has_not_let_go(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let waiting = given_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;
    cx.backend.ack_cancel_member(&flow_id, &waiting).await.unwrap();
    let flow = flow_of(&cx, &flow_id).await;
    cx.advance(ONE_MS);

    let again = cx.backend.cancel_flow_header(header(&cx, &flow_id, "flow_only")).await.unwrap();

    let expected = CancelFlowHeader::AlreadyTerminal {
        stored_cancellation_policy: Some("cancel_all".to_owned()),
        stored_cancel_reason: Some("not wanted".to_owned()),
        member_execution_ids: vec![held.execution_id().to_string()],
    };
    assert_eq!(again, expected);
    assert_eq!(flow_of(&cx, &flow_id).await, flow);
}

/// FLOW-5. A flow that finished otherwise was not cancelled in any way.
pub(crate) async fn a_finished_flow_was_not_cancelled(cx: Cx) {
    let flow_id = FlowId::new();
    cx.probe().insert_foreign_flow(&flow_id, "completed", cx.now()).await;

    let answer = cx.backend.cancel_flow_header(header(&cx, &flow_id, "cancel_all")).await.unwrap();

    let expected = CancelFlowHeader::AlreadyTerminal {
        stored_cancellation_policy: None,
        stored_cancel_reason: None,
        member_execution_ids: Vec::new(),
    };
    assert_eq!(answer, expected);
}

/// FLOW-6. Acknowledging takes a member off the backlog, and the flow with its last one.
pub(crate) async fn the_last_acknowledgement_takes_the_flow_off(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let first = given_held_member(&cx, &flow_id).await;
    let second = given_held_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;

    cx.backend.ack_cancel_member(&flow_id, first.execution_id()).await.unwrap();
    let between = backlog(&cx, &flow_id).await;
    cx.backend.ack_cancel_member(&flow_id, second.execution_id()).await.unwrap();

    assert_eq!(between, [second.execution_id().to_string()]);
    assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
}

/// FLOW-6, SAFE-3. What is not in the backlog may be acknowledged.
pub(crate) async fn what_is_not_in_the_backlog_may_be_acknowledged(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    let stranger = cx.mint_id();
    cancel_by_name(&cx, &flow_id, "cancel_all").await;

    cx.backend.ack_cancel_member(&flow_id, &stranger).await.unwrap();
    cx.backend.ack_cancel_member(&FlowId::new(), held.execution_id()).await.unwrap();
    assert_eq!(backlog(&cx, &flow_id).await, [held.execution_id().to_string()]);
    for _ in 0..2 {
        cx.backend.ack_cancel_member(&flow_id, held.execution_id()).await.unwrap();
    }

    assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
}

/// FLOW-6, SAFE-4. Members that are acknowledged at once leave nothing behind.
pub(crate) async fn concurrent_acknowledgements_leave_nothing(cx: Cx) {
    for _ in 0..5 {
        let flow_id = given_flow(&cx).await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(given_member(&cx, &flow_id).await);
        }
        cancel_by_name(&cx, &flow_id, "cancel_all").await;

        let answers = at_once(ids.len(), &cx.backend, |backend, number| {
            let id = ids[number].clone();
            async move { backend.ack_cancel_member(&flow_id, &id).await }
        })
        .await;

        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
    }
}

/// TIME-6. Members whose worker is gone, or that never had one, are acknowledged for it.
pub(crate) async fn members_without_worker_are_let_go(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    given_registered(&cx, "gone/1").await;
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    given_member(&cx, &flow_id).await;
    cx.claim_as("gone").await;
    given_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;
    mark_dead(&cx, "gone/1").await;

    let report = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;
    let idle = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;

    assert_eq!((report.processed, report.errors, idle.processed), (2, 0, 0));
    assert_eq!(backlog(&cx, &flow_id).await, [held.execution_id().to_string()]);
    mark_dead(&cx, "worker/1").await;
    assert_eq!(cx.reconcile(ReconcileTask::DrainCancelBacklog).await.processed, 1);
    assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
}

/// TIME-6, WORK-2. A worker whose time to live is over is gone, swept or not.
pub(crate) async fn a_lapsed_worker_is_gone(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let flow_id = given_flow(&cx).await;
    given_held_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;

    let early = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;
    cx.advance(crate::cases::worker::TTL);
    let late = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;

    assert_eq!((early.processed, late.processed), (0, 1));
}

/// TIME-6, LEASE-2. A worker that lives and does not let go is waited for as long as its lease would have lasted.
pub(crate) async fn a_member_is_let_go_when_its_lease_would_have_ended(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let flow_id = given_flow(&cx).await;
    given_held_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;
    cx.advance(LEASE_TTL - ONE_MS);
    cx.backend.register_worker(registration(&cx, "worker/1")).await.unwrap();

    let early = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;
    cx.advance(ONE_MS);
    let late = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;

    assert_eq!((early.processed, late.processed), (0, 1));
}

/// TIME-6, OP-5. A member that was replayed is in other hands, and is waited for no more.
pub(crate) async fn a_replayed_member_is_let_go(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    cancel_by_name(&cx, &flow_id, "cancel_all").await;
    cx.backend.replay_execution(replay_of(&cx, held.execution_id())).await.unwrap();
    let again = cx.claim().await;

    let report = cx.reconcile(ReconcileTask::DrainCancelBacklog).await;

    assert_eq!(report.processed, 1);
    let left = cx.backend.cancel_flow_header(header(&cx, &flow_id, "cancel_all")).await.unwrap();
    let CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } = left else {
        unreachable!("{left:?}");
    };
    assert!(member_execution_ids.is_empty(), "{member_execution_ids:?}");
    cx.backend.complete(&again, None).await.unwrap();
}

/// TIME-6, TIME-8. One call lets go of as many members as it is told, and the next goes on.
pub(crate) async fn a_drain_keeps_to_its_limit(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    for _ in 0..5 {
        given_member(&cx, &flow_id).await;
    }
    cancel_by_name(&cx, &flow_id, "cancel_all").await;

    let mut processed = Vec::new();
    for _ in 0..4 {
        let report = cx.backend.reconcile(ReconcileTask::DrainCancelBacklog, 2).await.unwrap();
        processed.push(report.processed);
    }

    assert_eq!(processed, [2, 2, 1, 0]);
    assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
    let zero = cx.backend.reconcile(ReconcileTask::DrainCancelBacklog, 0).await;
    assert!(matches!(zero, Err(EngineError::Validation { .. })), "{zero:?}");
}
