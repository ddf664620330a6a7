use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::engine_error::StateKind;
use crate::rules::claim::grant;
use crate::rules::lease::renew;
use crate::rules::testing::{
    CLAIMED, CREATED, EXPIRY, NOW, applied, claimed, claimed_from, delayed, effect, first_handle,
    held, waiting, with_retry, with_timeout, worker,
};
use crate::state::PublicState;
use crate::types::AttemptIndex;

type Sweep = fn(&Execution, TimestampMs) -> Option<Decision<()>>;

const SWEEPS: [(&str, Sweep); 4] = [
    ("expire_lease", expire_lease),
    ("promote_due", promote_due),
    ("time_out_attempt", time_out_attempt),
    ("expire_deadline", expire_deadline),
];

fn before(time: TimestampMs) -> TimestampMs {
    TimestampMs(time.0 - 1)
}

fn with_attempt_timeout(execution: Execution, millis: u64) -> Execution {
    with_timeout(
        execution,
        TimeoutPolicy { attempt_timeout_ms: Some(millis), ..TimeoutPolicy::default() },
    )
}

/// An execution for which everything is due, were its phase the right one.
fn overdue(phase: LifecyclePhase, eligibility: EligibilityState) -> Execution {
    let mut execution = with_attempt_timeout(claimed(), 1);
    execution.lifecycle_phase = phase;
    execution.eligibility_state = eligibility;
    execution.eligible_at = Some(CREATED);
    execution.deadline_at = Some(CREATED);
    execution
}

