use expect_test::{Expect, expect};

use super::*;
use crate::rules::claim::grant;
use crate::rules::execution::{complete, fail};
use crate::rules::testing::{
    CLAIMED, NOW, applied, assert_sound, claimed, claimed_from, delayed, effect, first_handle,
    handle, held, waiting, with_retry, word, worker,
};
use crate::rules::timer::expire_lease;
use crate::state::PublicState;
use crate::types::{FlowId, LaneId, WorkerInstanceId};

fn cancel_args(source: CancelSource, epoch: Option<u64>) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: waiting().execution_id,
        reason: "not wanted".to_owned(),
        source,
        lease_id: None,
        lease_epoch: epoch.map(LeaseEpoch::new),
        attempt_id: None,
        now: NOW,
    }
}

fn by_operator() -> CancelExecutionArgs {
    cancel_args(CancelSource::OperatorOverride, None)
}

fn revoke_args(instance: &str) -> RevokeLeaseArgs {
    RevokeLeaseArgs {
        execution_id: waiting().execution_id,
        expected_lease_id: None,
        worker_instance_id: WorkerInstanceId::new(instance),
        reason: "stuck".to_owned(),
    }
}

fn priority_args(new_priority: i32) -> ChangePriorityArgs {
    let (execution_id, lane_id) = (waiting().execution_id, LaneId::new("ignored"));
    ChangePriorityArgs { execution_id, new_priority, lane_id, now: NOW }
}

fn replay_args() -> ReplayExecutionArgs {
    ReplayExecutionArgs { execution_id: waiting().execution_id, now: NOW }
}

fn completed() -> Execution {
    let execution = claimed();
    applied(complete(held(&execution, &first_handle(), NOW), None, None).unwrap())
}

fn retrying() -> Execution {
    let execution = with_retry(claimed(), 3, 0);
    let reason = crate::backend::FailureReason::new("boom");
    applied(fail(held(&execution, &first_handle(), NOW), &reason, FailureClass::Transient).unwrap())
}

fn in_phase(phase: LifecyclePhase, eligibility: EligibilityState) -> Execution {
    let mut execution = if phase == LifecyclePhase::Active { claimed() } else { waiting() };
    execution.lifecycle_phase = phase;
    execution.eligibility_state = eligibility;
    execution
}

