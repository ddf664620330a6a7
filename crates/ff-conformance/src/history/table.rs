//! What a check has found, with the calls that show it as a table.

use std::collections::BTreeSet;
use std::fmt;

use ff_core::backend::Handle;
use ff_core::execution::Attempt;

use super::calls::{Life, Made};
use super::record::{Answer, Call, Created, SeenEvent};

/// A promise that a history is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Property {
    /// Every call is answered by what it may be answered by.
    AnswersAreKnown,
    /// What was created or given is kept, and is finished in the end; nothing else is.
    NothingIsLost,
    /// One lease is given to one worker.
    LeasesDoNotOverlap,
    /// Attempt and epoch rise from lease to lease.
    EpochsRise,
    /// A handle whose lease was ended never succeeds.
    StaleHandlesFail,
    /// A lease lasts for its time and no longer.
    LeasesEndInTime,
    /// An execution finishes once, and once more for each replay, as its worker was told.
    OneOutcome,
    /// The streams tell all that happened, and subscribers miss and repeat nothing.
    EventsAreExact,
    /// The calls on each execution have one order that explains all of their answers.
    CallsHaveAnOrder,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnswersAreKnown => "every answer is one that the call may have",
            Self::NothingIsLost => "nothing is lost",
            Self::LeasesDoNotOverlap => "no two leases overlap",
            Self::EpochsRise => "epochs rise",
            Self::StaleHandlesFail => "a stale handle never succeeds",
            Self::LeasesEndInTime => "an expired lease has ended, and no other has",
            Self::OneOutcome => "each execution has one outcome",
            Self::EventsAreExact => "no event is missed or repeated",
            Self::CallsHaveAnOrder => "the calls have an order that explains their answers",
        })
    }
}

/// A promise that was broken, and the shortest history found that shows it.
///
/// Its text form is a table: one call a row, in the order in which they were made, with the places of the call
/// and of its answer in the log. A call that lies wholly above another's was over before it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub property: Property,
    /// What is wrong.
    pub problem: String,
    rows: BTreeSet<Row>,
    kept: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    from: usize,
    until: Option<usize>,
    client: String,
    call: String,
    answer: String,
}

impl Violation {
    pub(super) fn new(property: Property, problem: impl Into<String>) -> Self {
        Self { property, problem: problem.into(), rows: BTreeSet::new(), kept: Vec::new() }
    }

    /// Shows these calls.
    pub(super) fn shown_by<'a>(mut self, calls: impl IntoIterator<Item = &'a Made>) -> Self {
        self.rows.extend(calls.into_iter().map(Row::of));
        self
    }

    /// Shows the attempts of an execution as they are kept.
    pub(super) fn with_attempts_of(mut self, life: &Life<'_>) -> Self {
        let attempts = life.kept.iter().flat_map(|kept| &kept.attempts);
        self.kept.extend(attempts.map(describe_attempt));
        self
    }

    /// Shows something that is kept.
    pub(super) fn with_kept(mut self, kept: impl Into<String>) -> Self {
        self.kept.push(kept.into());
        self
    }

    /// How much there is to read.
    pub(super) fn length(&self) -> usize {
        self.rows.len() + self.kept.len()
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broken: {}", self.property)?;
        writeln!(f, "{}", self.problem)?;
        write_table(f, &self.rows)?;
        if !self.kept.is_empty() {
            writeln!(f, "\nkept in the end:")?;
        }
        self.kept.iter().try_for_each(|kept| writeln!(f, "  {kept}"))
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, rows: &BTreeSet<Row>) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let head = ["from", "until", "client", "call", "answer"].map(str::to_owned);
    let lines: Vec<[String; 5]> = [head].into_iter().chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0)
    };
    let (from, until, client, call) = (width(0), width(1), width(2), width(3));
    writeln!(f)?;
    for [a, b, c, d, e] in &lines {
        writeln!(f, "  {a:>from$}  {b:>until$}  {c:<client$}  {d:<call$}  {e}")?;
    }
    Ok(())
}

impl Row {
    fn of(made: &Made) -> Self {
        Self {
            from: made.called_at,
            until: made.answered_at,
            client: made.client.clone(),
            call: describe_call(&made.call),
            answer: made.answer.as_ref().map_or_else(|| "(none)".to_owned(), describe_answer),
        }
    }

