//! Calls and decisions as JSON documents: a statement takes an array of them as one parameter and
//! unpacks it, so that one statement serves any number of rows.
//!
//! Field names are column names. Bytes are in lower-case hexadecimal, UUIDs hyphenated.

use ff_core::backend::Handle;
use ff_core::contracts::CreateExecutionArgs;
use ff_core::decision::{Event, EventKind, Patch, ResultChange};
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, AttemptError};
use ff_core::rules::execution::NewExecution;
use ff_core::types::{AttemptIndex, ExecutionId, TimestampMs};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// The parameter that holds the documents.
///
/// # Errors
/// `InvalidInput` for a value that JSON cannot hold.
pub fn to_parameter(documents: &impl Serialize) -> Result<String, EngineError> {
    serde_json::to_string(documents)
        .map_err(|error| EngineError::invalid_input(format!("it cannot be stored: {error}")))
}

/// Which execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeyDocument {
    partition_key: u16,
    execution_id: Uuid,
    attempt_index: Option<AttemptIndex>,
}

impl KeyDocument {
    /// An execution and its current attempt.
    pub fn new(id: &ExecutionId) -> Self {
        Self { partition_key: id.partition(), execution_id: id.uuid(), attempt_index: None }
    }

    /// An execution and the attempt that the handle names.
    pub fn of_handle(handle: &Handle) -> Self {
        Self { attempt_index: Some(handle.attempt_index()), ..Self::new(handle.execution_id()) }
    }
}

/// What a new execution takes beside its row, and what it may be a duplicate by.
#[derive(Clone, Debug, Serialize)]
pub struct NewExecutionDocument<'a> {
    partition_key: u16,
    execution_id: Uuid,
    lane_id: &'a str,
    namespace: &'a str,
    idempotency_key: Option<&'a str>,
    required_capabilities: Vec<&'a str>,
}

impl<'a> NewExecutionDocument<'a> {
    /// What a creation stores.
    pub fn new(args: &'a CreateExecutionArgs, new: &'a NewExecution) -> Self {
        let execution = &new.execution;
        Self {
            partition_key: execution.execution_id.partition(),
            execution_id: execution.execution_id.uuid(),
            lane_id: execution.lane_id.as_str(),
            namespace: execution.namespace.as_str(),
            idempotency_key: args.idempotency_key.as_deref(),
            required_capabilities: new.requirement.iter().collect(),
        }
    }

    /// Whether the execution requires anything of its worker.
    pub fn has_requirements(&self) -> bool {
        !self.required_capabilities.is_empty()
    }
}

/// A lease that a call by handle must hold.
#[derive(Clone, Debug, Serialize)]
pub struct HandleDocument<'a> {
    partition_key: u16,
    execution_id: Uuid,
    attempt_index: AttemptIndex,
    lease_epoch: u64,
    worker_instance_id: &'a str,
    lease_expires_at_ms: TimestampMs,
}

impl<'a> HandleDocument<'a> {
    /// The lease, and when it expires if it is renewed at `now`.
    pub fn new(handle: &'a Handle, now: TimestampMs) -> Self {
        Self {
            partition_key: handle.execution_id().partition(),
            execution_id: handle.execution_id().uuid(),
            attempt_index: handle.attempt_index(),
            lease_epoch: handle.lease_epoch().0,
            worker_instance_id: handle.worker_instance_id().as_str(),
            lease_expires_at_ms: now.saturating_add_millis(u64::from(handle.lease_ttl_ms())),
        }
    }
}

/// The state that an execution shall have.
#[derive(Clone, Debug, Serialize)]
pub struct PatchDocument<'a> {
    partition_key: u16,
    execution_id: Uuid,
    attempt_index: AttemptIndex,
    lifecycle_phase: &'static str,
    ownership_state: &'static str,
    eligibility_state: &'static str,
    public_state: &'static str,
    attempt_state: &'static str,
    blocking_reason: Option<&'a str>,
    cancellation_reason: Option<&'a str>,
    cancelled_by: Option<&'a str>,
    priority: i32,
    started_at_ms: Option<TimestampMs>,
    terminal_at_ms: Option<TimestampMs>,
    eligible_at_ms: Option<TimestampMs>,
    deadline_at_ms: Option<TimestampMs>,
    retry_count: u32,
    reclaim_count: u32,
    replay_count: u32,
    keep_result: bool,
    result: Option<String>,
}

