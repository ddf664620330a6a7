//! The streams tell all that happened to each execution, once.
//!
//! What happened is read from the attempts and the state that are kept. The order of one execution's events in
//! a stream is not checked: a stream is in the order in which its events became readable.

use ff_core::contracts::EventStream;
use ff_core::state::AttemptOutcome;

use super::expiry::was_lost_to_time;
use crate::history::calls::{History, Life};
use crate::history::kept::KeptExecution;
use crate::history::table::{Property, Violation};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for life in &history.lives {
        let Some(kept) = life.kept else { continue };
        let names = |stream| history.kept.names(stream, life.id);
        let streams = [
            (EventStream::Lease, lease_events(kept), names(EventStream::Lease)),
            (
                EventStream::Completion,
                completion_events(kept, &names(EventStream::Completion)),
                names(EventStream::Completion),
            ),
            (EventStream::Operator, operator_events(kept), names(EventStream::Operator)),
        ];
        for (stream, mut expected, told) in streams {
            expected.sort_unstable();
            if expected != told {
                found.push(differs(life, stream, (&expected, &told)));
            }
        }
    }
    found
}

fn differs(
    life: &Life<'_>,
    stream: EventStream,
    (expected, told): (&[&str], &[&str]),
) -> Violation {
    let problem = format!("the {stream} stream does not tell what happened to {}", life.id);
    Violation::new(Property::EventsAreExact, problem)
        .shown_by(life.successes())
        .with_attempts_of(life)
        .with_kept(format!(
            "replayed {} times",
            life.kept.map_or(0, |it| it.execution.replay_count)
        ))
        .with_kept(format!("happened: {}", expected.join(", ")))
        .with_kept(format!("told:     {}", told.join(", ")))
}

/// Each lease was acquired, and each that its worker did not finish was lost or given back.
fn lease_events(kept: &KeptExecution) -> Vec<&'static str> {
    let mut events = Vec::new();
    for attempt in kept.attempts.iter().filter(|attempt| attempt.started_at.is_some()) {
        events.push("acquired");
        let was_fenced = attempt.lease_epoch.0 > 1;
        events.extend(match attempt.outcome {
            Some(AttemptOutcome::Interrupted) if was_lost_to_time(attempt) => Some("expired"),
            Some(AttemptOutcome::Interrupted | AttemptOutcome::Expired) => Some("revoked"),
            Some(AttemptOutcome::Cancelled) if was_fenced => Some("revoked"),
            Some(AttemptOutcome::Released) => Some("released"),
            _ => None,
        });
    }
    events
}

/// Each end has an event. A cancellation of what nobody runs leaves no attempt, so that there may be more of
/// those than attempts tell.
fn completion_events(kept: &KeptExecution, told: &[&str]) -> Vec<&'static str> {
    let ends = usize::try_from(kept.execution.replay_count).unwrap_or(usize::MAX)
        + usize::from(kept.execution.is_finished());
    let of_attempts = kept.attempts.iter().filter_map(|attempt| match attempt.outcome? {
        AttemptOutcome::Success => Some("success"),
        AttemptOutcome::Failed => Some("failed"),
        AttemptOutcome::Cancelled => Some("cancelled"),
        AttemptOutcome::Expired => Some("expired"),
        _ => None,
    });
    let mut events: Vec<_> = of_attempts.collect();
    let waiting = ends.saturating_sub(events.len()).min(told.len() + 1);
    events.extend(std::iter::repeat_n("cancelled", waiting));
    events
}

fn operator_events(kept: &KeptExecution) -> Vec<&'static str> {
    let replays = usize::try_from(kept.execution.replay_count).unwrap_or(0);
    std::iter::repeat_n("replayed", replays).collect()
}
