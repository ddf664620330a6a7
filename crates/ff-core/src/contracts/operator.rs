use crate::state::PublicState;
use crate::types::{
    AttemptId, CancelSource, ExecutionId, LaneId, LeaseEpoch, LeaseId, TimestampMs,
};

/// An execution to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub source: CancelSource,
    /// The lease that the caller holds; compared where an epoch is required.
    pub lease_id: Option<LeaseId>,
    /// Its epoch: required of every source but an operator when the execution is leased.
    pub lease_epoch: Option<LeaseEpoch>,
    /// Accepted and ignored: lease and epoch say which attempt.
    pub attempt_id: Option<AttemptId>,
    /// The time of cancellation.
    pub now: TimestampMs,
}

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelExecutionResult {
    /// It is cancelled, by this call or before.
    Cancelled {
        /// The execution.
        execution_id: ExecutionId,
        /// `Cancelled`.
        public_state: PublicState,
    },
}

/// A waiting execution to move in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePriorityArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its priority from now on.
    pub new_priority: i32,
    /// Ignored: the execution's own lane counts.
    pub lane_id: LaneId,
    /// The time of the change.
    pub now: TimestampMs,
}

/// What became of a change of priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangePriorityResult {
    /// It is stored.
    Changed {
        /// The execution.
        execution_id: ExecutionId,
    },
}

/// A finished execution to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayExecutionArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The time of the replay.
    pub now: TimestampMs,
}

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayExecutionResult {
    /// It waits again.
    Replayed {
        /// `Waiting`, or `WaitingChildren`.
        public_state: PublicState,
    },
}
