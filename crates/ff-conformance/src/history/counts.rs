//! What a history that holds has shown: a run that did nothing proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::calls::History;
use super::check::was_lost_to_time;
use super::record::{Answer, Call};

/// How much was done in a history that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Executions that are kept.
    pub executions: usize,
    /// Leases that were given.
    pub leases: usize,
    /// Leases that ended because their time was up.
    pub expired: usize,
    /// Events that subscribers have read.
    pub events_read: usize,
    /// How often each call had each answer, by their names.
    answers: BTreeMap<(&'static str, &'static str), usize>,
    /// The names of calls that were done.
    done: BTreeSet<&'static str>,
}

impl Counts {
    pub(super) fn of_history(history: &History<'_>) -> Self {
        let mut counts = Self { executions: history.kept.executions.len(), ..Self::default() };
        for made in history.calls {
            let answer = made.answer.as_ref().map_or("unknown", |answer| answer.name());
            *counts.answers.entry((made.call.name(), answer)).or_default() += 1;
            match &made.answer {
                Some(Answer::Page(events)) => counts.events_read += events.len(),
                Some(Answer::Claimed(handles)) if handles.is_empty() => continue,
                _ => {}
            }
            if made.succeeded() {
                counts.done.insert(made.call.name());
            }
        }
        let attempts = || history.kept.executions.iter().flat_map(|kept| &kept.attempts);
        counts.leases = attempts().filter(|attempt| attempt.started_at.is_some()).count();
        counts.expired = attempts().filter(|attempt| was_lost_to_time(attempt)).count();
        counts
    }

    /// How often a call had an answer, by the [name of the call](super::Call::name) and the [name of the
    /// answer](super::Answer::name).
    pub fn of(&self, call: &str, answer: &str) -> usize {
        let is_it = |(key, _): &(&(&str, &str), &usize)| **key == (call, answer);
        self.answers.iter().find(is_it).map_or(0, |(_, count)| *count)
    }

    /// The calls that the workload makes and that were never done. A history in which there are any shows too
    /// little.
    pub fn never_done(&self) -> Vec<&'static str> {
        Call::NAMES.into_iter().filter(|name| !self.done.contains(name)).collect()
    }

    /// Calls of which nobody knows whether they were done.
    pub fn unknown(&self) -> usize {
        self.answers.iter().filter(|((_, answer), _)| *answer == "unknown").map(|it| it.1).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { executions, leases, expired, events_read, answers, .. } = self;
        write!(f, "{executions} executions, {leases} leases, {expired} expired, ")?;
        writeln!(f, "{events_read} events read")?;
        answers
            .iter()
            .try_for_each(|((call, answer), count)| writeln!(f, "  {count:>6}  {call}: {answer}"))
    }
}
