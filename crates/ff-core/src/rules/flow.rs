//! Flows: their members, and their cancellation (FLOW-1 to FLOW-5, FLOW-8).

use serde_json::json;

use super::operator::{Cancellation, cancelled, is_held, running_attempt, without_lease};
use crate::backend::CancelFlowPolicy;
use crate::contracts::{
    AddExecutionToFlowResult, CancelFlowArgs, CancelFlowHeader, CancelFlowResult, CreateFlowArgs,
    FlowSnapshot,
};
use crate::decision::{Decision, Event};
use crate::engine_error::{ConflictKind, EngineError, StateKind};
use crate::execution::{Attempt, Execution};
use crate::state::{OperatorEventType, PublicFlowState};
use crate::types::{CancelSource, ExecutionId, TimestampMs};

/// The reason that is stored when a flow is cancelled without one.
pub const NO_REASON_GIVEN: &str = "the flow was cancelled";

/// The flow that checked arguments make (FLOW-1).
pub fn create(args: &CreateFlowArgs) -> FlowSnapshot {
    FlowSnapshot {
        flow_kind: args.flow_kind.clone(),
        tags: args.tags.clone(),
        ..FlowSnapshot::open(args.flow_id, args.namespace.clone(), args.now)
    }
}

/// Makes an execution a member (FLOW-1, FLOW-4). It is stored only when it is `Added`, with the revision
/// that is answered. `members_at` is the partition that a store keeps the flow's members in, if it keeps
/// them in one.
///
/// # Errors
/// `Conflict(ExecutionAlreadyInFlow)`, `State(FlowAlreadyTerminal)`, or `Validation { InvalidInput }` for an
/// execution of another partition.
pub fn add_member(
    flow: &FlowSnapshot,
    execution: &Execution,
    members_at: Option<u16>,
) -> Result<AddExecutionToFlowResult, EngineError> {
    match execution.flow_id {
        Some(flow_id) if flow_id == flow.flow_id => {
            let graph_revision = flow.graph_revision;
            return Ok(AddExecutionToFlowResult::AlreadyMember { graph_revision });
        }
        Some(_) => return Err(EngineError::Conflict(ConflictKind::ExecutionAlreadyInFlow)),
        None => {}
    }
    if flow.public_flow_state != PublicFlowState::Open {
        return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
    }
    let partition = execution.execution_id.partition();
    if let Some(home) = members_at.filter(|home| *home != partition) {
        return Err(EngineError::invalid_input(format!(
            "execution_id: it lies in partition {partition}, and the flow's members lie in {home}; mint it \
             with ExecutionId::for_flow"
        )));
    }
    Ok(AddExecutionToFlowResult::Added { graph_revision: flow.graph_revision.saturating_add(1) })
}

/// How, why and when a flow is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowCancellation {
    /// Which members are cancelled with it.
    pub policy: CancelFlowPolicy,
    /// Why.
    pub reason: String,
    /// When.
    pub now: TimestampMs,
}

impl FlowCancellation {
    /// A cancellation for which no reason was given.
    pub fn new(policy: CancelFlowPolicy, now: TimestampMs) -> Self {
        Self { policy, reason: NO_REASON_GIVEN.to_owned(), now }
    }

    /// Whether it leaves every member as it is, so that none need be read, or be readable (FLOW-4).
    pub fn spares_all(&self) -> bool {
        self.policy == CancelFlowPolicy::FlowOnly
    }

    /// A cancellation by policy name (FLOW-5).
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for another name.
    pub fn by_name(args: &CancelFlowArgs) -> Result<Self, EngineError> {
        let policy = args.cancellation_policy.parse().map_err(|_| {
            let names: Vec<_> = CancelFlowPolicy::ALL.iter().map(|it| it.as_str()).collect();
            EngineError::invalid_input(format!(
                "cancellation_policy: {:?} is none of {}",
                args.cancellation_policy,
                names.join(", ")
            ))
        })?;
        // PostgreSQL's text holds no NUL.
        Ok(Self { policy, reason: args.reason.replace('\0', "\u{fffd}"), now: args.now })
    }
}

