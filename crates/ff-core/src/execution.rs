//! What a store holds of an execution and of its attempts: what the rules read.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backend::FailureClass;
use crate::policy::ExecutionPolicy;
use crate::state::{
    AttemptOutcome, AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState,
};
use crate::types::{
    AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseId, Namespace, TimestampMs,
    WorkerId, WorkerInstanceId,
};

/// An execution with its current attempt, without its payload and its result.
///
/// Its JSON is for stores that keep it whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Execution {
    /// Its id.
    pub execution_id: ExecutionId,
    /// The flow that it is a member of.
    pub flow_id: Option<FlowId>,
    /// The lane that it waits in.
    pub lane_id: LaneId,
    /// Whose it is.
    pub namespace: Namespace,
    /// What handles it.
    pub execution_kind: String,
    /// Who created it.
    pub creator_identity: String,
    /// Labels that it can be found by.
    pub tags: HashMap<String, String>,
    /// What it asks of the engine. `None` is [`ExecutionPolicy::default`].
    pub policy: Option<ExecutionPolicy>,
    /// Claimed before executions with a lower one.
    pub priority: i32,
    /// When it was created.
    pub created_at: TimestampMs,
    /// When it expires unless it has finished.
    pub deadline_at: Option<TimestampMs>,
    /// Where it stands in its life.
    pub lifecycle_phase: LifecyclePhase,
    /// Whether a worker holds it.
    pub ownership_state: OwnershipState,
    /// Whether it may be claimed.
    pub eligibility_state: EligibilityState,
    /// Where its current attempt stands.
    pub attempt_state: AttemptState,
    /// What a user is told.
    pub public_state: PublicState,
    /// What holds it back.
    pub blocking_reason: Option<String>,
    /// Why it was cancelled.
    pub cancellation_reason: Option<String>,
    /// Who cancelled it.
    pub cancelled_by: Option<String>,
    /// When it was first claimed.
    pub started_at: Option<TimestampMs>,
    /// When it finished.
    pub terminal_at: Option<TimestampMs>,
    /// When it becomes claimable, if it is delayed.
    pub eligible_at: Option<TimestampMs>,
    /// Retries since it was created or last replayed.
    pub retry_count: u32,
    /// Leases of it that expired.
    pub reclaim_count: u32,
    /// How often it was replayed.
    pub replay_count: u32,
    /// The position of its current attempt, or of the next one where none runs.
    pub attempt_index: AttemptIndex,
    /// The attempt at that position, once it has been claimed.
    pub current_attempt: Option<Attempt>,
}

/// What [`describe_execution`](crate::engine_backend::EngineBackend::describe_execution) answers.
pub type ExecutionSnapshot = Execution;

/// One attempt at an execution.
///
/// Its JSON is for stores that keep it whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Its position in the execution's history.
    pub attempt_index: AttemptIndex,
    /// The worker that ran it.
    pub worker_id: Option<WorkerId>,
    /// The process that ran it.
    pub worker_instance_id: Option<WorkerInstanceId>,
    /// Leases given on it so far.
    pub lease_epoch: LeaseEpoch,
    /// When its lease expires, while it has one.
    pub lease_expires_at: Option<TimestampMs>,
    /// When its lease was given.
    pub started_at: Option<TimestampMs>,
    /// When it ended.
    pub terminal_at: Option<TimestampMs>,
    /// How it ended.
    pub outcome: Option<AttemptOutcome>,
    /// What went wrong.
    pub error: Option<AttemptError>,
    /// What its handler last reported.
    pub progress: Option<Value>,
}

/// What went wrong in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptError {
    /// What kind of failure it was.
    pub class: FailureClass,
    /// A sentence.
    pub message: String,
    /// Anything more, in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_hex: Option<String>,
    /// When the retry that followed became claimable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<TimestampMs>,
}

/// The data of an [`Execution`] that a store cannot default.
#[derive(Clone, Debug)]
pub struct ExecutionKey {
    /// Its id.
    pub execution_id: ExecutionId,
    /// The lane that it waits in.
    pub lane_id: LaneId,
    /// Whose it is.
    pub namespace: Namespace,
    /// When it was created.
    pub created_at: TimestampMs,
}

impl Execution {
    /// A submitted, claimable execution; everything that the key does not say is the store's default.
    pub fn submitted(key: ExecutionKey) -> Self {
        Self {
            execution_id: key.execution_id,
            flow_id: None,
            lane_id: key.lane_id,
            namespace: key.namespace,
            execution_kind: String::new(),
            creator_identity: String::new(),
            tags: HashMap::new(),
            policy: None,
            priority: 0,
            created_at: key.created_at,
            deadline_at: None,
            lifecycle_phase: LifecyclePhase::Submitted,
            ownership_state: OwnershipState::Unowned,
            eligibility_state: EligibilityState::EligibleNow,
            attempt_state: AttemptState::Pending,
            public_state: PublicState::Waiting,
            blocking_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            started_at: None,
            terminal_at: None,
            eligible_at: None,
            retry_count: 0,
            reclaim_count: 0,
            replay_count: 0,
            attempt_index: AttemptIndex::new(0),
            current_attempt: None,
        }
    }

    /// Whether it has finished and nothing but a replay can move it.
    pub fn is_finished(&self) -> bool {
        self.lifecycle_phase.is_finished()
    }

    /// The lease that its current attempt is under.
    pub fn lease(&self) -> Option<Lease> {
        if self.ownership_state != OwnershipState::Leased {
            return None;
        }
        let attempt = self.current_attempt.as_ref().filter(|attempt| attempt.outcome.is_none())?;
        Some(Lease {
            lease_id: LeaseId::derive(
                &self.execution_id,
                attempt.attempt_index,
                attempt.lease_epoch,
            ),
            epoch: attempt.lease_epoch,
            worker_instance_id: attempt.worker_instance_id.clone()?,
            expires_at: attempt.lease_expires_at?,
        })
    }
}

impl Attempt {
    /// An attempt that nobody has claimed.
    pub fn unclaimed(attempt_index: AttemptIndex) -> Self {
        Self {
            attempt_index,
            worker_id: None,
            worker_instance_id: None,
            lease_epoch: LeaseEpoch::new(0),
            lease_expires_at: None,
            started_at: None,
            terminal_at: None,
            outcome: None,
            error: None,
            progress: None,
        }
    }
}

impl AttemptError {
    /// A failure without detail.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail_hex: None, retry_at_ms: None }
    }
}

/// The lease that an execution is under.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Its id.
    pub lease_id: LeaseId,
    /// Its epoch.
    pub epoch: LeaseEpoch,
    /// The process that holds it.
    pub worker_instance_id: WorkerInstanceId,
    /// When it expires.
    pub expires_at: TimestampMs,
}
