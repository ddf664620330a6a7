//! How executions finish.

use ff_core::backend::FailureClass;
use ff_core::contracts::EventStream;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::TimestampMs;

use super::script::*;
use crate::history::{Answer, Property, Refusal};

#[test]
fn a_plain_life_is_sound() {
    let mut script = Script::of_completed();
    script.call("a", complete(0, "a", "other"), Answer::Refused(Refusal::AlreadyTerminal));
    let counts = script.check().unwrap();
    assert_eq!((counts.executions, counts.leases, counts.expired, counts.unknown()), (1, 1, 0, 0));
    assert_eq!(counts.of("complete", "done"), 1);
    assert_eq!(counts.of("complete", "already terminal"), 1);
}

#[test]
fn two_endings_of_one_lease_are_found() {
    for ending in [fail(0, "a", FailureClass::Permanent), complete(0, "a", "other")] {
        let mut script = Script::of_one(PublicState::Completed);
        script.claim("a", 0);
        let first = script.begin("a", complete(0, "a", "r"));
        let answer = match ending {
            crate::history::Call::Fail { .. } => Answer::Ended,
            _ => Answer::Done,
        };
        let second = script.begin("b", ending);
        script.end(first, Answer::Done).end(second, answer);
        script.attempt("a", Some(AttemptOutcome::Success), [0, 10]);
        script.events(EventStream::Lease, &["acquired"]);
        script.events(EventStream::Completion, &["success"]);
        let violation = script.check().unwrap_err();
        assert_eq!(violation.property, Property::OneOutcome, "{violation}");
    }
}

#[test]
fn a_repetition_that_is_answered_otherwise_is_found() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0);
    for until in [20, 30] {
        let answer = Answer::RetryAt(TimestampMs(until));
        script.call("a", fail(0, "a", FailureClass::Transient), answer);
    }
    script.claim("b", 1).complete("b", 1, "r");
    script.attempt("a", Some(AttemptOutcome::Retry), [0, 10]);
    script.attempt("b", Some(AttemptOutcome::Success), [20, 30]);
    script.events(EventStream::Lease, &["acquired", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script.assert_broken(Property::OneOutcome, "was ended twice");
}

#[test]
fn an_ending_that_is_kept_otherwise_is_found() {
    let mut script = Script::of_completed();
    script.one().attempts[0].outcome = Some(AttemptOutcome::Failed);
    script.events(EventStream::Completion, &["failed"]);
    script.assert_broken(Property::OneOutcome, "was told success, and its attempt is kept failed");
}

#[test]
fn a_revocation_that_was_not_done_is_found() {
    let mut script = Script::of_completed();
    script.revoke("a", 0);
    script.assert_broken(Property::OneOutcome, "was told interrupted");
}

#[test]
fn a_result_that_nobody_gave_is_found() {
    let mut script = Script::of_completed();
    script.one().result = Some(b"another".to_vec());
    script.assert_broken(Property::OneOutcome, "nobody completed");
}

#[test]
fn a_replay_that_was_not_done_is_found() {
    let mut script = Script::of_completed();
    script.replay();
    script.assert_broken(Property::OneOutcome, "was replayed 1 times, and 0 are kept");
}

/// Completed, replayed, and completed again.
fn replayed(answer: Answer) -> Script {
    let mut script = Script::of_completed();
    script.call("operator", crate::history::Call::Replay(id(1)), answer);
    script.claim("b", 1).complete("b", 1, "r");
    script.attempt("b", Some(AttemptOutcome::Success), [20, 30]);
    script.one().execution.replay_count = 1;
    script.events(EventStream::Lease, &["acquired", "acquired"]);
    script.events(EventStream::Completion, &["success", "success"]);
    script.events(EventStream::Operator, &["replayed"]);
    script
}

#[test]
fn each_replay_has_an_outcome_of_its_own() {
    replayed(Answer::Done).assert_sound();
    replayed(lost()).assert_sound();
    let refused = replayed(Answer::Refused(Refusal::NotTerminal));
    refused.assert_broken(Property::OneOutcome, "was replayed 0 times, and 1 are kept");
}

#[test]
fn a_completion_whose_answer_was_lost_may_have_been_done() {
    let mut script = Script::of_completed();
    script.entries.pop();
    script.assert_sound();
    script.call("a", complete(0, "a", "r"), Answer::Done);
    script.assert_sound();
}

#[test]
fn a_failure_whose_answer_was_lost_may_have_been_done() {
    for (class, outcome) in [
        (FailureClass::Transient, AttemptOutcome::Retry),
        (FailureClass::Permanent, AttemptOutcome::Failed),
        (FailureClass::Cancelled, AttemptOutcome::Cancelled),
    ] {
        let is_final = outcome != AttemptOutcome::Retry;
        let state = if is_final { PublicState::Failed } else { PublicState::Completed };
        let mut script = Script::of_one(state);
        script.claim("a", 0).call("a", fail(0, "a", class), lost());
        script.attempt("a", Some(outcome), [0, 10]);
        if is_final {
            script.events(EventStream::Lease, &["acquired"]);
            script.events(EventStream::Completion, &[outcome.as_str()]);
        } else {
            script.claim("b", 1).complete("b", 1, "r");
            script.attempt("b", Some(AttemptOutcome::Success), [20, 30]);
            script.events(EventStream::Lease, &["acquired", "acquired"]);
            script.events(EventStream::Completion, &["success"]);
        }
        script.assert_sound();
    }
}