/// OP-1, OP-4, OP-5: which operation acts on which phase.
#[test]
fn every_phase_and_eligibility_has_its_answers() {
    let mut table = String::new();
    for phase in LifecyclePhase::ALL {
        for eligibility in EligibilityState::ALL {
            let execution = in_phase(*phase, *eligibility);
            table.push_str(&format!(
                "{phase} {eligibility}: cancel {}, change priority {}, replay {}\n",
                word(&cancel(&execution, &by_operator())),
                word(&change_priority(&execution, &priority_args(7))),
                word(&replay(&execution, &replay_args())),
            ));
        }
    }
    expect![[r#"
        submitted eligible_now: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted not_eligible_until_time: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted blocked_by_dependencies: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted blocked_by_budget: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted blocked_by_quota: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted blocked_by_operator: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        submitted not_applicable: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable eligible_now: cancel ok, change priority ok, replay ExecutionNotTerminal
        runnable not_eligible_until_time: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable blocked_by_dependencies: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable blocked_by_budget: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable blocked_by_quota: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable blocked_by_operator: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        runnable not_applicable: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active eligible_now: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active not_eligible_until_time: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active blocked_by_dependencies: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active blocked_by_budget: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active blocked_by_quota: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active blocked_by_operator: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        active not_applicable: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended eligible_now: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended not_eligible_until_time: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended blocked_by_dependencies: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended blocked_by_budget: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended blocked_by_quota: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended blocked_by_operator: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        suspended not_applicable: cancel ok, change priority ExecutionNotEligible, replay ExecutionNotTerminal
        terminal eligible_now: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal not_eligible_until_time: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal blocked_by_dependencies: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal blocked_by_budget: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal blocked_by_quota: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal blocked_by_operator: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        terminal not_applicable: cancel ExecutionNotActive { outcome: Waiting }, change priority ExecutionNotEligible, replay ok
        cancelled eligible_now: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled not_eligible_until_time: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled blocked_by_dependencies: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled blocked_by_budget: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled blocked_by_quota: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled blocked_by_operator: cancel repeated, change priority ExecutionNotEligible, replay ok
        cancelled not_applicable: cancel repeated, change priority ExecutionNotEligible, replay ok
    "#]].assert_eq(&table);
}

fn assert_effect<T: std::fmt::Debug>(before: &Execution, decision: &Decision<T>, expected: Expect) {
    expected.assert_eq(&effect(before, decision));
}

/// OP-1: a running attempt ends as cancelled, without its lease, and its handle fails.
#[test]
fn cancelling_takes_the_lease() {
    let execution = claimed();
    let decision = cancel(&execution, &by_operator()).unwrap();
    assert_effect(
        &execution,
        &decision,
        expect![[r#"
        lifecycle_phase: Active -> Cancelled
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Cancelled
        cancellation_reason: None -> "not wanted"
        cancelled_by: None -> "operator_override"
        terminal_at: None -> 10200
        attempt.lease_epoch: 1 -> 2
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Cancelled
        result: Keep
        event at 10200: lease revoked
        event at 10200: completion cancelled
        answer: Cancelled { execution_id: ExecutionId { partition: 0, uuid: 00000000-0000-0000-0000-000000000007, text: "{fp:0}:00000000-0000-0000-0000-000000000007" }, public_state: Cancelled }
    "#]],
    );

    let cancelled = applied(decision);
    let handle = first_handle();
    let late = complete(held(&cancelled, &handle, NOW), None, None);
    assert_eq!(word(&late), "LeaseConflict");
}

/// OP-1: what waits is cancelled without a lease event, and its last attempt keeps how it ended.
#[test]
fn cancelling_what_waits_takes_no_lease() {
    let execution = waiting();
    assert_effect(
        &execution,
        &cancel(&execution, &by_operator()).unwrap(),
        expect![[r#"
        lifecycle_phase: Submitted -> Cancelled
        eligibility_state: EligibleNow -> NotApplicable
        attempt_state: Pending -> AttemptTerminal
        public_state: Waiting -> Cancelled
        cancellation_reason: None -> "not wanted"
        cancelled_by: None -> "operator_override"
        terminal_at: None -> 10200
        result: Keep
        event at 10200: completion cancelled
        answer: Cancelled { execution_id: ExecutionId { partition: 0, uuid: 00000000-0000-0000-0000-000000000007, text: "{fp:0}:00000000-0000-0000-0000-000000000007" }, public_state: Cancelled }
    "#]],
    );

    let mut execution = claimed();
    execution.lifecycle_phase = LifecyclePhase::Runnable;
    execution.ownership_state = OwnershipState::Unowned;
    let decision = cancel(&execution, &by_operator()).unwrap();
    assert_eq!(decision.patch.unwrap().attempt, None);
}

/// OP-1: a row that another program has written as leased, without an attempt.
#[test]
fn an_execution_without_attempt_is_cancelled_all_the_same() {
    let execution = Execution { current_attempt: None, ..claimed() };
    let decision = cancel(&execution, &by_operator()).unwrap();
    assert_eq!(decision.patch.as_ref().unwrap().attempt, None);
    assert_eq!(decision.events[0], Event::lease(NOW, LeaseEventType::Revoked));
    assert_sound(&applied(decision));
}

/// OP-2: which fence each source needs.
#[test]
fn only_an_operator_cancels_a_lease_without_its_epoch() {
    let mut table = String::new();
    for (name, execution) in [("waiting", waiting()), ("leased", claimed())] {
        for source in CancelSource::ALL {
            for epoch in [None, Some(0), Some(1), Some(2)] {
                let answer = cancel(&execution, &cancel_args(*source, epoch));
                table.push_str(&format!("{name} {source} {epoch:?}: {}\n", word(&answer)));
            }
        }
    }
    expect![[r#"
        waiting operator_override None: ok
        waiting operator_override Some(0): ok
        waiting operator_override Some(1): ok
        waiting operator_override Some(2): ok
        waiting lease_holder None: ok
        waiting lease_holder Some(0): ok
        waiting lease_holder Some(1): ok
        waiting lease_holder Some(2): ok
        waiting flow None: ok
        waiting flow Some(0): ok
        waiting flow Some(1): ok
        waiting flow Some(2): ok
        leased operator_override None: ok
        leased operator_override Some(0): ok
        leased operator_override Some(1): ok
        leased operator_override Some(2): ok
        leased lease_holder None: Validation { kind: InvalidInput, detail: "lease_epoch: the execution is leased, and only an operator may cancel it without one" }
        leased lease_holder Some(0): StaleLease
        leased lease_holder Some(1): ok
        leased lease_holder Some(2): StaleLease
        leased flow None: Validation { kind: InvalidInput, detail: "lease_epoch: the execution is leased, and only an operator may cancel it without one" }
        leased flow Some(0): StaleLease
        leased flow Some(1): ok
        leased flow Some(2): StaleLease
    "#]].assert_eq(&table);
}

/// OP-2: each attempt begins with epoch 1, so that the lease id tells two of them apart.
#[test]
fn the_lease_of_an_earlier_attempt_is_stale() {
    let first = claimed();
    let lost = applied(expire_lease(&first, TimestampMs(20_000)).unwrap());
    let second = claimed_from(&lost);
    let args = CancelExecutionArgs {
        lease_id: first.lease().map(|lease| lease.lease_id),
        ..cancel_args(CancelSource::LeaseHolder, Some(1))
    };
    assert_eq!(word(&cancel(&second, &args)), "StaleLease");
    assert_eq!(word(&cancel(&first, &args)), "ok");
}

/// OP-3: the execution goes back to its lane, and the next claim is another attempt.
#[test]
fn revoking_gives_the_execution_back() {
    let execution = claimed();
    let decision = revoke(&execution, &revoke_args("w/1"), NOW);
    assert_effect(
        &execution,
        &decision,
        expect![[r#"
        lifecycle_phase: Active -> Runnable
        ownership_state: Leased -> Unowned
        eligibility_state: NotApplicable -> EligibleNow
        attempt_state: RunningAttempt -> AttemptInterrupted
        public_state: Running -> Waiting
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Interrupted
        attempt.error: None -> AttemptError { class: Cancelled, message: "stuck", detail_hex: None, retry_at_ms: None }
        result: Keep
        event at 10200: lease revoked
        answer: Revoked { lease_id: LeaseId(00000000-0000-0001-0000-000000000007), lease_epoch: LeaseEpoch(1) }
    "#]],
    );
}

/// OP-3: what there was to revoke.
#[test]
fn a_revocation_that_finds_no_such_lease_says_why() {
    let reason = |execution: &Execution, args: &RevokeLeaseArgs| {
        let decision = revoke(execution, args, NOW);
        assert_eq!(decision.patch, None);
        let RevokeLeaseResult::AlreadySatisfied { reason } = decision.outcome else {
            unreachable!("{decision:?}");
        };
        reason
    };
    let other_lease =
        RevokeLeaseArgs { expected_lease_id: Some(LeaseId::new()), ..revoke_args("w/1") };
    assert_eq!(reason(&waiting(), &revoke_args("w/1")), "no_active_lease");
    assert_eq!(reason(&completed(), &revoke_args("w/1")), "no_active_lease");
    let rowless = Execution { current_attempt: None, ..claimed() };
    assert_eq!(reason(&rowless, &revoke_args("w/1")), "no_active_lease");
    assert_eq!(reason(&claimed(), &revoke_args("other")), "different_worker_instance_id");
    assert_eq!(reason(&claimed(), &other_lease), "lease_id_mismatch");
}

/// OP-4, SAFE-3: the event holds old and new, and a repeated change records nothing.
#[test]
fn a_change_of_priority_is_recorded_once() {
    let execution = retrying();
    let decision = change_priority(&execution, &priority_args(7)).unwrap();
    assert_eq!(
        decision.events,
        [Event::operator(NOW, OperatorEventType::PriorityChanged, json!({ "old": 0, "new": 7 }))]
    );
    let changed = applied(decision);
    assert_eq!(changed.priority, 7);
    assert_eq!(word(&change_priority(&changed, &priority_args(7))), "repeated");
    assert_eq!(word(&change_priority(&delayed(NOW), &priority_args(7))), "ExecutionNotEligible");
}

/// OP-5: everything that the last run left is cleared, but for its history.
#[test]
fn a_replay_begins_anew() {
    let mut execution = completed();
    execution.retry_count = 2;
    execution.deadline_at = Some(NOW);
    let decision = replay(&execution, &replay_args()).unwrap();
    assert_eq!(decision.patch.as_ref().unwrap().result, ResultChange::Set(None));
    assert_effect(
        &execution,
        &decision,
        expect![[r#"
        deadline_at: 10200 -> None
        lifecycle_phase: Terminal -> Runnable
        eligibility_state: NotApplicable -> EligibleNow
        attempt_state: AttemptTerminal -> PendingReplayAttempt
        public_state: Completed -> Waiting
        terminal_at: 10200 -> None
        retry_count: 2 -> 0
        replay_count: 0 -> 1
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        result: Set(None)
        event at 10200: operator replayed
        answer: Replayed { public_state: Waiting }
    "#]],
    );

    let cancelled = applied(cancel(&claimed(), &by_operator()).unwrap());
    let replayed = applied(replay(&cancelled, &replay_args()).unwrap());
    assert_eq!((&replayed.cancelled_by, &replayed.cancellation_reason), (&None, &None));
    assert_eq!(replayed.started_at, Some(CLAIMED));

    let decision = grant(&replayed, &worker("v"), NOW).unwrap();
    assert_eq!(decision.outcome.attempt_index, replayed.attempt_index);
    assert_eq!(handle(&replayed, decision.outcome.clone()).lease_epoch(), LeaseEpoch::new(1));
    assert_eq!(applied(decision).started_at, Some(CLAIMED));
}

/// OP-5: a deadline that is still to come goes on.
#[test]
fn a_replay_keeps_a_deadline_that_has_not_passed() {
    let deadline_at = Some(TimestampMs(NOW.0 + 1));
    let execution = Execution { deadline_at, ..completed() };
    assert_eq!(applied(replay(&execution, &replay_args()).unwrap()).deadline_at, deadline_at);
}

/// OP-5: `max_replay_count` replays, and no more.
#[test]
fn replays_are_limited_by_the_policy() {
    let limited = |max_replay_count, replay_count| {
        let policy = Some(ExecutionPolicy { max_replay_count, ..ExecutionPolicy::default() });
        let execution = Execution { policy, replay_count, ..completed() };
        word(&replay(&execution, &replay_args()))
    };
    assert_eq!(limited(2, 1), "ok");
    assert_eq!(limited(2, 2), "MaxReplaysExhausted");
    assert_eq!(limited(0, 0), "MaxReplaysExhausted");
    let without_policy = Execution { replay_count: 9, ..completed() };
    assert_eq!(word(&replay(&without_policy, &replay_args())), "ok");
    let without_policy = Execution { replay_count: 10, ..completed() };
    assert_eq!(word(&replay(&without_policy, &replay_args())), "MaxReplaysExhausted");
}

/// OP-6: a member that its flow had skipped waits for its dependencies; anything else that was skipped runs.
#[test]
fn a_skipped_member_waits_for_its_dependencies() {
    let mut execution = completed();
    execution.public_state = PublicState::Skipped;
    if let Some(attempt) = &mut execution.current_attempt {
        attempt.outcome = Some(AttemptOutcome::Skipped);
    }
    let alone = replay(&execution, &replay_args()).unwrap();
    assert!(!alone.patch.as_ref().unwrap().resets_edge_group);
    assert_eq!(applied(alone).public_state, PublicState::Waiting);

    execution.flow_id = Some(FlowId::from_uuid(uuid::Uuid::from_u128(9)));
    let member = replay(&execution, &replay_args()).unwrap();
    assert!(member.patch.as_ref().unwrap().resets_edge_group);
    assert_eq!(
        member.outcome,
        ReplayExecutionResult::Replayed { public_state: PublicState::WaitingChildren }
    );
    assert_effect(
        &execution,
        &member,
        expect![[r#"
        lifecycle_phase: Terminal -> Runnable
        eligibility_state: NotApplicable -> BlockedByDependencies
        attempt_state: AttemptTerminal -> PendingReplayAttempt
        public_state: Skipped -> WaitingChildren
        terminal_at: 10200 -> None
        replay_count: 0 -> 1
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        result: Set(None)
        event at 10200: operator replayed
        answer: Replayed { public_state: WaitingChildren }
    "#]],
    );
}
