//! Which execution is claimed next, and what its claim makes of it (CLAIM-1 to CLAIM-4).

use std::cmp::Reverse;

use uuid::Uuid;

use super::execution::with_public_state;
use crate::backend::{ClaimPolicy, HandleKind, HandleLease};
use crate::decision::{Decision, Event, Patch};
use crate::engine_error::{ContentionKind, EngineError};
use crate::execution::{Attempt, Execution};
use crate::state::{
    AttemptState, EligibilityState, LeaseEventType, LifecyclePhase, OwnershipState,
};
use crate::types::{AttemptIndex, LeaseEpoch, TimestampMs};

/// Whether an execution stands in its lane's queue: it can be claimed now, or from its time on.
pub fn is_queued(execution: &Execution) -> bool {
    let waits =
        matches!(execution.lifecycle_phase, LifecyclePhase::Submitted | LifecyclePhase::Runnable);
    waits
        && matches!(
            execution.eligibility_state,
            EligibilityState::EligibleNow | EligibilityState::NotEligibleUntilTime
        )
}

/// Whether an execution can be claimed now by a worker that has its capabilities.
pub fn is_claimable(execution: &Execution, now: TimestampMs) -> bool {
    let is_held_back = execution.eligibility_state == EligibilityState::NotEligibleUntilTime;
    is_queued(execution) && (!is_held_back || is_due(execution, now))
}

pub(super) fn is_due(execution: &Execution, now: TimestampMs) -> bool {
    execution.eligible_at.is_some_and(|eligible_at| eligible_at <= now)
}

/// The order in which a lane's executions are claimed: the least first.
pub type QueuePosition = (Reverse<i32>, TimestampMs, Uuid, u16);

/// Where an execution stands in its lane: highest priority first, then oldest.
pub fn queue_position(execution: &Execution) -> QueuePosition {
    let id = &execution.execution_id;
    (Reverse(execution.priority), execution.created_at, id.uuid(), id.partition())
}

/// Gives the execution's lease to a worker.
///
/// # Errors
/// `Contention(ExecutionNotEligible)` when it cannot be claimed now.
pub fn grant(
    execution: &Execution,
    policy: &ClaimPolicy,
    now: TimestampMs,
) -> Result<Decision<HandleLease>, EngineError> {
    if !is_claimable(execution, now) {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotEligible));
    }
    let attempt = leased(execution, policy, now);
    let outcome = HandleLease {
        attempt_index: attempt.attempt_index,
        lease_epoch: attempt.lease_epoch,
        worker_instance_id: policy.worker_instance_id.clone(),
        lease_ttl_ms: policy.lease_ttl_ms,
        kind: handle_kind(attempt.attempt_index, attempt.lease_epoch),
    };
    let execution = Execution {
        lifecycle_phase: LifecyclePhase::Active,
        ownership_state: OwnershipState::Leased,
        eligibility_state: EligibilityState::NotApplicable,
        attempt_state: AttemptState::RunningAttempt,
        blocking_reason: None,
        eligible_at: None,
        started_at: execution.started_at.or(Some(now)),
        current_attempt: Some(attempt.clone()),
        ..execution.clone()
    };
    Ok(Decision {
        patch: Some(Patch::new(with_public_state(execution, None), Some(attempt))),
        events: vec![Event::lease(now, LeaseEventType::Acquired)],
        outcome,
    })
}

fn leased(execution: &Execution, policy: &ClaimPolicy, now: TimestampMs) -> Attempt {
    let prior_epoch = execution.current_attempt.as_ref().map_or(0, |attempt| attempt.lease_epoch.0);
    Attempt {
        worker_id: Some(policy.worker_id.clone()),
        worker_instance_id: Some(policy.worker_instance_id.clone()),
        lease_epoch: LeaseEpoch::new(prior_epoch.saturating_add(1)),
        lease_expires_at: Some(now.saturating_add_millis(u64::from(policy.lease_ttl_ms))),
        started_at: Some(now),
        ..Attempt::unclaimed(execution.attempt_index)
    }
}

/// How the claim that gave this lease came about.
pub fn handle_kind(attempt_index: AttemptIndex, epoch: LeaseEpoch) -> HandleKind {
    if attempt_index.0 == 0 && epoch.0 <= 1 { HandleKind::Fresh } else { HandleKind::Reattempt }
}

#[cfg(test)]
mod tests;
