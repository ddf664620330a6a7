use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use expect_test::expect;
use uuid::Uuid;

use super::*;
use crate::policy::{ExecutionPolicy, RoutingRequirements, TimeoutPolicy};
use crate::rules::claim::{grant, is_claimable};
use crate::rules::testing::{
    CREATED, EXPIRY, NOW, applied, assert_sound, claimed, effect, first_handle, handle, held,
    waiting, with_retry, word, worker,
};
use crate::types::{ExecutionId, LaneId, Namespace};

mod walk;

fn args() -> CreateExecutionArgs {
    CreateExecutionArgs {
        execution_id: ExecutionId::from_parts(0, Uuid::from_u128(7)),
        namespace: Namespace::new("default"),
        lane_id: LaneId::new("lane"),
        execution_kind: String::new(),
        input_payload: vec![1],
        payload_encoding: None,
        priority: 0,
        creator_identity: String::new(),
        idempotency_key: Some("key".to_owned()),
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 9,
        now: CREATED,
    }
}

fn with_deadline(at: Option<i64>, policy_ms: Option<u64>) -> CreateExecutionArgs {
    let timeout_policy =
        TimeoutPolicy { execution_deadline_ms: policy_ms, ..TimeoutPolicy::default() };
    CreateExecutionArgs {
        execution_deadline_at: at.map(TimestampMs),
        policy: Some(ExecutionPolicy {
            timeout_policy: Some(timeout_policy),
            ..ExecutionPolicy::default()
        }),
        ..args()
    }
}

/// EXEC-1: what the arguments leave out is the store's default.
#[test]
fn a_creation_is_submitted_eligible_pending_and_waiting() {
    let created = create(&args());
    assert_eq!(created.execution, waiting());
    assert_eq!(created.requirement, CapabilityRequirement::default());
    let words = &created.execution;
    assert_eq!(
        [
            words.lifecycle_phase.as_str(),
            words.ownership_state.as_str(),
            words.eligibility_state.as_str(),
            words.attempt_state.as_str(),
            words.public_state.as_str(),
        ],
        ["submitted", "unowned", "eligible_now", "pending", "waiting"]
    );
}

/// EXEC-1: what the arguments say is kept.
#[test]
fn a_creation_keeps_what_it_was_given() {
    let routing = RoutingRequirements { required_capabilities: BTreeSet::from(["gpu".to_owned()]) };
    let policy = ExecutionPolicy { routing_requirements: Some(routing), ..Default::default() };
    let given = CreateExecutionArgs {
        execution_kind: "mail".to_owned(),
        creator_identity: "me".to_owned(),
        priority: -5,
        tags: HashMap::from([("k".to_owned(), "v".to_owned())]),
        policy: Some(policy.clone()),
        ..args()
    };
    let NewExecution { execution, requirement } = create(&given);
    assert_eq!(requirement, CapabilityRequirement::new(["gpu"]));
    assert_eq!((execution.execution_kind.as_str(), execution.priority), ("mail", -5));
    assert_eq!((execution.creator_identity.as_str(), execution.tags), ("me", given.tags));
    assert_eq!(execution.policy, Some(policy));
}

/// EXEC-1: only a time in the future delays.
#[test]
fn a_creation_is_delayed_by_the_future_only() {
    for (offset, expected) in [(-1, None), (0, None), (1, Some(TimestampMs(CREATED.0 + 1)))] {
        let delay_until = Some(TimestampMs(CREATED.0 + offset));
        let execution = create(&CreateExecutionArgs { delay_until, ..args() }).execution;
        assert_eq!(execution.eligible_at, expected);
        assert_eq!(is_claimable(&execution, CREATED), expected.is_none());
        assert_eq!(execution.public_state.as_str(), ["waiting", "delayed"][offset.max(0) as usize]);
        assert_sound(&execution);
    }
}

