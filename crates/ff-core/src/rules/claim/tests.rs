use std::fmt::Write as _;

use expect_test::expect;

use super::*;
use crate::rules::testing::{
    CLAIMED, EXPIRY, NOW, applied, claimed, delayed, effect, waiting, with_retry, word, worker,
};
use crate::state::AttemptOutcome;
use crate::types::ExecutionId;

const NONE: &str = "-";

/// Section 3, claimable: every phase with every eligibility, due and not.
#[test]
fn every_phase_and_eligibility_is_claimable_or_not() {
    let mut table = String::new();
    for phase in LifecyclePhase::ALL {
        let mut claimable = Vec::new();
        for eligibility in EligibilityState::ALL {
            for (name, eligible_at) in
                [("", None), (" due", Some(NOW)), (" later", Some(TimestampMs(NOW.0 + 1)))]
            {
                let mut execution = waiting();
                execution.lifecycle_phase = *phase;
                execution.eligibility_state = *eligibility;
                execution.eligible_at = eligible_at;
                let is_granted = word(&grant(&execution, &worker("w"), NOW));
                assert_eq!(is_granted == "ok", is_claimable(&execution, NOW));
                let in_the_end = is_claimable(&execution, TimestampMs(i64::MAX));
                assert!(is_queued(&execution) == in_the_end || eligible_at.is_none());
                assert!(["ok", "ExecutionNotEligible"].contains(&is_granted.as_str()));
                if is_granted == "ok" {
                    claimable.push(format!("{eligibility}{name}"));
                }
            }
        }
        let line = if claimable.is_empty() { NONE.to_owned() } else { claimable.join(", ") };
        writeln!(table, "{phase}: {line}").unwrap();
    }
    expect![[r#"
        submitted: eligible_now, eligible_now due, eligible_now later, not_eligible_until_time due
        runnable: eligible_now, eligible_now due, eligible_now later, not_eligible_until_time due
        active: -
        suspended: -
        terminal: -
        cancelled: -
    "#]]
    .assert_eq(&table);
}

/// CLAIM-1: highest priority first, then oldest; ids only break ties.
#[test]
fn the_queue_goes_by_priority_then_age_then_id() {
    let place = |priority, created_at, uuid: u128, partition| {
        let mut execution = waiting();
        execution.priority = priority;
        execution.created_at = TimestampMs(created_at);
        execution.execution_id = ExecutionId::from_parts(partition, Uuid::from_u128(uuid));
        queue_position(&execution)
    };
    let queue = [
        place(i32::MAX, 9, 9, 9),
        place(1, 5, 9, 9),
        place(0, i64::MIN, 9, 9),
        place(0, 4, 9, 9),
        place(0, 5, 1, 9),
        place(0, 5, 2, 0),
        place(0, 5, 2, 1),
        place(-1, 0, 0, 0),
        place(i32::MIN, 0, 0, 0),
    ];
    assert!(queue.is_sorted());
    assert!(queue.windows(2).all(|pair| pair[0] != pair[1]));
}

/// CLAIM-1: neither a delay that is over nor a retry moves an execution behind what is younger.
#[test]
fn the_place_in_the_queue_is_that_of_the_creation() {
    let retried = with_retry(claimed(), 3, 5);
    assert_eq!(queue_position(&delayed(NOW)), queue_position(&waiting()));
    assert_eq!(queue_position(&retried), queue_position(&waiting()));
}

/// CLAIM-2, CLAIM-3, on a new row.
#[test]
fn the_first_claim_makes_an_attempt_and_starts_the_execution() {
    let execution = waiting();
    let decision = grant(&execution, &worker("w"), CLAIMED).unwrap();
    expect![[r#"
        lifecycle_phase: Submitted -> Active
        ownership_state: Unowned -> Leased
        eligibility_state: EligibleNow -> NotApplicable
        attempt_state: Pending -> RunningAttempt
        public_state: Waiting -> Running
        started_at: None -> 10000
        current_attempt: None -> 0
        attempt.worker_id: None -> "w"
        attempt.worker_instance_id: None -> "w/1"
        attempt.lease_epoch: 0 -> 1
        attempt.lease_expires_at: None -> 10500
        attempt.started_at: None -> 10000
        result: Keep
        event at 10000: lease acquired
        answer: HandleLease { attempt_index: AttemptIndex(0), lease_epoch: LeaseEpoch(1), worker_instance_id: WorkerInstanceId("w/1"), lease_ttl_ms: 500, kind: Fresh }
    "#]].assert_eq(&effect(&execution, &decision));
}

/// CLAIM-2 on a due delayed execution that an operator or a foreign row left words on.
#[test]
fn a_claim_clears_what_held_the_execution_back() {
    let mut execution = delayed(CLAIMED);
    execution.blocking_reason = Some("later".to_owned());
    let decision = grant(&execution, &worker("w"), CLAIMED).unwrap();
    expect![[r#"
        lifecycle_phase: Submitted -> Active
        ownership_state: Unowned -> Leased
        eligibility_state: NotEligibleUntilTime -> NotApplicable
        attempt_state: Pending -> RunningAttempt
        public_state: Delayed -> Running
        blocking_reason: "later" -> None
        started_at: None -> 10000
        eligible_at: 10000 -> None
        current_attempt: None -> 0
        attempt.worker_id: None -> "w"
        attempt.worker_instance_id: None -> "w/1"
        attempt.lease_epoch: 0 -> 1
        attempt.lease_expires_at: None -> 10500
        attempt.started_at: None -> 10000
        result: Keep
        event at 10000: lease acquired
        answer: HandleLease { attempt_index: AttemptIndex(0), lease_epoch: LeaseEpoch(1), worker_instance_id: WorkerInstanceId("w/1"), lease_ttl_ms: 500, kind: Fresh }
    "#]].assert_eq(&effect(&execution, &decision));
}

/// CLAIM-2 on an existing row: the prior epoch plus one, and nothing else of the row is kept.
#[test]
fn a_claim_on_an_existing_row_raises_its_epoch_and_begins_anew() {
    let mut execution = waiting();
    let mut stale = claimed().current_attempt.unwrap();
    stale.lease_epoch = LeaseEpoch::new(41);
    stale.outcome = Some(AttemptOutcome::Retry);
    stale.terminal_at = Some(TimestampMs(1));
    stale.progress = Some(serde_json::json!(99));
    execution.current_attempt = Some(stale);
    let decision = grant(&execution, &worker("v"), NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Submitted -> Active
        ownership_state: Unowned -> Leased
        eligibility_state: EligibleNow -> NotApplicable
        attempt_state: Pending -> RunningAttempt
        public_state: Waiting -> Running
        started_at: None -> 10200
        attempt.worker_id: "w" -> "v"
        attempt.worker_instance_id: "w/1" -> "v/1"
        attempt.lease_epoch: 41 -> 42
        attempt.lease_expires_at: 10500 -> 10700
        attempt.started_at: 10000 -> 10200
        attempt.terminal_at: 1 -> None
        attempt.outcome: Retry -> None
        attempt.progress: 99 -> None
        result: Keep
        event at 10200: lease acquired
        answer: HandleLease { attempt_index: AttemptIndex(0), lease_epoch: LeaseEpoch(42), worker_instance_id: WorkerInstanceId("v/1"), lease_ttl_ms: 500, kind: Reattempt }
    "#]].assert_eq(&effect(&execution, &decision));
}

/// CLAIM-2: an epoch at its end stays there and neither wraps nor panics.
#[test]
fn an_epoch_never_wraps() {
    let mut execution = waiting();
    let mut attempt = Attempt::unclaimed(AttemptIndex::new(0));
    attempt.lease_epoch = LeaseEpoch::new(u64::MAX);
    execution.current_attempt = Some(attempt);
    let decision = grant(&execution, &worker("w"), TimestampMs(i64::MAX)).unwrap();
    assert_eq!(decision.outcome.lease_epoch, LeaseEpoch::new(u64::MAX));
    let lease = applied(decision).lease().unwrap();
    assert_eq!(lease.expires_at, TimestampMs(i64::MAX));
}

/// CLAIM-3 (#356): neither a retry nor a reclaim changes when the execution started.
#[test]
fn only_the_first_claim_sets_started_at() {
    let mut execution = waiting();
    for time in [CLAIMED, EXPIRY, TimestampMs(99_000), TimestampMs(0)] {
        execution = applied(grant(&execution, &worker("w"), time).unwrap());
        assert_eq!(execution.started_at, Some(CLAIMED));
        assert_eq!(execution.current_attempt.as_ref().unwrap().started_at, Some(time));
        execution =
            crate::rules::execution::given_back(&execution, AttemptState::AttemptInterrupted, None);
    }
}

#[test]
fn a_handle_says_whether_there_was_an_attempt_before() {
    let kind = |index, epoch| handle_kind(AttemptIndex::new(index), LeaseEpoch::new(epoch));
    assert_eq!(kind(0, 1), HandleKind::Fresh);
    assert_eq!(kind(0, 2), HandleKind::Reattempt);
    assert_eq!(kind(1, 1), HandleKind::Reattempt);
}
