//! Whether the calls have an order.

use ff_core::contracts::EventStream;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::TimestampMs;

use super::script::*;
use crate::history::{Answer, Call, Property, Refusal};

const BROKEN: Property = Property::CallsHaveAnOrder;

#[test]
fn a_live_handle_that_is_refused_is_found_by_two_calls_of_many() {
    let mut script = Script::of_one(PublicState::Completed);
    for attempt in 0..5 {
        script.claim("a", attempt).renew("a", attempt, 60).delay("a", attempt);
        script.call("b", complete(attempt, "a", "late"), CONFLICT);
        script.attempt("a", Some(AttemptOutcome::Released), [0, 10]);
    }
    script.claim("a", 5).renew("a", 5, 60);
    script.call("a", Call::Renew(handle(5, "a")), CONFLICT);
    script.renew("a", 5, 61).complete("a", 5, "r");
    script.attempt("a", Some(AttemptOutcome::Success), [0, 20]);
    let leases = [["acquired", "released"]; 5].concat();
    script.events(EventStream::Lease, &[leases.as_slice(), &["acquired"]].concat());
    script.events(EventStream::Completion, &["success"]);
    let violation = script.assert_broken(BROKEN, "no order of the calls");

    expect_test::expect![[r#"
        broken: the calls have an order that explains their answers
        no order of the calls on {fp:0}:00000000-0000-0000-0000-000000000001 explains all of their answers

          from  until  client  call            answer
            42     43  a       claim up to 1   5/1 of a
            46     47  a       renew 5/1 of a  lease conflict

        kept in the end:
          attempt 0/1 of a: released, 0 to 10
          attempt 1/1 of a: released, 0 to 10
          attempt 2/1 of a: released, 0 to 10
          attempt 3/1 of a: released, 0 to 10
          attempt 4/1 of a: released, 0 to 10
          attempt 5/1 of a: success, 0 to 20
    "#]].assert_eq(&violation.to_string());
}

/// Created, claimed by `a`, given back while others call, and completed by `b`.
fn beside_a_delay(call: Call, answer: Answer) -> Script {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0);
    let given_back = script.begin("a", delay(0, "a"));
    script.call("other", call, answer);
    script.end(given_back, Answer::Done);
    script.claim("b", 1).complete("b", 1, "r");
    script.attempt("a", Some(AttemptOutcome::Released), [0, 10]);
    script.attempt("b", Some(AttemptOutcome::Success), [10, 20]);
    script.events(EventStream::Lease, &["acquired", "released", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script
}

#[test]
fn calls_that_overlap_may_be_answered_in_either_order() {
    let renew = Call::Renew(handle(0, "a"));
    beside_a_delay(renew.clone(), Answer::Renewed(TimestampMs(55))).assert_sound();
    beside_a_delay(renew.clone(), CONFLICT).assert_sound();
    beside_a_delay(renew.clone(), Answer::Refused(Refusal::LeaseExpired)).assert_sound();
    beside_a_delay(renew.clone(), Answer::Refused(Refusal::Busy)).assert_sound();
    beside_a_delay(renew.clone(), lost()).assert_sound();
    beside_a_delay(Call::Replay(id(1)), Answer::Refused(Refusal::NotTerminal)).assert_sound();
    for reason in ["no_active_lease", "different_worker_instance_id"] {
        let answer = Answer::NotRevoked(reason.to_owned());
        beside_a_delay(revoke("b"), answer).assert_sound();
    }

    let refused = Answer::Refused(Refusal::AlreadyTerminal);
    beside_a_delay(renew, refused).assert_broken(BROKEN, "no order");
    let not_there = Answer::Refused(Refusal::NotFound);
    beside_a_delay(cancel(), not_there).assert_broken(BROKEN, "no order");
}

#[test]
fn an_answer_from_the_past_is_found() {
    let mut script = Script::of_completed();
    script.call("operator", Call::Replay(id(1)), Answer::Refused(Refusal::NotTerminal));
    script.assert_broken(BROKEN, "no order");

    let mut script = Script::of_completed();
    script.call("operator", revoke("b"), Answer::NotRevoked("different_worker_instance_id".into()));
    script.assert_broken(BROKEN, "no order");
}

#[test]
fn a_lease_that_nobody_ended_is_found() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).claim("b", 1).complete("b", 1, "r");
    script.attempt("a", Some(AttemptOutcome::Released), [0, 10]);
    script.attempt("b", Some(AttemptOutcome::Success), [10, 20]);
    script.events(EventStream::Lease, &["acquired", "released", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    let violation = script.assert_broken(BROKEN, "no order");

    expect_test::expect![[r#"
        broken: the calls have an order that explains their answers
        no order of the calls on {fp:0}:00000000-0000-0000-0000-000000000001 explains all of their answers

          from  until  client  call           answer
             2      3  a       claim up to 1  0/1 of a
             4      5  b       claim up to 1  1/1 of b

        kept in the end:
          attempt 0/1 of a: released, 0 to 10
          attempt 1/1 of b: success, 10 to 20
    "#]].assert_eq(&violation.to_string());
}

#[test]
fn a_cancellation_of_what_has_completed_is_found() {
    let mut script = Script::of_completed();
    let not_active = Answer::Refused(Refusal::NotActive(PublicState::Completed));
    script.call("operator", cancel(), not_active);
    script.assert_sound();
    script.cancel();
    script.assert_broken(BROKEN, "no order");
}

#[test]
fn a_refusal_that_names_another_outcome_is_found() {
    let mut script = Script::of_completed();
    let not_active = Answer::Refused(Refusal::NotActive(PublicState::Failed));
    script.call("operator", cancel(), not_active);
    script.assert_broken(BROKEN, "no order");
}

/// `a` was claimed, and the execution is cancelled by a call with this fence.
fn fenced(fence: &str, answer: Answer) -> Script {
    let mut script = Script::of_one(PublicState::Cancelled);
    let is_done = answer == Answer::Done;
    script.claim("a", 0);
    let call = Call::Cancel { execution_id: id(1), fence: Some(handle(0, fence)) };
    script.call(fence, call, answer);
    if !is_done {
        script.cancel();
    }
    script.attempt("a", Some(AttemptOutcome::Cancelled), [0, 10]);
    script.one().attempts[0].lease_epoch.0 = 2;
    script.events(EventStream::Lease, &["acquired", "revoked"]);
    script.events(EventStream::Completion, &["cancelled"]);
    script
}

#[test]
fn a_fence_is_refused_when_it_is_stale_and_only_then() {
    fenced("a", Answer::Done).assert_sound();
    let stale = Answer::Refused(Refusal::StaleLease);
    fenced("a", stale).assert_broken(BROKEN, "no order");
}

#[test]
fn a_cancellation_without_an_answer_may_have_come_at_any_time_or_never() {
    let mut script = Script::of_completed();
    script.entries.clear();
    let _never_answered = script.begin("operator", cancel());
    script.create(1).claim("a", 0).complete("a", 0, "r");
    script.assert_sound();

    let mut script = Script::of_one(PublicState::Cancelled);
    let _never_answered = script.begin("operator", cancel());
    script.claim("a", 0);
    script.attempt("a", Some(AttemptOutcome::Cancelled), [0, 10]);
    script.one().attempts[0].lease_epoch.0 = 2;
    script.events(EventStream::Lease, &["acquired", "revoked"]);
    script.events(EventStream::Completion, &["cancelled"]);
    script.assert_sound();
    script.call("a", Call::Renew(handle(0, "a")), CONFLICT);
    script.assert_sound();
}

#[test]
fn a_sweep_of_a_deadline_ends_what_waits_and_what_runs() {
    for is_leased in [false, true] {
        let mut script = Script::of_one(PublicState::Expired);
        if is_leased {
            script.claim("a", 0);
        }
        let task = ff_core::contracts::ReconcileTask::ExpireDeadlines;
        script.call("sweeper", Call::Reconcile(task), Answer::Swept(1));
        script.attempt("a", Some(AttemptOutcome::Expired), [0, 10]);
        if !is_leased {
            script.one().attempts[0].started_at = None;
            script.one().attempts[0].worker_instance_id = None;
        }
        let leases: &[&str] = if is_leased { &["acquired", "revoked"] } else { &[] };
        script.events(EventStream::Lease, leases);
        script.events(EventStream::Completion, &["expired"]);
        let refused = Answer::Refused(Refusal::NotActive(PublicState::Expired));
        script.call("operator", cancel(), refused);
        script.assert_sound();
    }
}