/// EXEC-1: the deadline is the sooner of both.
#[test]
fn the_deadline_is_the_sooner_of_both() {
    let cases = [
        (None, None, None),
        (Some(5_000), None, Some(5_000)),
        (None, Some(500), Some(1_500)),
        (Some(1_499), Some(500), Some(1_499)),
        (Some(1_501), Some(500), Some(1_500)),
        (None, Some(u64::MAX), Some(i64::MAX)),
        (Some(-3), Some(u64::MAX), Some(-3)),
    ];
    for (at, policy_ms, expected) in cases {
        let execution = create(&with_deadline(at, policy_ms)).execution;
        assert_eq!(execution.deadline_at, expected.map(TimestampMs), "{at:?} {policy_ms:?}");
    }
}

/// FIN-1.
#[test]
fn complete_finishes_with_the_result() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = complete(held(&execution, &handle, NOW), None, Some(vec![7])).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Terminal
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Completed
        terminal_at: None -> 10200
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Success
        result: Set(Some([7]))
        event at 10200: completion success
        answer: ()
    "#]]
    .assert_eq(&effect(&execution, &decision));
    let decision = complete(held(&execution, &handle, NOW), Some(b"old"), None).unwrap();
    assert_eq!(decision.patch.unwrap().result, ResultChange::Set(None));
}

fn boom() -> FailureReason {
    FailureReason { message: "boom".to_owned(), detail: Some(vec![0, 10, 255]) }
}

/// FIN-2 with the default policy of FIN-4.
#[test]
fn fail_schedules_a_retry() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = fail(held(&execution, &handle, NOW), &boom(), FailureClass::Transient).unwrap();
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
        attempt.outcome: None -> Retry
        attempt.error: None -> AttemptError { class: Transient, message: "boom", detail_hex: Some("000aff"), retry_at_ms: Some(TimestampMs(11200)) }
        result: Keep
        answer: RetryScheduled { delay_until: TimestampMs(11200) }
    "#]].assert_eq(&effect(&execution, &decision));
}

/// FIN-2: no backoff is eligible at once.
#[test]
fn fail_without_backoff_is_eligible_at_once() {
    let (execution, handle) = (with_retry(claimed(), 1, 0), first_handle());
    let decision = fail(held(&execution, &handle, NOW), &boom(), FailureClass::InfraCrash).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Runnable
        ownership_state: Leased -> Unowned
        eligibility_state: NotApplicable -> EligibleNow
        attempt_state: RunningAttempt -> PendingRetryAttempt
        public_state: Running -> Waiting
        retry_count: 0 -> 1
        attempt_index: 0 -> 1
        current_attempt: 0 -> None
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Retry
        attempt.error: None -> AttemptError { class: InfraCrash, message: "boom", detail_hex: Some("000aff"), retry_at_ms: Some(TimestampMs(10200)) }
        result: Keep
        answer: RetryScheduled { delay_until: TimestampMs(10200) }
    "#]].assert_eq(&effect(&execution, &decision));
}

/// FIN-3.
#[test]
fn fail_for_good_finishes_as_failed() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = fail(held(&execution, &handle, NOW), &boom(), FailureClass::Permanent).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Terminal
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Failed
        terminal_at: None -> 10200
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Failed
        attempt.error: None -> AttemptError { class: Permanent, message: "boom", detail_hex: Some("000aff"), retry_at_ms: None }
        result: Keep
        event at 10200: completion failed
        answer: TerminalFailed
    "#]].assert_eq(&effect(&execution, &decision));
}

