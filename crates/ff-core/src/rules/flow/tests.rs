use expect_test::expect;
use uuid::Uuid;

use super::*;
use crate::rules::execution::{complete, fail};
use crate::rules::testing::{
    NOW, applied, assert_sound, claimed, effect, first_handle, held, waiting, with_retry, word,
};
use crate::state::{AttemptOutcome, LifecyclePhase};
use crate::types::{FlowId, Namespace};

fn open() -> FlowSnapshot {
    let flow_id = FlowId::from_uuid(Uuid::from_u128(9));
    FlowSnapshot::open(flow_id, Namespace::new("default"), NOW)
}

fn in_state(state: PublicFlowState) -> FlowSnapshot {
    FlowSnapshot { public_flow_state: state, ..open() }
}

fn cancellation(policy: CancelFlowPolicy) -> FlowCancellation {
    FlowCancellation { reason: "not wanted".to_owned(), ..FlowCancellation::new(policy, NOW) }
}

fn completed() -> Execution {
    let execution = claimed();
    applied(complete(held(&execution, &first_handle(), NOW), None, None).unwrap())
}

/// What it waits with after a failure, had its next attempt been given the failed one's place.
fn with_stale_outcome() -> Execution {
    let execution = with_retry(claimed(), 3, 0);
    let reason = crate::backend::FailureReason::new("boom");
    let class = crate::backend::FailureClass::Transient;
    let patch = fail(held(&execution, &first_handle(), NOW), &reason, class).unwrap().patch;
    let patch = patch.unwrap();
    let attempt_index = patch.attempt.as_ref().unwrap().attempt_index;
    Execution { attempt_index, current_attempt: patch.attempt, ..patch.execution }
}

