use super::ExecutionContext;
use crate::backend::{CapabilitySet, ClaimPolicy, Handle};
use crate::types::LaneId;

/// Several executions to claim at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimBatchArgs {
    /// The lanes to take from. Their executions are ordered as one queue.
    pub lanes: Vec<LaneId>,
    /// What the worker offers.
    pub capabilities: CapabilitySet,
    /// Who claims, and for how long.
    pub policy: ClaimPolicy,
    /// How many to take at most; from 1 to [`CLAIM_BATCH_MAX`].
    pub max: u32,
}

/// Executions that one claim takes at most.
pub const CLAIM_BATCH_MAX: u32 = 1_000;

/// A claimed execution with what its handler needs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClaimedExecution {
    /// The proof of the lease.
    pub handle: Handle,
    /// What the handler needs.
    pub context: ExecutionContext,
}

impl ClaimedExecution {
    /// Joins a handle and what its handler needs.
    pub fn new(handle: Handle, context: ExecutionContext) -> Self {
        Self { handle, context }
    }

    /// Attempts so far, this one included.
    pub fn attempts(&self) -> u32 {
        self.handle.attempt_index().0.saturating_add(1)
    }
}
