//! Streams and their subscribers.

use ff_core::contracts::{EventCursor, EventStream};
use ff_core::state::PublicState;

use super::script::*;
use crate::history::{Answer, Call, Property, SeenEvent};

/// Five leases of one execution, given and given back, with the pages that a subscriber has read of their
/// events: each page by its first and its last event.
fn subscribed(pages: &[(u64, u64)]) -> Script {
    let mut script = Script::of_one(PublicState::Completed);
    let mut names = Vec::new();
    for attempt in 0..3 {
        script.claim("a", attempt).delay("a", attempt);
        script.attempt("a", Some(ff_core::state::AttemptOutcome::Released), [0, 10]);
        names.extend(["acquired", "released"]);
    }
    script.claim("a", 3).complete("a", 3, "r");
    script.attempt("a", Some(ff_core::state::AttemptOutcome::Success), [0, 10]);
    names.push("acquired");
    script.events(EventStream::Lease, &names);
    script.events(EventStream::Completion, &["success"]);
    let mut after = None;
    for (first, last) in pages {
        let (subscriber, stream) = ("s".to_owned(), EventStream::Lease);
        let events = script.kept.streams[&EventStream::Lease].iter();
        let on_page = |event: &&SeenEvent| (*first..=*last).contains(&event.cursor.event_id());
        let events: Vec<SeenEvent> = events.filter(on_page).cloned().collect();
        let read = Call::Read { subscriber, stream, after, limit: 3 };
        after = events.last().map(|event| event.cursor);
        script.call("reader", read, Answer::Page(events));
    }
    script
}

#[test]
fn a_subscriber_that_reads_everything_once_is_sound() {
    let counts = subscribed(&[(1, 3), (4, 4), (5, 7)]).check().unwrap();
    assert_eq!(counts.events_read, 7);
}

#[test]
fn a_read_whose_answer_was_lost_says_nothing() {
    let mut script = subscribed(&[(1, 3), (4, 7)]);
    let (subscriber, stream, after) = ("s".to_owned(), EventStream::Lease, None);
    script.call("reader", Call::Read { subscriber, stream, after, limit: 3 }, lost());
    script.assert_sound();
}

#[test]
fn an_event_that_is_missed_is_found() {
    let script = subscribed(&[(1, 3), (5, 7)]);
    let violation = script.assert_broken(Property::EventsAreExact, "s misses an event");

    expect_test::expect![[r#"
        broken: no event is missed or repeated
        s misses an event

          from  until  client  call                             answer
            18     19  reader  read 3 as s after the beginning  3 events, 0-1 to 0-3
            20     21  reader  read 3 as s after 0-3            3 events, 0-5 to 0-7

        kept in the end:
          expected: 0-4 released of {fp:0}:00000000-0000-0000-0000-000000000001 at 0
          read:     0-5 acquired of {fp:0}:00000000-0000-0000-0000-000000000001 at 0
    "#]]
    .assert_eq(&violation.to_string());
}

#[test]
fn an_event_that_is_repeated_is_found() {
    subscribed(&[(1, 3), (3, 5), (6, 7)])
        .assert_broken(Property::EventsAreExact, "s reads an event again");
}

#[test]
fn events_that_are_never_read_are_found() {
    subscribed(&[(1, 3), (4, 6)]).assert_broken(Property::EventsAreExact, "s never reads an event");
}

#[test]
fn an_event_that_the_stream_does_not_have_is_found() {
    let mut script = subscribed(&[(1, 7)]);
    script.kept.streams.get_mut(&EventStream::Lease).unwrap()[2].occurred_at.0 += 1;
    script.assert_broken(Property::EventsAreExact, "that the stream does not have there");
}

#[test]
fn a_stream_whose_cursors_do_not_rise_is_found() {
    let mut script = subscribed(&[]);
    script.kept.streams.get_mut(&EventStream::Lease).unwrap()[2].cursor = EventCursor::new(0, 2);
    script.assert_broken(Property::EventsAreExact, "do not rise");
}

#[test]
fn an_event_that_the_stream_lacks_is_found() {
    let mut script = Script::of_completed();
    script.events(EventStream::Completion, &[]);
    script.assert_broken(Property::EventsAreExact, "the completion stream does not tell");
}

#[test]
fn an_event_of_what_did_not_happen_is_found() {
    for (stream, names) in [
        (EventStream::Lease, &["acquired", "expired"][..]),
        (EventStream::Completion, &["success", "success"]),
        (EventStream::Completion, &["success", "cancelled"]),
        (EventStream::Operator, &["replayed"]),
    ] {
        let mut script = Script::of_completed();
        script.events(stream, names);
        script.assert_broken(Property::EventsAreExact, "stream does not tell");
    }
}