/// FLOW-1, FLOW-4: only an open flow takes a member, and only one that is in no other flow.
#[test]
fn an_open_flow_takes_an_execution_once() {
    let other = FlowId::from_uuid(Uuid::from_u128(8));
    let mut table = String::new();
    for state in PublicFlowState::ALL {
        for flow_id in [None, Some(open().flow_id), Some(other)] {
            let execution = Execution { flow_id, ..waiting() };
            let answer = add_member(&in_state(*state), &execution, None);
            let place = match flow_id {
                None => "of no flow",
                Some(id) if id == other => "of another flow",
                Some(_) => "a member",
            };
            table.push_str(&format!("{state} flow, {place}: {answer:?}\n"));
        }
    }
    expect![[r#"
        open flow, of no flow: Ok(Added { graph_revision: 1 })
        open flow, a member: Ok(AlreadyMember { graph_revision: 0 })
        open flow, of another flow: Err(Conflict(ExecutionAlreadyInFlow))
        completed flow, of no flow: Err(State(FlowAlreadyTerminal))
        completed flow, a member: Ok(AlreadyMember { graph_revision: 0 })
        completed flow, of another flow: Err(Conflict(ExecutionAlreadyInFlow))
        failed flow, of no flow: Err(State(FlowAlreadyTerminal))
        failed flow, a member: Ok(AlreadyMember { graph_revision: 0 })
        failed flow, of another flow: Err(Conflict(ExecutionAlreadyInFlow))
        cancelled flow, of no flow: Err(State(FlowAlreadyTerminal))
        cancelled flow, a member: Ok(AlreadyMember { graph_revision: 0 })
        cancelled flow, of another flow: Err(Conflict(ExecutionAlreadyInFlow))
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_member_lies_where_the_store_keeps_them() {
    assert!(add_member(&open(), &waiting(), Some(0)).is_ok());
    let error = add_member(&open(), &waiting(), Some(3)).unwrap_err().to_string();
    expect!["invalid input: execution_id: it lies in partition 0, and the flow's members lie in 3; mint it with ExecutionId::for_flow"].assert_eq(&error);
}

/// FLOW-2, FLOW-4: which policy takes which member with it, and whether it is held.
#[test]
fn each_policy_takes_its_members() {
    let members = [
        ("waiting", waiting()),
        ("held", claimed()),
        ("held without attempt", Execution { current_attempt: None, ..claimed() }),
        ("suspended", Execution { lifecycle_phase: LifecyclePhase::Suspended, ..waiting() }),
        ("completed", completed()),
    ];
    let mut table = String::new();
    for policy in CancelFlowPolicy::ALL {
        for (name, member) in &members {
            let decision = cancel_member(member, &cancellation(*policy));
            let held = decision.map(|decision| {
                assert_sound(&decision.patch.unwrap().execution);
                decision.outcome
            });
            table.push_str(&format!("{policy}, {name}: {held:?}\n"));
        }
    }
    expect![[r#"
        cancel_all, waiting: Some(Hold { is_held: false, ends_at: TimestampMs(10200) })
        cancel_all, held: Some(Hold { is_held: true, ends_at: TimestampMs(10500) })
        cancel_all, held without attempt: Some(Hold { is_held: true, ends_at: TimestampMs(10200) })
        cancel_all, suspended: Some(Hold { is_held: false, ends_at: TimestampMs(10200) })
        cancel_all, completed: None
        cancel_pending, waiting: Some(Hold { is_held: false, ends_at: TimestampMs(10200) })
        cancel_pending, held: None
        cancel_pending, held without attempt: None
        cancel_pending, suspended: Some(Hold { is_held: false, ends_at: TimestampMs(10200) })
        cancel_pending, completed: None
        flow_only, waiting: None
        flow_only, held: None
        flow_only, held without attempt: None
        flow_only, suspended: None
        flow_only, completed: None
    "#]]
    .assert_eq(&table);
}

/// FLOW-2, FLOW-3: a running attempt loses its lease and has no outcome.
#[test]
fn a_held_member_loses_its_lease() {
    let execution = claimed();
    let decision = cancel_member(&execution, &cancellation(CancelFlowPolicy::CancelAll)).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Cancelled
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Cancelled
        cancellation_reason: None -> "not wanted"
        cancelled_by: None -> "flow"
        terminal_at: None -> 10200
        attempt.lease_epoch: 1 -> 2
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        result: Keep
        event at 10200: lease revoked
        event at 10200: completion cancelled
        answer: Hold { is_held: true, ends_at: TimestampMs(10500) }
    "#]]
    .assert_eq(&effect(&execution, &decision));

    let cancelled = applied(decision);
    let late = complete(held(&cancelled, &first_handle(), NOW), None, None);
    assert_eq!(word(&late), "LeaseConflict");
}

/// FLOW-3: whatever outcome the current attempt had.
#[test]
fn a_stale_outcome_is_cleared() {
    let execution = with_stale_outcome();
    let stale = execution.current_attempt.as_ref().unwrap().outcome;
    assert_eq!(stale, Some(AttemptOutcome::Retry));
    let decision = cancel_member(&execution, &cancellation(CancelFlowPolicy::CancelAll)).unwrap();
    expect![[r#"
        lifecycle_phase: Runnable -> Cancelled
        eligibility_state: EligibleNow -> NotApplicable
        attempt_state: PendingRetryAttempt -> AttemptTerminal
        public_state: Waiting -> Cancelled
        cancellation_reason: None -> "not wanted"
        cancelled_by: None -> "flow"
        terminal_at: None -> 10200
        attempt.outcome: Retry -> None
        result: Keep
        event at 10200: completion cancelled
        answer: Hold { is_held: false, ends_at: TimestampMs(10200) }
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// FLOW-2, FLOW-5: the flow stores how and why, once.
#[test]
fn only_an_open_flow_is_cancelled() {
    let requested = cancellation(CancelFlowPolicy::CancelPending);
    for state in PublicFlowState::ALL {
        let flow = cancel(&in_state(*state), &requested);
        assert_eq!(flow.is_some(), *state == PublicFlowState::Open, "{state}");
    }
    let flow = cancel(&open(), &requested).unwrap();
    assert_eq!(flow.cancellation_policy.as_deref(), Some("cancel_pending"));
    assert_eq!(flow.cancel_reason.as_deref(), Some("not wanted"));
    assert_eq!(flow.terminal_at, Some(NOW));
    assert_eq!(repeated_cancel(&flow).unwrap(), "cancel_pending");
    assert!(repeated_cancel(&in_state(PublicFlowState::Completed)).is_err());
}

/// FLOW-5: another name is refused and the names are told.
#[test]
fn a_policy_is_known_by_its_name() {
    let args = |name: &str| CancelFlowArgs {
        flow_id: open().flow_id,
        reason: "a\0b".to_owned(),
        cancellation_policy: name.to_owned(),
        now: NOW,
    };
    let flow_only = FlowCancellation::by_name(&args("flow_only")).unwrap();
    assert_eq!(
        (flow_only.policy, flow_only.reason.as_str()),
        (CancelFlowPolicy::FlowOnly, "a\u{fffd}b")
    );
    let error = FlowCancellation::by_name(&args("CancelAll")).unwrap_err().to_string();
    expect![[r#"invalid input: cancellation_policy: "CancelAll" is none of cancel_all, cancel_pending, flow_only"#]].assert_eq(&error);
}