/// FIN-3: class `Cancelled` ends it as cancelled.
#[test]
fn fail_as_cancelled_cancels() {
    let (execution, handle) = (claimed(), first_handle());
    let decision = fail(held(&execution, &handle, NOW), &boom(), FailureClass::Cancelled).unwrap();
    expect![[r#"
        lifecycle_phase: Active -> Cancelled
        ownership_state: Leased -> Unowned
        attempt_state: RunningAttempt -> AttemptTerminal
        public_state: Running -> Cancelled
        cancellation_reason: None -> "boom"
        cancelled_by: None -> "lease_holder"
        terminal_at: None -> 10200
        attempt.lease_expires_at: 10500 -> None
        attempt.terminal_at: None -> 10200
        attempt.outcome: None -> Cancelled
        attempt.error: None -> AttemptError { class: Cancelled, message: "boom", detail_hex: Some("000aff"), retry_at_ms: None }
        result: Keep
        event at 10200: completion cancelled
        answer: TerminalFailed
    "#]].assert_eq(&effect(&execution, &decision));
}

/// FIN-2, FIN-3: every class with every count of retries against a budget of two.
#[test]
fn every_class_and_retry_count_is_retried_or_finished() {
    let mut table = String::new();
    for class in FailureClass::ALL {
        let mut line = Vec::new();
        for retry_count in 0..4 {
            let (mut execution, handle) = (with_retry(claimed(), 2, 100), first_handle());
            execution.retry_count = retry_count;
            let decision = fail(held(&execution, &handle, NOW), &boom(), *class).unwrap();
            let events = decision.events.len();
            let execution = applied(decision.clone());
            assert_sound(&execution);
            line.push(match decision.outcome {
                FailOutcome::RetryScheduled { delay_until } => {
                    assert_eq!((events, execution.retry_count), (0, retry_count + 1));
                    format!("retry at {delay_until}")
                }
                FailOutcome::TerminalFailed => {
                    assert_eq!((events, execution.retry_count), (1, retry_count));
                    execution.public_state.to_string()
                }
            });
        }
        writeln!(table, "{class}: {}", line.join(", ")).unwrap();
    }
    expect![[r#"
        transient: retry at 10300, retry at 10300, failed, failed
        permanent: failed, failed, failed, failed
        infra_crash: retry at 10300, retry at 10300, failed, failed
        timeout: retry at 10300, retry at 10300, failed, failed
        cancelled: cancelled, cancelled, cancelled, cancelled
    "#]]
    .assert_eq(&table);
}

/// FIN-4: no policy, and a policy without a word on retries, mean 1 s, 2 s, 4 s and no more.
#[test]
fn the_default_budget_is_three_retries() {
    for policy in [None, Some(ExecutionPolicy::default())] {
        let mut execution = waiting();
        execution.policy = policy;
        let mut waits = Vec::new();
        for _ in 0..4 {
            assert!(!execution.is_finished());
            let now = execution.eligible_at.unwrap_or(NOW);
            let granted = grant(&execution, &worker("w"), now).unwrap();
            let handle = handle(&execution, granted.outcome.clone());
            execution = applied(granted);
            let failed =
                fail(held(&execution, &handle, now), &boom(), FailureClass::Timeout).unwrap();
            execution = applied(failed);
            waits.extend(execution.eligible_at.map(|at| at.0 - now.0));
        }
        assert!(execution.is_finished());
        assert_eq!(waits, [1_000, 2_000, 4_000]);
        assert_eq!((execution.retry_count, execution.attempt_index.0), (3, 3));
    }
}

/// FIN-4: the longest backoff ends at the end of time.
#[test]
fn backoff_never_overflows_the_time() {
    let (execution, handle) = (with_retry(claimed(), 1, u64::MAX), first_handle());
    let decision = fail(held(&execution, &handle, NOW), &boom(), FailureClass::Transient).unwrap();
    let delay_until = TimestampMs(i64::MAX);
    assert_eq!(decision.outcome, FailOutcome::RetryScheduled { delay_until });
}

/// A call that ends a lease.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Complete(Option<&'static [u8]>),
    Fail(&'static str, Option<&'static [u8]>, FailureClass),
}

/// Makes the call; `stored` is the result by now. Gives the patch and the word and value of the answer.
fn end(call: Held<'_>, stored: Option<&[u8]>, ending: Ending) -> (Option<Patch>, String) {
    match ending {
        Ending::Complete(result) => {
            let answer = complete(call, stored, result.map(<[u8]>::to_vec));
            (answer.as_ref().ok().and_then(|decision| decision.patch.clone()), word(&answer))
        }
        Ending::Fail(message, detail, class) => {
            let detail = detail.map(<[u8]>::to_vec);
            let answer = fail(call, &FailureReason { message: message.to_owned(), detail }, class);
            let value = answer.as_ref().map(|decision| format!(" {:?}", decision.outcome));
            let text = word(&answer) + &value.unwrap_or_default();
            (answer.ok().and_then(|decision| decision.patch), text)
        }
    }
}

/// FIN-5: every terminal call followed by every terminal call, also long after the lease's time.
#[test]
fn only_the_same_terminal_call_is_answered_again() {
    let endings = [
        Ending::Complete(None),
        Ending::Complete(Some(b"")),
        Ending::Complete(Some(b"r")),
        Ending::Fail("boom", None, FailureClass::Transient),
        Ending::Fail("bang", None, FailureClass::Transient),
        Ending::Fail("boom", Some(b""), FailureClass::Transient),
        Ending::Fail("boom", Some(b"\x01"), FailureClass::Transient),
        Ending::Fail("boom", None, FailureClass::Timeout),
        Ending::Fail("boom", None, FailureClass::Permanent),
        Ending::Fail("boom", None, FailureClass::Cancelled),
        Ending::Fail("b\0\0m", None, FailureClass::Permanent),
    ];
    let (before, handle) = (claimed(), first_handle());
    for (i, first) in endings.iter().enumerate() {
        let (patch, answer) = end(held(&before, &handle, NOW), None, *first);
        let Patch { execution, attempt, result, .. } = patch.unwrap();
        let stored = match result {
            ResultChange::Set(result) => result,
            ResultChange::Keep => None,
        };
        for (j, second) in endings.iter().enumerate() {
            for now in [NOW, EXPIRY, TimestampMs(i64::MAX)] {
                let call = Held { attempt: attempt.as_ref(), ..held(&execution, &handle, now) };
                let (patch, again) = end(call, stored.as_deref(), *second);
                let expected =
                    if i == j { answer.replacen("ok", "repeated", 1) } else { terminal() };
                assert_eq!((patch, again), (None, expected), "{first:?} then {second:?}");
            }
        }
    }
}

fn terminal() -> String {
    "AttemptAlreadyTerminal".to_owned()
}

/// FIN-5: the answer to a repeated call is the first one's, whatever has happened since.
#[test]
fn a_repeated_failure_names_the_first_retry_time_after_the_next_claim() {
    let (execution, first) = (claimed(), first_handle());
    let failed = fail(held(&execution, &first, NOW), &boom(), FailureClass::Transient).unwrap();
    let outcome = failed.outcome;
    let patch = failed.patch.unwrap();
    let now = TimestampMs(50_000);
    let execution = applied(grant(&patch.execution, &worker("v"), now).unwrap());
    let call = Held { attempt: patch.attempt.as_ref(), ..held(&execution, &first, now) };
    let again = fail(call, &boom(), FailureClass::Transient).unwrap();
    assert_eq!(again, Decision::unchanged(outcome));
}

/// A NUL cannot be stored everywhere: it becomes the replacement character, wherever it is kept.
#[test]
fn a_nul_in_a_message_is_replaced() {
    for class in FailureClass::ALL {
        let (execution, handle) = (claimed(), first_handle());
        let reason = FailureReason::new("a\0b");
        let decision = fail(held(&execution, &handle, NOW), &reason, *class).unwrap();
        let patch = decision.patch.unwrap();
        assert_eq!(patch.attempt.unwrap().error.unwrap().message, "a\u{fffd}b", "{class}");
        let cancelled = (*class == FailureClass::Cancelled).then_some("a\u{fffd}b");
        assert_eq!(patch.execution.cancellation_reason.as_deref(), cancelled, "{class}");
    }
}
