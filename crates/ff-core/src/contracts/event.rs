use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::{ExecutionId, FlowId, Namespace, TimestampMs};

/// Events that one [`read_events`](crate::engine_backend::EngineBackend::read_events) returns at most.
pub const READ_EVENTS_MAX_LIMIT: u32 = 10_000;

/// The tag whose value an execution's events carry as their instance tag, unless a backend is set up
/// otherwise.
pub const DEFAULT_INSTANCE_TAG_KEY: &str = "cairn.instance_id";

/// One entry in the history of an execution.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExecutionEvent {
    /// When it happened.
    pub occurred_at: TimestampMs,
    /// Which of the three streams it is in.
    pub stream: EventStream,
    /// The event's word: a completion's outcome, or a lease or operator event's type.
    pub name: String,
    /// What else is known of it; JSON null when nothing is.
    pub details: Value,
}

impl ExecutionEvent {
    /// An entry of a stream.
    pub fn new(
        occurred_at: TimestampMs,
        stream: EventStream,
        name: impl Into<String>,
        details: Value,
    ) -> Self {
        Self { occurred_at, stream, name: name.into(), details }
    }
}

crate::state::words! {
    /// The streams that events are written to.
    #[non_exhaustive]
    EventStream {
        /// Leases: given, lost, given back.
        Lease = "lease",
        /// Executions that finished.
        Completion = "completion",
        /// What operators did.
        Operator = "operator",
    }
}

/// How far a subscriber has read a stream: the place of its last event \[EVT-1\].
///
/// It belongs to one stream of one store. Its text form is for keeping it.
///
/// ```
/// use ff_core::contracts::EventCursor;
///
/// let cursor = EventCursor::new(7_012, 88);
/// assert_eq!(cursor.to_string(), "7012-88");
/// assert_eq!("7012-88".parse(), Ok(cursor));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventCursor {
    transaction: u64,
    event_id: u64,
}

impl EventCursor {
    /// The place of an event: the transaction that recorded it, in the order in which transactions
    /// become readable, and its id. A store whose ids alone rise in that order has one transaction, 0.
    pub fn new(transaction: u64, event_id: u64) -> Self {
        Self { transaction, event_id }
    }

    /// The transaction that recorded the event.
    pub fn transaction(&self) -> u64 {
        self.transaction
    }

    /// The event's id.
    pub fn event_id(&self) -> u64 {
        self.event_id
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.transaction, self.event_id)
    }
}

/// A text that is not an [`EventCursor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an event cursor, such as 7012-88")]
pub struct EventCursorParseError(String);

impl FromStr for EventCursor {
    type Err = EventCursorParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (transaction, event_id) = text.split_once('-')?;
            Some(Self::new(transaction.parse().ok()?, event_id.parse().ok()?))
        };
        // One cursor has one text.
        let cursor = parse().filter(|cursor| cursor.to_string() == text);
        cursor.ok_or_else(|| EventCursorParseError(text.to_owned()))
    }
}

impl TryFrom<String> for EventCursor {
    type Error = EventCursorParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventCursor> for String {
    fn from(cursor: EventCursor) -> Self {
        cursor.to_string()
    }
}

/// An event as a subscriber reads it from a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// Where to read on after this event.
    pub cursor: EventCursor,
    /// What it happened to; of a flow's event, the flow's partition and UUID.
    pub execution_id: ExecutionId,
    /// The flow that the execution was a member of; completion events only.
    pub flow_id: Option<FlowId>,
    /// When it happened.
    pub occurred_at: TimestampMs,
    /// The event's word: a completion's outcome, or a lease or operator event's type.
    pub name: String,
    /// What else is known of it; JSON null when nothing is.
    pub details: Value,
    /// The execution's namespace.
    pub namespace: Namespace,
    /// The value of the execution's instance tag, if it had one.
    pub instance_tag: Option<String>,
}

impl RecordedEvent {
    /// An event of the default namespace, without flow, details or instance tag.
    pub fn new(
        cursor: EventCursor,
        execution_id: ExecutionId,
        occurred_at: TimestampMs,
        name: impl Into<String>,
    ) -> Self {
        Self {
            cursor,
            execution_id,
            flow_id: None,
            occurred_at,
            name: name.into(),
            details: Value::Null,
            namespace: Namespace::new("default"),
            instance_tag: None,
        }
    }
}
