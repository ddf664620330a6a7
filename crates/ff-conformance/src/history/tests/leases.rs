//! Creations, leases and their time.

use ff_core::contracts::EventStream;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::TimestampMs;

use super::script::*;
use crate::history::{Answer, Call, Created, Creation, Property, Refusal, What};

// ---- creations -----------------------------------------------------------------------------

#[test]
fn a_created_execution_that_is_not_kept_is_found() {
    let mut script = Script::of_completed();
    script.create(2);
    let violation = script.assert_broken(Property::NothingIsLost, "is not kept");

    expect_test::expect![[r#"
        broken: nothing is lost
        {fp:0}:00000000-0000-0000-0000-000000000002 was created, and is not kept

          from  until  client   call                                                answer
             6      7  creator  create {fp:0}:00000000-0000-0000-0000-000000000002  new
    "#]]
    .assert_eq(&violation.to_string());
}

#[test]
fn an_execution_that_nobody_created_is_found() {
    let mut script = Script::of_completed();
    script.call("creator", create(2, None), Answer::Refused(Refusal::Busy));
    script.keep(2, PublicState::Cancelled);
    script.assert_broken(Property::NothingIsLost, "was not created");
}

#[test]
fn a_second_creation_of_one_id_is_found() {
    let mut script = Script::of_completed();
    script.create(1).assert_broken(Property::NothingIsLost, "was created twice");
}

#[test]
fn a_duplicate_of_what_is_not_kept_is_found() {
    let mut script = Script::of_completed();
    let answer = Answer::Created(vec![Created::DuplicateOf(id(3))]);
    script.call("creator", create(2, Some("key")), answer);
    script.assert_broken(Property::NothingIsLost, "is not kept");
}

#[test]
fn an_idempotency_key_that_names_two_executions_is_found() {
    let mut script = Script::default();
    for number in [1, 2] {
        let created = Answer::Created(vec![Created::New]);
        script.call("creator", create(number, Some("key")), created);
        script.keep(number, PublicState::Cancelled);
    }
    script.assert_broken(Property::NothingIsLost, "key names");
}

#[test]
fn a_batch_that_is_kept_in_part_is_found() {
    let mut script = Script::of_completed();
    let creation = |number| Creation { execution_id: id(number), key: None };
    script.call("creator", Call::Create(vec![creation(2), creation(3)]), lost());
    script.keep(3, PublicState::Cancelled);
    script.assert_broken(Property::NothingIsLost, "of the batch is kept");
}

#[test]
fn an_execution_that_never_finishes_is_found() {
    let mut script = Script::of_one(PublicState::Delayed);
    script.assert_broken(Property::NothingIsLost, "never finishes: it is delayed");
    script.one().execution.public_state = PublicState::Cancelled;
}

#[test]
fn an_answer_that_no_call_may_have_is_found() {
    let mut script = Script::of_completed();
    let answer = Answer::Refused(Refusal::Other("a stored value is corrupt".to_owned()));
    script.call("a", Call::Renew(handle(0, "a")), answer);
    script.assert_broken(Property::AnswersAreKnown, "a renew may not be answered");
}

#[test]
fn a_creation_whose_answer_was_lost_is_kept_or_not() {
    let mut script = Script::of_completed();
    script.call("creator", create(2, None), lost());
    script.begin("creator", create(3, None));
    script.assert_sound();
    script.keep(3, PublicState::Cancelled);
    script.call("operator", Call::Cancel { execution_id: id(3), fence: None }, Answer::Done);
    let mut event = event(2, "cancelled");
    event.execution_id = id(3);
    script.kept.streams.get_mut(&EventStream::Completion).unwrap().push(event);
    script.assert_sound();
}

// ---- leases --------------------------------------------------------------------------------

#[test]
fn a_lease_that_is_given_twice_is_found() {
    let mut script = Script::of_one(PublicState::Completed);
    let (a, b) = (script.begin("a", claim("a")), script.begin("b", claim("b")));
    script.end(b, Answer::Claimed(vec![handle(0, "b")]));
    script.end(a, Answer::Claimed(vec![handle(0, "a")]));
    script.complete("a", 0, "r").attempt("a", Some(AttemptOutcome::Success), [0, 10]);
    let violation = script.assert_broken(Property::LeasesDoNotOverlap, "was given twice");

    expect_test::expect![[r#"
        broken: no two leases overlap
        lease 0/1 of {fp:0}:00000000-0000-0000-0000-000000000001 was given twice

          from  until  client  call           answer
             2      5  a       claim up to 1  0/1 of a
             3      4  b       claim up to 1  0/1 of b
    "#]]
    .assert_eq(&violation.to_string());
}

#[test]
fn epochs_that_fall_are_found() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 1).delay("a", 1).claim("b", 0).complete("b", 0, "r");
    script.attempt("b", Some(AttemptOutcome::Success), [0, 10]);
    script.attempt("a", Some(AttemptOutcome::Released), [0, 10]);
    script.events(EventStream::Lease, &["acquired", "released", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script.one().execution.attempt_index.0 = 0;
    script.assert_broken(Property::EpochsRise, "do not rise");
}

/// Claimed by `a`, given back, claimed and completed by `b`.
fn given_back_and_completed() -> Script {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).delay("a", 0).claim("b", 1).complete("b", 1, "r");
    script.attempt("a", Some(AttemptOutcome::Released), [0, 10]);
    script.attempt("b", Some(AttemptOutcome::Success), [10, 20]);
    script.events(EventStream::Lease, &["acquired", "released", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script
}

#[test]
fn a_stale_handle_that_succeeds_is_found() {
    let mut script = given_back_and_completed();
    script.assert_sound();
    script.renew("a", 0, 40);
    let violation = script.assert_broken(Property::StaleHandlesFail, "0/1 of a");

    expect_test::expect![[r#"
        broken: a stale handle never succeeds
        0/1 of a of {fp:0}:00000000-0000-0000-0000-000000000001 succeeded after it was ended

          from  until  client  call                    answer
             2      3  a       claim up to 1           0/1 of a
             4      5  a       delay 0/1 of a until 0  done
            10     11  a       renew 0/1 of a          renewed, 40
    "#]]
    .assert_eq(&violation.to_string());
}

#[test]
fn a_handle_that_succeeds_after_an_operator_took_its_lease_is_found() {
    let mut revoked = Script::of_one(PublicState::Completed);
    revoked.claim("a", 0).revoke("a", 0).renew("a", 0, 60).claim("b", 1).complete("b", 1, "r");
    revoked.attempt("a", Some(AttemptOutcome::Interrupted), [0, 10]);
    revoked.attempt("b", Some(AttemptOutcome::Success), [10, 20]);
    revoked.events(EventStream::Lease, &["acquired", "revoked", "acquired"]);
    revoked.events(EventStream::Completion, &["success"]);
    revoked.assert_broken(Property::StaleHandlesFail, "0/1 of a");

    let mut cancelled = Script::of_one(PublicState::Cancelled);
    cancelled.claim("a", 0).cancel().renew("a", 0, 60);
    cancelled.attempt("a", Some(AttemptOutcome::Cancelled), [0, 10]);
    cancelled.one().attempts[0].lease_epoch.0 = 2;
    cancelled.events(EventStream::Lease, &["acquired", "revoked"]);
    cancelled.events(EventStream::Completion, &["cancelled"]);
    cancelled.assert_broken(Property::StaleHandlesFail, "0/1 of a");
}

#[test]
fn a_completion_that_is_repeated_is_not_stale() {
    let mut script = Script::of_completed();
    script.complete("a", 0, "r");
    script.assert_sound();
}

#[test]
fn a_lease_that_is_given_and_not_kept_is_found() {
    let mut script = Script::of_completed();
    script.claim("b", 1);
    script.assert_broken(Property::NothingIsLost, "was given, and is not kept");
}

#[test]
fn a_lease_that_was_given_to_nobody_is_found_unless_a_claim_was_lost() {
    let mut script = given_back_and_completed();
    script.entries.retain(|entry| entry.number != 2);
    script.assert_broken(Property::NothingIsLost, "was given to nobody");
    let open = script.begin("a", claim("a"));
    script.entries.rotate_right(1);
    script.assert_sound();
    script.end(open, Answer::Claimed(Vec::new()));
    script.assert_broken(Property::NothingIsLost, "was given to nobody");
}

#[test]
fn an_attempt_that_never_ended_is_found() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).claim("b", 1).complete("b", 1, "r");
    script.attempt("a", None, [0, 0]).attempt("b", Some(AttemptOutcome::Success), [10, 20]);
    script.events(EventStream::Lease, &["acquired", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script.assert_broken(Property::LeasesDoNotOverlap, "has finished, and its attempt 0 has not");
}

// ---- time ----------------------------------------------------------------------------------

#[test]
fn a_renewal_after_the_time_was_up_is_found() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).renew("a", 0, 100).complete("a", 0, "r");
    script.attempt("a", Some(AttemptOutcome::Success), [0, 60]);
    script.events(EventStream::Lease, &["acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script.assert_broken(Property::LeasesEndInTime, "good until 50, and a call held at 50");
    script.one().attempts[0].started_at = Some(TimestampMs(1));
    script.assert_sound();
}

#[test]
fn a_completion_after_the_time_was_up_is_found() {
    let mut script = Script::of_completed();
    script.one().attempts[0].terminal_at = Some(TimestampMs(49));
    script.assert_sound();
    script.one().attempts[0].terminal_at = Some(TimestampMs(50));
    script.assert_broken(Property::LeasesEndInTime, "good until 50, and a call held at 50");
}

#[test]
fn a_renewal_whose_answer_was_lost_may_have_made_the_lease_longer() {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).call("a", Call::Renew(handle(0, "a")), lost()).complete("a", 0, "r");
    script.attempt("a", Some(AttemptOutcome::Success), [0, 80]);
    script.events(EventStream::Lease, &["acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script.assert_sound();
}

/// Claimed by `a` at 0, renewed until 70, swept at `swept_at`, claimed and completed by `b`.
fn swept(swept_at: i64) -> Script {
    let mut script = Script::of_one(PublicState::Completed);
    script.claim("a", 0).renew("a", 0, 70).sweep(1).claim("b", 1).complete("b", 1, "r");
    script.expired("a", [0, swept_at]).attempt("b", Some(AttemptOutcome::Success), [90, 99]);
    script.events(EventStream::Lease, &["acquired", "expired", "acquired"]);
    script.events(EventStream::Completion, &["success"]);
    script
}

#[test]
fn a_lease_that_is_swept_before_its_time_is_found() {
    swept(70).assert_sound();
    swept(69).assert_broken(Property::LeasesEndInTime, "good until 70, and was swept at 69");
}

#[test]
fn a_sweep_that_miscounts_is_found() {
    let mut script = swept(70);
    script.sweep(1);
    script.assert_broken(Property::LeasesEndInTime, "2 expired leases, and 1 are kept");
}

#[test]
fn a_lease_that_expired_without_a_sweep_is_found() {
    let mut script = swept(70);
    let sweep = script.entries.iter().position(|entry| entry.client == "sweeper").unwrap();
    script.entries.drain(sweep..sweep + 2);
    script.sweep(1);
    script.assert_broken(Property::LeasesEndInTime, "no sweep was made");
}

#[test]
fn a_sweep_whose_answer_was_lost_may_have_ended_a_lease() {
    let mut script = swept(70);
    let answer = script.entries.iter().rposition(|entry| entry.client == "sweeper").unwrap();
    script.entries[answer].what = What::Answered(lost());
    script.assert_sound();
    script.entries.remove(answer);
    script.assert_sound();
}
