//! What a rule answers: data for a store to apply, in one transaction.

use serde_json::Value;

use crate::execution::{Attempt, Execution};
use crate::state::{CompletionOutcome, LeaseEventType, OperatorEventType};
use crate::types::TimestampMs;

/// What shall be stored, what shall be announced, and what the caller is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    /// What shall be stored; `None` leaves everything as it is.
    pub patch: Option<Patch>,
    /// The events to append, in this order.
    pub events: Vec<Event>,
    /// The answer.
    pub outcome: T,
}

/// The state that an execution and one of its attempts shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The execution; only its state is written, never what it was created with.
    pub execution: Execution,
    /// The attempt to insert or to overwrite.
    pub attempt: Option<Attempt>,
    /// What becomes of the stored result.
    pub result: ResultChange,
    /// Whether the counts of failed, skipped and running upstreams in the execution's edge group begin
    /// again at 0.
    pub resets_edge_group: bool,
}

/// What becomes of a stored result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultChange {
    /// It stays.
    Keep,
    /// It is replaced.
    Set(Option<Vec<u8>>),
}

/// Something that subscribers and operators are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub occurred_at: TimestampMs,
    /// What happened.
    pub kind: EventKind,
}

/// What an [`Event`] tells.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The execution finished.
    Completion(CompletionOutcome),
    /// Its lease changed hands.
    Lease(LeaseEventType),
    /// An operator acted.
    Operator {
        /// What was done.
        event_type: OperatorEventType,
        /// A JSON object.
        details: Value,
    },
}

impl Patch {
    /// The state of an execution and of one of its attempts; everything else stays.
    pub fn new(execution: Execution, attempt: Option<Attempt>) -> Self {
        Self { execution, attempt, result: ResultChange::Keep, resets_edge_group: false }
    }
}

impl<T> Decision<T> {
    /// The answer to a repeated call: nothing is stored and nothing is announced.
    pub fn unchanged(outcome: T) -> Self {
        Self { patch: None, events: Vec::new(), outcome }
    }
}

impl Event {
    /// The execution finished.
    pub fn completion(occurred_at: TimestampMs, outcome: CompletionOutcome) -> Self {
        Self { occurred_at, kind: EventKind::Completion(outcome) }
    }

    /// An operator acted; `details` is a JSON object.
    pub fn operator(
        occurred_at: TimestampMs,
        event_type: OperatorEventType,
        details: Value,
    ) -> Self {
        Self { occurred_at, kind: EventKind::Operator { event_type, details } }
    }

    /// The execution's lease changed hands.
    pub fn lease(occurred_at: TimestampMs, event_type: LeaseEventType) -> Self {
        Self { occurred_at, kind: EventKind::Lease(event_type) }
    }
}
