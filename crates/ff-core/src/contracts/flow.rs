use std::collections::HashMap;

use crate::state::PublicFlowState;
use crate::types::{ExecutionId, FlowId, Namespace, TimestampMs};

/// Flows on a page of [`ListFlowsArgs`] when no limit is given.
pub const LIST_FLOWS_DEFAULT_LIMIT: u32 = 1_000;
/// Flows on a page of [`ListFlowsArgs`], and members on a page of a flow's, at most.
pub const LIST_FLOWS_MAX_LIMIT: u32 = 10_000;

/// A flow to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateFlowArgs {
    /// Its id, minted by the caller, so that repeating the call is safe.
    pub flow_id: FlowId,
    /// What it is for.
    pub flow_kind: String,
    /// Whose it is.
    pub namespace: Namespace,
    /// Labels that it can be found by.
    pub tags: HashMap<String, String>,
    /// The time of creation.
    pub now: TimestampMs,
}

/// What became of a flow's creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateFlowResult {
    /// It is stored.
    Created {
        /// Its id.
        flow_id: FlowId,
    },
    /// It was there before; nothing was changed.
    Duplicate {
        /// Its id.
        flow_id: FlowId,
    },
}

/// An execution to make a member of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddExecutionToFlowArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// The execution.
    pub execution_id: ExecutionId,
    /// The time of the addition.
    pub now: TimestampMs,
}

/// What became of an addition to a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddExecutionToFlowResult {
    /// It is a member.
    Added {
        /// The flow's revision with it.
        graph_revision: u64,
    },
    /// It was a member before; nothing was changed.
    AlreadyMember {
        /// The flow's revision.
        graph_revision: u64,
    },
}

/// A flow as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FlowSnapshot {
    /// Its id.
    pub flow_id: FlowId,
    /// What it is for.
    pub flow_kind: String,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its labels.
    pub tags: HashMap<String, String>,
    /// Where it stands.
    pub public_flow_state: PublicFlowState,
    /// Rises with every member and edge.
    pub graph_revision: u64,
    /// When it was created.
    pub created_at: TimestampMs,
    /// When it finished.
    pub terminal_at: Option<TimestampMs>,
    /// How it was cancelled.
    pub cancellation_policy: Option<String>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
}

impl FlowSnapshot {
    /// A flow without kind, tags and members, to be changed.
    pub fn open(flow_id: FlowId, namespace: Namespace, created_at: TimestampMs) -> Self {
        Self {
            flow_id,
            flow_kind: String::new(),
            namespace,
            tags: HashMap::new(),
            public_flow_state: PublicFlowState::Open,
            graph_revision: 0,
            created_at,
            terminal_at: None,
            cancellation_policy: None,
            cancel_reason: None,
        }
    }
}

/// Which flows to list. Every field that is set narrows the choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFlowsArgs {
    /// Whose.
    pub namespace: Option<Namespace>,
    /// In which state.
    pub public_flow_state: Option<PublicFlowState>,
    /// Begin after this flow.
    pub after: Option<FlowsCursor>,
    /// Flows at most: [`LIST_FLOWS_DEFAULT_LIMIT`] when `None`, and never more than
    /// [`LIST_FLOWS_MAX_LIMIT`].
    pub limit: Option<u32>,
}

/// The last flow of a page: the next page begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowsCursor {
    /// When it was created.
    pub created_at: TimestampMs,
    /// Its id.
    pub flow_id: FlowId,
}

/// A page of flows, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct ListFlowsResult {
    /// The flows.
    pub flows: Vec<FlowSnapshot>,
    /// Where the next page begins; set only when this one is full.
    pub cursor: Option<FlowsCursor>,
}

/// A flow to cancel by the name of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelFlowArgs {
    /// The flow.
    pub flow_id: FlowId,
    /// Why.
    pub reason: String,
    /// `cancel_all`, `cancel_pending` or `flow_only`.
    pub cancellation_policy: String,
    /// The time of cancellation.
    pub now: TimestampMs,
}

/// What became of a cancellation by policy name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelFlowHeader {
    /// The flow is cancelled.
    Cancelled {
        /// The policy.
        cancellation_policy: String,
        /// The members that were cancelled with it.
        member_execution_ids: Vec<String>,
    },
    /// The flow had finished before; nothing was changed.
    AlreadyTerminal {
        /// The policy that it was cancelled with.
        stored_cancellation_policy: Option<String>,
        /// Why it was cancelled.
        stored_cancel_reason: Option<String>,
        /// The members whose workers have not let go yet.
        member_execution_ids: Vec<String>,
    },
}

/// What became of a flow's cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelFlowResult {
    /// The flow and the members that its policy names are cancelled.
    Cancelled {
        /// The policy.
        cancellation_policy: String,
        /// The members that were cancelled with it.
        member_execution_ids: Vec<String>,
    },
    /// The flow is cancelled; its members will be.
    CancellationScheduled {
        /// The policy.
        cancellation_policy: String,
        /// The members that will be cancelled.
        member_execution_ids: Vec<String>,
    },
    /// The flow and some of its members are cancelled.
    PartiallyCancelled {
        /// The policy.
        cancellation_policy: String,
        /// The members that were cancelled.
        member_execution_ids: Vec<String>,
        /// The members that could not be.
        failed_member_execution_ids: Vec<ExecutionId>,
    },
}
