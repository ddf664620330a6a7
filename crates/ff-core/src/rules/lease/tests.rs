use std::fmt::Write as _;

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::backend::{FailureReason, HandleKind, HandleLease};
use crate::execution::AttemptError;
use crate::rules::execution::{complete, fail};
use crate::rules::testing::{
    CLAIMED, EXPIRY, NOW, applied, claimed, effect, first_handle, handle, held, with_retry, word,
};
use crate::state::{EligibilityState, OwnershipState};
use crate::types::{AttemptIndex, LeaseEpoch, WorkerInstanceId};

/// What the five calls by handle answer, in this order.
fn answers(call: Held<'_>) -> [(&'static str, String); 5] {
    let reason = FailureReason::new("boom");
    [
        ("renew", word(&renew(call))),
        ("progress", word(&progress(call, json!(1)))),
        ("delay", word(&delay(call, NOW))),
        ("complete", word(&complete(call, Some(b"stored"), Some(b"other".to_vec())))),
        ("fail", word(&fail(call, &reason, FailureClass::Transient))),
    ]
}

/// The one answer that all five calls give.
fn answer(call: Held<'_>) -> String {
    let answers = answers(call);
    let (_, first) = &answers[0];
    assert!(answers.iter().all(|(_, answer)| answer == first), "{answers:?}");
    first.clone()
}

/// Every way in which an attempt stands or has ended, by name.
fn endings() -> Vec<(String, Attempt)> {
    let open = claimed().current_attempt.unwrap();
    let mut endings = vec![("open".to_owned(), open.clone())];
    for outcome in AttemptOutcome::ALL {
        endings.push((outcome.to_string(), ended(&open, *outcome, NOW)));
    }
    let error = AttemptError::new(FailureClass::InfraCrash, "the lease expired");
    let lost = Attempt { error: Some(error), ..ended(&open, AttemptOutcome::Interrupted, NOW) };
    endings.push(("interrupted by time".to_owned(), lost));
    endings
}

fn in_phase(phase: LifecyclePhase, attempt: &Attempt) -> Execution {
    let mut execution = claimed();
    execution.lifecycle_phase = phase;
    execution.current_attempt = Some(attempt.clone());
    execution
}

