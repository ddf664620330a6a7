use serde_json::Value;

use crate::types::TimestampMs;

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