    fn cells(&self) -> [String; 5] {
        let until = self.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        [self.from.to_string(), until, self.client.clone(), self.call.clone(), self.answer.clone()]
    }
}

/// A lease as `attempt/epoch of instance`.
pub(super) fn lease(handle: &Handle) -> String {
    let (attempt, epoch) = (handle.attempt_index(), handle.lease_epoch());
    format!("{attempt}/{epoch} of {}", handle.worker_instance_id())
}

fn describe_call(call: &Call) -> String {
    let name = call.name();
    match call {
        Call::Create(creations) => {
            let key = |key: &Option<String>| {
                key.as_ref().map_or_else(String::new, |key| format!(" with {key}"))
            };
            let each = creations.iter().map(|it| format!("{}{}", it.execution_id, key(&it.key)));
            format!("{name} {}", each.collect::<Vec<_>>().join(", "))
        }
        Call::Claim { max, .. } => format!("{name} up to {max}"),
        Call::Renew(handle) => format!("{name} {}", lease(handle)),
        Call::Complete { handle, result } => format!("{name} {} with {result}", lease(handle)),
        Call::Fail { handle, reason, class } => {
            format!("{name} {} with {reason}, {class}", lease(handle))
        }
        Call::Delay { handle, until } => format!("{name} {} until {until}", lease(handle)),
        Call::Cancel { fence, .. } => {
            let fence = fence.as_ref().map_or_else(|| "an operator".to_owned(), lease);
            format!("{name} as {fence}")
        }
        Call::Revoke { instance, lease_id, .. } => {
            let which = lease_id.map_or_else(String::new, |id| format!(", lease {id}"));
            format!("{name} from {instance}{which}")
        }
        Call::Replay(_) => name.to_owned(),
        Call::Reconcile(task) => format!("{name} {task}"),
        Call::Read { subscriber, after, limit, .. } => {
            let after = after.map_or_else(|| "the beginning".to_owned(), |it| it.to_string());
            format!("{name} {limit} as {subscriber} after {after}")
        }
    }
}

fn describe_answer(answer: &Answer) -> String {
    let name = answer.name();
    match answer {
        Answer::Created(created) => {
            let one = |created: &Created| match created {
                Created::New => "new".to_owned(),
                Created::DuplicateOf(id) => format!("duplicate of {id}"),
            };
            created.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Answer::Claimed(handles) if !handles.is_empty() => {
            handles.iter().map(lease).collect::<Vec<_>>().join(", ")
        }
        Answer::Renewed(until) | Answer::RetryAt(until) => format!("{name}, {until}"),
        Answer::Revoked(id) => format!("{name} {id}"),
        Answer::NotRevoked(reason) => format!("{name}: {reason}"),
        Answer::Swept(count) => format!("{name} {count}"),
        Answer::Page(events) => match (events.first(), events.last()) {
            (Some(first), Some(last)) => {
                format!("{} events, {} to {}", events.len(), first.cursor, last.cursor)
            }
            _ => "no events".to_owned(),
        },
        Answer::Refused(super::record::Refusal::Other(text)) | Answer::Unknown(text) => {
            format!("{name}: {text}")
        }
        _ => name.to_owned(),
    }
}

/// An event as `cursor name of execution`.
pub(super) fn describe_event(event: &SeenEvent) -> String {
    format!("{} {} of {} at {}", event.cursor, event.name, event.execution_id, event.occurred_at)
}

fn describe_attempt(attempt: &Attempt) -> String {
    let time = |time: Option<_>| {
        time.map_or_else(|| "-".to_owned(), |time: ff_core::types::TimestampMs| time.to_string())
    };
    let instance = attempt.worker_instance_id.as_ref().map_or("nobody", |it| it.as_str());
    let outcome = attempt.outcome.map_or("running", |outcome| outcome.as_str());
    format!(
        "attempt {}/{} of {instance}: {outcome}, {} to {}",
        attempt.attempt_index,
        attempt.lease_epoch,
        time(attempt.started_at),
        time(attempt.terminal_at)
    )
}