/// LEASE-1, LEASE-2, SAFE-6: one phase, one attempt outcome, one answer.
#[test]
fn every_phase_and_outcome_has_its_answer_within_the_lease() {
    let (mut table, handle) = (String::new(), first_handle());
    for (name, attempt) in endings() {
        let answers: Vec<_> = LifecyclePhase::ALL
            .iter()
            .map(|phase| {
                let execution = in_phase(*phase, &attempt);
                (phase, answer(held(&execution, &handle, NOW)))
            })
            .collect();
        let line = if answers.iter().all(|(_, answer)| *answer == answers[0].1) {
            format!(" {}", answers[0].1)
        } else {
            answers.iter().map(|(phase, answer)| format!(" {phase}={answer}")).collect()
        };
        writeln!(table, "{name}:{line}").unwrap();
    }
    expect![[r#"
        open: submitted=LeaseConflict runnable=LeaseConflict active=ok suspended=LeaseConflict terminal=LeaseConflict cancelled=LeaseConflict
        success: AttemptAlreadyTerminal
        failed: AttemptAlreadyTerminal
        retry: AttemptAlreadyTerminal
        interrupted: LeaseConflict
        timed_out: AttemptAlreadyTerminal
        released: LeaseConflict
        cancelled: AttemptAlreadyTerminal
        expired: AttemptAlreadyTerminal
        skipped: AttemptAlreadyTerminal
        interrupted by time: LeaseExpired
    "#]].assert_eq(&table);
}

/// LEASE-2: once the time is up, the only open attempt answers differently.
#[test]
fn every_outcome_has_its_answer_after_the_lease() {
    let (mut table, handle) = (String::new(), first_handle());
    for (name, attempt) in endings() {
        let execution = in_phase(LifecyclePhase::Active, &attempt);
        let answer = answer(held(&execution, &handle, EXPIRY));
        writeln!(table, "{name}: {answer}").unwrap();
    }
    expect![[r#"
        open: LeaseExpired
        success: AttemptAlreadyTerminal
        failed: AttemptAlreadyTerminal
        retry: AttemptAlreadyTerminal
        interrupted: LeaseConflict
        timed_out: AttemptAlreadyTerminal
        released: LeaseConflict
        cancelled: AttemptAlreadyTerminal
        expired: AttemptAlreadyTerminal
        skipped: AttemptAlreadyTerminal
        interrupted by time: LeaseExpired
    "#]]
    .assert_eq(&table);
}

/// LEASE-1: another index, epoch or process conflicts whatever is stored, and so does no attempt.
#[test]
fn a_handle_of_another_lease_conflicts_whatever_is_stored() {
    let lease = |index, epoch, instance: &str| HandleLease {
        attempt_index: AttemptIndex::new(index),
        lease_epoch: LeaseEpoch::new(epoch),
        worker_instance_id: WorkerInstanceId::new(instance),
        lease_ttl_ms: 500,
        kind: HandleKind::Fresh,
    };
    let others = [lease(1, 1, "w/1"), lease(0, 0, "w/1"), lease(0, 2, "w/1"), lease(0, 1, "w/2")];
    for phase in LifecyclePhase::ALL {
        for (name, attempt) in endings() {
            let execution = in_phase(*phase, &attempt);
            for now in [NOW, EXPIRY] {
                for other in &others {
                    let handle = handle(&execution, other.clone());
                    let answer = answer(held(&execution, &handle, now));
                    assert_eq!(answer, "LeaseConflict", "{phase} {name} {now} {other:?}");
                }
                let handle = first_handle();
                let call = Held { attempt: None, ..held(&execution, &handle, now) };
                assert_eq!(answer(call), "LeaseConflict", "{phase} {name} {now}");
            }
        }
    }
}

/// SAFE-6: an open attempt that another has followed holds nothing.
#[test]
fn an_open_attempt_that_was_passed_by_conflicts() {
    let (mut execution, handle) = (claimed(), first_handle());
    let attempt = execution.current_attempt.clone();
    execution.attempt_index = AttemptIndex::new(1);
    let call = Held { attempt: attempt.as_ref(), ..held(&execution, &handle, NOW) };
    assert_eq!(answer(call), "LeaseConflict");
}

/// LEASE-2: the last millisecond counts, the expiry itself does not.
#[test]
fn a_lease_holds_until_the_millisecond_before_its_expiry() {
    let (execution, handle) = (claimed(), first_handle());
    for (now, expected) in [
        (CLAIMED, "ok"),
        (TimestampMs(EXPIRY.0 - 1), "ok"),
        (EXPIRY, "LeaseExpired"),
        (TimestampMs(EXPIRY.0 + 1), "LeaseExpired"),
        (TimestampMs(i64::MAX), "LeaseExpired"),
    ] {
        assert_eq!(answer(held(&execution, &handle, now)), expected, "{now}");
    }
}

/// LEASE-2: a row without an expiry gives no lease.
#[test]
fn an_open_attempt_without_expiry_is_expired() {
    let (mut execution, handle) = (claimed(), first_handle());
    execution.current_attempt.as_mut().unwrap().lease_expires_at = None;
    assert_eq!(answer(held(&execution, &handle, NOW)), "LeaseExpired");
}

/// LEASE-3.
#[test]
fn renew_moves_the_expiry_and_nothing_else() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = renew(held(&execution, &handle, NOW)).unwrap();
    expect![[r#"
        attempt.lease_expires_at: 10500 -> 10700
        result: Keep
        answer: LeaseRenewal { expires_at: TimestampMs(10700), lease_epoch: LeaseEpoch(1) }
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// LEASE-3: the time to live is the handle's, counted from now, and the end of time is the end.
#[test]
fn a_renewed_lease_is_as_long_as_the_first() {
    let (execution, handle) = (claimed(), first_handle());
    let mut execution = execution;
    for step in 1..10 {
        let now = TimestampMs(CLAIMED.0 + step * 499);
        let decision = renew(held(&execution, &handle, now)).unwrap();
        assert_eq!(decision.outcome.expires_at, now.saturating_add_millis(500));
        execution = applied(decision);
    }
    execution.current_attempt.as_mut().unwrap().lease_expires_at = Some(TimestampMs(i64::MAX));
    let decision = renew(held(&execution, &handle, TimestampMs(i64::MAX - 1))).unwrap();
    assert_eq!(decision.outcome.expires_at, TimestampMs(i64::MAX));
}

#[test]
fn progress_is_stored_and_nothing_else() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = progress(held(&execution, &handle, NOW), json!({"done": 3})).unwrap();
    expect![[r#"
        attempt.progress: None -> Object {"done": Number(3)}
        result: Keep
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

#[test]
fn null_progress_takes_the_report_back() {
    let (execution, handle) = (claimed(), first_handle());
    let reported = applied(progress(held(&execution, &handle, NOW), json!(3)).unwrap());
    let taken_back = progress(held(&reported, &handle, NOW), Value::Null).unwrap();
    assert_eq!(applied(taken_back), execution);
}

/// FIN-6.
#[test]
fn delay_gives_the_lease_back() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = delay(held(&execution, &handle, NOW), TimestampMs(20_000)).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Runnable
        ownership_state: Leased -> Unowned
        eligibility_state: NotApplicable -> NotEligibleUntilTime
        attempt_state: RunningAttempt -> AttemptInterrupted
        public_state: Running -> Delayed
        eligible_at: None -> 20000
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Released
        result: Keep
        event at 10200: lease released
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
}

/// FIN-6: a time that has passed is kept as it is; the execution is claimable at once.
#[test]
fn delay_into_the_past_is_claimable_at_once() {
    let (execution, handle) = (with_retry(claimed(), 0, 0), first_handle());
    let given_back = applied(delay(held(&execution, &handle, NOW), TimestampMs(5)).unwrap());
    assert_eq!(given_back.eligibility_state, EligibilityState::NotEligibleUntilTime);
    assert_eq!(given_back.eligible_at, Some(TimestampMs(5)));
    assert_eq!(given_back.ownership_state, OwnershipState::Unowned);
    assert!(crate::rules::claim::is_claimable(&given_back, NOW));
}

/// LEASE-2: whether or not somebody else has claimed since, the first worker reads that its time
/// was up, and never that of its successor.
#[test]
fn a_reclaimed_lease_reads_expired_before_and_after_the_next_claim() {
    use crate::rules::{claim::grant, testing::worker, timer::expire_lease};
    let (execution, first) = (claimed(), first_handle());
    let patch = expire_lease(&execution, EXPIRY).unwrap().patch.unwrap();
    let call = |execution, attempt| Held { execution, attempt, handle: &first, now: EXPIRY };
    assert_eq!(answer(call(&patch.execution, patch.attempt.as_ref())), "LeaseExpired");

    let granted = grant(&patch.execution, &worker("w"), EXPIRY).unwrap();
    let second = handle(&execution, granted.outcome.clone());
    let execution = applied(granted);
    assert_eq!(answer(call(&execution, patch.attempt.as_ref())), "LeaseExpired");
    assert_eq!(answer(held(&execution, &second, EXPIRY)), "ok");
}
