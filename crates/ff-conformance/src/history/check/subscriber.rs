//! A subscriber that goes on from its cursor has read each event of its stream once, in the stream's order.

use std::collections::BTreeMap;

use ff_core::contracts::{EventCursor, EventStream};

use crate::history::calls::{History, Made};
use crate::history::record::{Answer, Call, SeenEvent};
use crate::history::table::{Property, Violation, describe_event};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut pages: BTreeMap<(&str, EventStream), Vec<Page<'_>>> = BTreeMap::new();
    for made in history.calls {
        if let (Call::Read { subscriber, stream, after, .. }, Some(Answer::Page(events))) =
            (&made.call, &made.answer)
        {
            let page = Page { made, after: *after, events };
            pages.entry((subscriber, *stream)).or_default().push(page);
        }
    }
    let of = |((name, stream), pages): (&(&str, EventStream), &Vec<Page<'_>>)| {
        compare(name, pages, history.kept.stream(*stream))
    };
    let mut found: Vec<Violation> = pages.iter().filter_map(of).collect();
    let streams = history.kept.streams.iter();
    found.extend(streams.filter_map(|(stream, events)| check_order(*stream, events)));
    found
}

struct Page<'a> {
    made: &'a Made,
    after: Option<EventCursor>,
    events: &'a [SeenEvent],
}

fn broken(problem: String) -> Violation {
    Violation::new(Property::EventsAreExact, problem)
}

/// Walks the pages beside the stream. It ends at the first event that is not the stream's next.
fn compare(name: &str, pages: &[Page<'_>], stream: &[SeenEvent]) -> Option<Violation> {
    let mut rest = stream.iter();
    let mut last: Option<&Page<'_>> = None;
    for page in pages {
        let previous = last.map(|page| page.made);
        for event in page.events {
            let expected = rest.next();
            if expected == Some(event) {
                continue;
            }
            let problem = match expected {
                _ if Some(event.cursor) <= page.after => "reads an event again",
                Some(expected) if expected.cursor < event.cursor => "misses an event",
                _ => "reads an event that the stream does not have there",
            };
            let violation = broken(format!("{name} {problem}"));
            return Some(told(violation.shown_by(previous).shown_by([page.made]), event, expected));
        }
        if !page.events.is_empty() {
            last = Some(page);
        }
    }
    let missed = rest.next()?;
    let violation = broken(format!("{name} never reads an event"));
    let shown = pages.iter().rev().take(1).map(|page| page.made).chain(last.map(|page| page.made));
    Some(violation.shown_by(shown).with_kept(describe_event(missed)))
}

fn told(violation: Violation, event: &SeenEvent, expected: Option<&SeenEvent>) -> Violation {
    let expected = expected.map_or_else(|| "nothing more".to_owned(), describe_event);
    violation
        .with_kept(format!("expected: {expected}"))
        .with_kept(format!("read:     {}", describe_event(event)))
}

fn check_order(stream: EventStream, events: &[SeenEvent]) -> Option<Violation> {
    events.windows(2).find_map(|pair| {
        let [first, second] = pair else { return None };
        (first.cursor >= second.cursor).then(|| {
            let violation = broken(format!("the cursors of the {stream} stream do not rise"));
            violation.with_kept(describe_event(first)).with_kept(describe_event(second))
        })
    })
}