/// The flow as it is cancelled; `None` when it has finished already (FLOW-2).
pub fn cancel(flow: &FlowSnapshot, cancellation: &FlowCancellation) -> Option<FlowSnapshot> {
    if flow.public_flow_state != PublicFlowState::Open {
        return None;
    }
    Some(FlowSnapshot {
        public_flow_state: PublicFlowState::Cancelled,
        terminal_at: Some(cancellation.now),
        cancellation_policy: Some(cancellation.policy.as_str().to_owned()),
        cancel_reason: Some(cancellation.reason.clone()),
        ..flow.clone()
    })
}

/// Who held a member that is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whether a worker may be running it.
    pub is_held: bool,
    /// When its lease would have ended; the time of the cancellation where there was none. From then on nobody is
    /// waited for (TIME-6).
    pub ends_at: TimestampMs,
}

/// What is done to a member; `None` where the policy leaves it as it is (FLOW-2 to FLOW-4).
pub fn cancel_member(
    execution: &Execution,
    cancellation: &FlowCancellation,
) -> Option<Decision<Hold>> {
    let is_held = is_held(execution);
    let is_spared = match cancellation.policy {
        CancelFlowPolicy::CancelAll => false,
        CancelFlowPolicy::CancelPending => is_held,
        CancelFlowPolicy::FlowOnly => true,
    };
    if is_spared || execution.is_finished() {
        return None;
    }
    let change = Cancellation {
        source: CancelSource::Flow,
        reason: &cancellation.reason,
        now: cancellation.now,
        attempt: without_outcome(execution, cancellation.now),
    };
    let lease_end = running_attempt(execution).and_then(|attempt| attempt.lease_expires_at);
    let hold = Hold { is_held, ends_at: lease_end.unwrap_or(cancellation.now) };
    Some(cancelled(execution, change, |_| hold))
}

/// The current attempt without an outcome: a stale one, such as that of a failure before, would tell readers
/// that its end decided the member's (FLOW-3).
fn without_outcome(execution: &Execution, now: TimestampMs) -> Option<Attempt> {
    if let Some(running) = running_attempt(execution) {
        return Some(without_lease(running, None, now));
    }
    let attempt = execution.current_attempt.as_ref()?;
    Some(Attempt {
        outcome: None,
        terminal_at: attempt.terminal_at.or(Some(now)),
        lease_expires_at: None,
        ..attempt.clone()
    })
}

/// What a caller is told of the members of a flow that it has cancelled.
pub fn cancelled_result(
    policy: String,
    cancelled: Vec<String>,
    unreadable: Vec<ExecutionId>,
) -> CancelFlowResult {
    if unreadable.is_empty() {
        let (cancellation_policy, member_execution_ids) = (policy, cancelled);
        return CancelFlowResult::Cancelled { cancellation_policy, member_execution_ids };
    }
    CancelFlowResult::PartiallyCancelled {
        cancellation_policy: policy,
        member_execution_ids: cancelled,
        failed_member_execution_ids: unreadable,
    }
}

/// The policy that a finished flow was cancelled with, for who cancels it again (FLOW-2, SAFE-3).
///
/// # Errors
/// `State(FlowAlreadyTerminal)` when it finished otherwise.
pub fn repeated_cancel(flow: &FlowSnapshot) -> Result<String, EngineError> {
    if flow.public_flow_state != PublicFlowState::Cancelled {
        return Err(EngineError::State(StateKind::FlowAlreadyTerminal));
    }
    Ok(flow.cancellation_policy.clone().unwrap_or_default())
}

/// What a caller is told of a flow that had finished before; `members` are those of the backlog (FLOW-5).
pub fn repeated_header(flow: &FlowSnapshot, members: Vec<String>) -> CancelFlowHeader {
    CancelFlowHeader::AlreadyTerminal {
        stored_cancellation_policy: flow.cancellation_policy.clone(),
        stored_cancel_reason: flow.cancel_reason.clone(),
        member_execution_ids: members,
    }
}

/// The operator event of a cancellation by policy name (FLOW-5).
pub fn cancel_requested(cancellation: &FlowCancellation, members: usize) -> Event {
    let details = json!({
        "cancellation_policy": cancellation.policy.as_str(),
        "reason": cancellation.reason,
        "members": members,
    });
    Event::operator(cancellation.now, OperatorEventType::FlowCancelRequested, details)
}

#[cfg(test)]
mod tests;