/// TIME-1 to TIME-4: which sweep acts on which phase.
#[test]
fn every_phase_and_eligibility_is_swept_by_its_tasks_only() {
    let mut table = String::new();
    for phase in LifecyclePhase::ALL {
        for eligibility in EligibilityState::ALL {
            let execution = overdue(*phase, *eligibility);
            let acting: Vec<_> = SWEEPS
                .iter()
                .filter(|(_, sweep)| sweep(&execution, EXPIRY).is_some())
                .map(|(name, _)| *name)
                .collect();
            let acting = if acting.is_empty() { "-".to_owned() } else { acting.join(", ") };
            table.push_str(&format!("{phase} {eligibility}: {acting}\n"));
        }
    }
    expect![[r#"
        submitted eligible_now: promote_due, expire_deadline
        submitted not_eligible_until_time: promote_due, expire_deadline
        submitted blocked_by_dependencies: expire_deadline
        submitted blocked_by_budget: expire_deadline
        submitted blocked_by_quota: expire_deadline
        submitted blocked_by_operator: expire_deadline
        submitted not_applicable: expire_deadline
        runnable eligible_now: expire_deadline
        runnable not_eligible_until_time: promote_due, expire_deadline
        runnable blocked_by_dependencies: expire_deadline
        runnable blocked_by_budget: expire_deadline
        runnable blocked_by_quota: expire_deadline
        runnable blocked_by_operator: expire_deadline
        runnable not_applicable: expire_deadline
        active eligible_now: expire_lease, time_out_attempt, expire_deadline
        active not_eligible_until_time: expire_lease, time_out_attempt, expire_deadline
        active blocked_by_dependencies: expire_lease, time_out_attempt, expire_deadline
        active blocked_by_budget: expire_lease, time_out_attempt, expire_deadline
        active blocked_by_quota: expire_lease, time_out_attempt, expire_deadline
        active blocked_by_operator: expire_lease, time_out_attempt, expire_deadline
        active not_applicable: expire_lease, time_out_attempt, expire_deadline
        suspended eligible_now: expire_deadline
        suspended not_eligible_until_time: expire_deadline
        suspended blocked_by_dependencies: expire_deadline
        suspended blocked_by_budget: expire_deadline
        suspended blocked_by_quota: expire_deadline
        suspended blocked_by_operator: expire_deadline
        suspended not_applicable: expire_deadline
        terminal eligible_now: -
        terminal not_eligible_until_time: -
        terminal blocked_by_dependencies: -
        terminal blocked_by_budget: -
        terminal blocked_by_quota: -
        terminal blocked_by_operator: -
        terminal not_applicable: -
        cancelled eligible_now: -
        cancelled not_eligible_until_time: -
        cancelled blocked_by_dependencies: -
        cancelled blocked_by_budget: -
        cancelled blocked_by_quota: -
        cancelled blocked_by_operator: -
        cancelled not_applicable: -
    "#]]
    .assert_eq(&table);
}

/// TIME-8: what one node has swept, another finds nothing to do about.
#[test]
fn no_sweep_acts_twice() {
    let mut leased = claimed();
    leased.deadline_at = Some(EXPIRY);
    let due = [leased, with_attempt_timeout(claimed(), 1), delayed(NOW)];
    let mut acted = 0;
    for execution in due {
        for (name, sweep) in SWEEPS {
            if let Some(decision) = sweep(&execution, EXPIRY) {
                acted += 1;
                assert_eq!(sweep(&applied(decision), EXPIRY), None, "{name}");
            }
        }
    }
    assert_eq!(acted, 5);
}

/// TIME-1.
#[test]
fn an_expired_lease_gives_the_execution_back() {
    let execution = claimed();
    assert_eq!(expire_lease(&execution, before(EXPIRY)), None);
    let decision = expire_lease(&execution, EXPIRY).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Runnable
        ownership_state: Leased -> Unowned
        eligibility_state: NotApplicable -> EligibleNow
        attempt_state: RunningAttempt -> AttemptInterrupted
        public_state: Running -> Waiting
        reclaim_count: 0 -> 1
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10500
        attempt.outcome: None -> Interrupted
        attempt.error: None -> AttemptError { class: InfraCrash, message: "the lease expired", detail_hex: None, retry_at_ms: None }
        result: Keep
        event at 10500: lease expired
        answer: ()
    "#]].assert_eq(&effect(&execution, &decision));
}

/// TIME-1: the lease that is one too many fails the execution.
#[test]
fn an_execution_reclaimed_too_often_fails() {
    let limits = TimeoutPolicy { max_reclaim_count: 2, ..TimeoutPolicy::default() };
    let mut execution = with_timeout(claimed(), limits);
    execution.reclaim_count = 2;
    let decision = expire_lease(&execution, EXPIRY).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Terminal
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Failed
        terminal_at: None -> 10500
        reclaim_count: 2 -> 3
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10500
        attempt.outcome: None -> Interrupted
        attempt.error: None -> AttemptError { class: InfraCrash, message: "the lease expired", detail_hex: None, retry_at_ms: None }
        result: Keep
        event at 10500: lease expired
        event at 10500: completion failed
        answer: ()
    "#]].assert_eq(&effect(&execution, &decision));
}

/// TIME-1: reclaims are counted up to the policy's limit, by default 100, and retries are untouched.
#[test]
fn reclaims_are_limited_by_the_policy() {
    let limit = |max_reclaim_count| TimeoutPolicy { max_reclaim_count, ..TimeoutPolicy::default() };
    let cases = [
        (waiting(), 100),
        (with_retry(waiting(), 0, 0), 100),
        (with_timeout(waiting(), limit(0)), 0),
        (with_timeout(waiting(), limit(3)), 3),
    ];
    for (mut execution, expected) in cases {
        for reclaims in 0..=expected {
            assert_eq!(execution.attempt_index, AttemptIndex::new(reclaims));
            assert!(!execution.is_finished(), "after {reclaims} of {expected} reclaims");
            execution = applied(grant(&execution, &worker("w"), CLAIMED).unwrap());
            execution = applied(expire_lease(&execution, EXPIRY).unwrap());
        }
        assert!(execution.is_finished());
        assert_eq!(execution.reclaim_count, expected + 1);
        assert_eq!((execution.retry_count, execution.started_at), (0, Some(CLAIMED)));
    }
}

/// TIME-1: a row without an expiry is nobody's to reclaim.
#[test]
fn a_lease_without_expiry_is_not_swept() {
    let mut execution = claimed();
    execution.current_attempt.as_mut().unwrap().lease_expires_at = None;
    assert_eq!(expire_lease(&execution, TimestampMs(i64::MAX)), None);
}

/// TIME-2.
#[test]
fn a_due_execution_becomes_eligible() {
    let execution = delayed(NOW);
    assert_eq!(promote_due(&execution, before(NOW)), None);
    let decision = promote_due(&execution, NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Submitted -> Runnable
        eligibility_state: NotEligibleUntilTime -> EligibleNow
        public_state: Delayed -> Waiting
        eligible_at: 10200 -> None
        result: Keep
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// TIME-2: a retry that is due keeps its place in its history.
#[test]
fn a_due_retry_becomes_eligible() {
    let mut execution = delayed(NOW);
    execution.lifecycle_phase = LifecyclePhase::Runnable;
    execution.attempt_state = AttemptState::PendingRetryAttempt;
    execution.attempt_index = AttemptIndex::new(3);
    let decision = promote_due(&execution, NOW).unwrap();
    expect![[r#"
        eligibility_state: NotEligibleUntilTime -> EligibleNow
        public_state: Delayed -> Waiting
        eligible_at: 10200 -> None
        result: Keep
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// TIME-3 by FIN-2.
#[test]
fn an_attempt_over_its_time_is_retried() {
    let execution = with_attempt_timeout(claimed(), 200);
    assert_eq!(time_out_attempt(&execution, before(NOW)), None);
    let decision = time_out_attempt(&execution, NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Runnable
        ownership_state: Leased -> Unowned
        eligibility_state: NotApplicable -> NotEligibleUntilTime
        attempt_state: RunningAttempt -> PendingRetryAttempt
        public_state: Running -> Delayed
        eligible_at: None -> 11200
        retry_count: 0 -> 1
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> TimedOut
        attempt.error: None -> AttemptError { class: Timeout, message: "the attempt ran longer than its policy's 200 ms", detail_hex: None, retry_at_ms: Some(TimestampMs(11200)) }
        result: Keep
        answer: ()
    "#]].assert_eq(&effect(&execution, &decision));
}

/// TIME-3 by FIN-3.
#[test]
fn an_attempt_over_its_time_and_budget_fails_the_execution() {
    let execution = with_retry(with_attempt_timeout(claimed(), 200), 0, 0);
    let decision = time_out_attempt(&execution, NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Terminal
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Failed
        terminal_at: None -> 10200
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> TimedOut
        attempt.error: None -> AttemptError { class: Timeout, message: "the attempt ran longer than its policy's 200 ms", detail_hex: None, retry_at_ms: None }
        result: Keep
        event at 10200: completion failed
        answer: ()
    "#]].assert_eq(&effect(&execution, &decision));
}

/// TIME-3: renewals do not lengthen an attempt, and no policy means no limit.
#[test]
fn the_attempt_is_timed_from_its_claim() {
    let unlimited = claimed();
    assert_eq!(time_out_attempt(&unlimited, TimestampMs(i64::MAX)), None);
    let (execution, handle) = (with_attempt_timeout(claimed(), 300), first_handle());
    let renewed = applied(renew(held(&execution, &handle, NOW)).unwrap());
    assert_eq!(time_out_attempt(&renewed, TimestampMs(CLAIMED.0 + 299)), None);
    assert!(time_out_attempt(&renewed, TimestampMs(CLAIMED.0 + 300)).is_some());
    let never = with_attempt_timeout(claimed(), u64::MAX);
    assert_eq!(time_out_attempt(&never, TimestampMs(i64::MAX - 1)), None);
}

/// SAFE-5: every way of losing a lease to time makes the old handle fail.
#[test]
fn the_handle_of_a_swept_attempt_fails() {
    let mut execution = with_attempt_timeout(claimed(), 1);
    execution.deadline_at = Some(EXPIRY);
    let handle = first_handle();
    let cases: [(Sweep, StateKind); 3] = [
        (expire_lease, StateKind::LeaseExpired),
        (time_out_attempt, StateKind::AttemptAlreadyTerminal),
        (expire_deadline, StateKind::AttemptAlreadyTerminal),
    ];
    for (sweep, expected) in cases {
        let patch = sweep(&execution, EXPIRY).unwrap().patch.unwrap();
        let call = crate::rules::lease::Held {
            attempt: patch.attempt.as_ref(),
            ..held(&patch.execution, &handle, NOW)
        };
        match renew(call) {
            Err(crate::engine_error::EngineError::State(kind)) => assert_eq!(kind, expected),
            other => panic!("{other:?}"),
        }
    }
}

/// TIME-4 on a leased execution.
#[test]
fn a_deadline_revokes_the_lease_and_expires_the_execution() {
    let mut execution = claimed();
    execution.deadline_at = Some(NOW);
    assert_eq!(expire_deadline(&execution, before(NOW)), None);
    let decision = expire_deadline(&execution, NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Terminal
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Expired
        terminal_at: None -> 10200
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Expired
        result: Keep
        event at 10200: lease revoked
        event at 10200: completion expired
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// TIME-4 on an execution that nobody has claimed: its attempt row is made.
#[test]
fn a_deadline_of_an_unclaimed_execution_makes_an_expired_attempt() {
    let mut execution = delayed(TimestampMs(99_000));
    execution.deadline_at = Some(NOW);
    let decision = expire_deadline(&execution, NOW).unwrap();
    expect![[r#"
        lifecycle_phase: Submitted -> Terminal
        eligibility_state: NotEligibleUntilTime -> NotApplicable
        attempt_state: Pending -> AttemptTerminal
        public_state: Delayed -> Expired
        terminal_at: None -> 10200
        eligible_at: 99000 -> None
        current_attempt: None -> 0
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Expired
        result: Keep
        event at 10200: completion expired
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// TIME-4 between two attempts: the one that would follow is the one that expires.
#[test]
fn a_deadline_between_attempts_expires_the_next_one() {
    let mut execution = applied(expire_lease(&claimed(), EXPIRY).unwrap());
    execution.deadline_at = Some(EXPIRY);
    let decision = expire_deadline(&execution, EXPIRY).unwrap();
    let attempt = decision.patch.as_ref().unwrap().attempt.as_ref().unwrap();
    assert_eq!(attempt.attempt_index, AttemptIndex::new(1));
    assert_eq!((attempt.outcome, attempt.started_at), (Some(AttemptOutcome::Expired), None));
    let expired = applied(decision);
    assert_eq!((expired.public_state, expired.started_at), (PublicState::Expired, Some(CLAIMED)));
}

/// TIME-4: no deadline, no expiry.
#[test]
fn an_execution_without_deadline_never_expires() {
    for execution in [waiting(), claimed(), claimed_from(&delayed(CREATED))] {
        assert_eq!(expire_deadline(&execution, TimestampMs(i64::MAX)), None);
    }
}

/// TIME-7: only what has finished, and only once it is as old as that.
#[test]
fn only_finished_executions_pass_their_retention() {
    let retention = Duration::from_millis(100);
    for phase in LifecyclePhase::ALL {
        let mut execution = waiting();
        execution.lifecycle_phase = *phase;
        assert!(!is_past_retention(&execution, Duration::ZERO, NOW), "{phase}");
        execution.terminal_at = Some(TimestampMs(NOW.0 - 100));
        assert_eq!(is_past_retention(&execution, retention, NOW), phase.is_finished(), "{phase}");
        assert!(!is_past_retention(&execution, retention, before(NOW)), "{phase}");
        assert!(!is_past_retention(&execution, Duration::MAX, NOW), "{phase}");
    }
}