impl<'a> PatchDocument<'a> {
    /// What a decision makes of the execution.
    pub fn new(patch: &'a Patch) -> Self {
        let execution = &patch.execution;
        let (keep_result, result) = match &patch.result {
            ResultChange::Keep => (true, None),
            ResultChange::Set(result) => (false, result.as_deref().map(to_hex)),
        };
        Self {
            partition_key: execution.execution_id.partition(),
            execution_id: execution.execution_id.uuid(),
            attempt_index: execution.attempt_index,
            lifecycle_phase: execution.lifecycle_phase.as_str(),
            ownership_state: execution.ownership_state.as_str(),
            eligibility_state: execution.eligibility_state.as_str(),
            public_state: execution.public_state.as_str(),
            attempt_state: execution.attempt_state.as_str(),
            blocking_reason: execution.blocking_reason.as_deref(),
            cancellation_reason: execution.cancellation_reason.as_deref(),
            cancelled_by: execution.cancelled_by.as_deref(),
            priority: execution.priority,
            started_at_ms: execution.started_at,
            terminal_at_ms: execution.terminal_at,
            eligible_at_ms: execution.eligible_at,
            deadline_at_ms: execution.deadline_at,
            retry_count: execution.retry_count,
            reclaim_count: execution.reclaim_count,
            replay_count: execution.replay_count,
            keep_result,
            result,
        }
    }
}

/// The state that an attempt shall have.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptDocument<'a> {
    partition_key: u16,
    execution_id: Uuid,
    attempt_index: AttemptIndex,
    worker_id: Option<&'a str>,
    worker_instance_id: Option<&'a str>,
    lease_epoch: u64,
    lease_expires_at_ms: Option<TimestampMs>,
    started_at_ms: Option<TimestampMs>,
    terminal_at_ms: Option<TimestampMs>,
    outcome: Option<&'static str>,
    error: Option<&'a AttemptError>,
    progress: Option<&'a Value>,
}

impl<'a> AttemptDocument<'a> {
    /// What a decision makes of the attempt.
    pub fn new(id: &ExecutionId, attempt: &'a Attempt) -> Self {
        Self {
            partition_key: id.partition(),
            execution_id: id.uuid(),
            attempt_index: attempt.attempt_index,
            worker_id: attempt.worker_id.as_ref().map(|id| id.as_str()),
            worker_instance_id: attempt.worker_instance_id.as_ref().map(|id| id.as_str()),
            lease_epoch: attempt.lease_epoch.0,
            lease_expires_at_ms: attempt.lease_expires_at,
            started_at_ms: attempt.started_at,
            terminal_at_ms: attempt.terminal_at,
            outcome: attempt.outcome.map(|outcome| outcome.as_str()),
            error: attempt.error.as_ref(),
            progress: attempt.progress.as_ref(),
        }
    }
}

/// An event to append. Its namespace, flow and instance tag are the execution's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventDocument {
    partition_key: u16,
    execution_id: Uuid,
    name: &'static str,
    occurred_at_ms: TimestampMs,
    details: Option<Value>,
}

impl EventDocument {
    /// `partition_key`
    pub fn partition_key(&self) -> u16 {
        self.partition_key
    }

    /// `execution_id`
    pub fn execution_id(&self) -> Uuid {
        self.execution_id
    }

    /// `outcome` or `event_type`
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `occurred_at_ms`
    pub fn occurred_at(&self) -> TimestampMs {
        self.occurred_at_ms
    }

    /// `details`
    pub fn details(&self) -> Option<&Value> {
        self.details.as_ref()
    }
}

/// The events of several decisions, by the table that they go to.
#[derive(Clone, Debug, Default)]
pub struct EventDocuments {
    /// For `ff_lease_event`.
    pub lease: Vec<EventDocument>,
    /// For `ff_completion_event`.
    pub completion: Vec<EventDocument>,
    /// For `ff_operator_event`.
    pub operator: Vec<EventDocument>,
}

impl EventDocuments {
    /// Adds the events of one execution.
    pub fn extend(&mut self, id: &ExecutionId, events: &[Event]) {
        for event in events {
            let (table, name, details) = match &event.kind {
                EventKind::Lease(event_type) => (&mut self.lease, event_type.as_str(), None),
                EventKind::Completion(outcome) => (&mut self.completion, outcome.as_str(), None),
                EventKind::Operator { event_type, details } => {
                    (&mut self.operator, event_type.as_str(), Some(details.clone()))
                }
            };
            table.push(EventDocument {
                partition_key: id.partition(),
                execution_id: id.uuid(),
                name,
                occurred_at_ms: event.occurred_at,
                details,
            });
        }
    }
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_lower_case_and_two_digits_a_byte() {
        assert_eq!(to_hex(&[0, 1, 0x9f, 0xff]), "00019fff");
        assert_eq!(to_hex(&[]), "");
    }

    #[test]
    fn a_key_names_columns() {
        let id = ExecutionId::from_parts(3, Uuid::from_u128(7));
        assert_eq!(
            to_parameter(&[KeyDocument::new(&id)]).unwrap(),
            r#"[{"partition_key":3,"execution_id":"00000000-0000-0000-0000-000000000007","attempt_index":null}]"#
        );
    }
}
