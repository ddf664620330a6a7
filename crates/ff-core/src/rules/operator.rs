//! What operators do to executions (OP-1 to OP-6).

use serde_json::json;

use super::execution::{given_back, make_eligible, stopped, with_public_state};
use super::lease::ended;
use crate::backend::FailureClass;
use crate::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ChangePriorityResult,
    ReplayExecutionArgs, ReplayExecutionResult, RevokeLeaseArgs, RevokeLeaseResult,
};
use crate::decision::{Decision, Event, Patch, ResultChange};
use crate::engine_error::{ContentionKind, EngineError, StateKind};
use crate::execution::{Attempt, AttemptError, Execution};
use crate::policy::ExecutionPolicy;
use crate::state::{
    AttemptOutcome, AttemptState, CompletionOutcome, EligibilityState, LeaseEventType,
    LifecyclePhase, OperatorEventType, OwnershipState,
};
use crate::types::{CancelSource, LeaseEpoch, LeaseId, TimestampMs};

/// Cancels an execution, whoever holds it (OP-1, OP-2).
///
/// # Errors
/// `Contention(ExecutionNotActive)` when it has finished otherwise; `Validation { InvalidInput }` and
/// `State(StaleLease)` when the fence that its lease asks for is missing or not the present one.
pub fn cancel(
    execution: &Execution,
    args: &CancelExecutionArgs,
) -> Result<Decision<CancelExecutionResult>, EngineError> {
    match execution.lifecycle_phase {
        LifecyclePhase::Cancelled => return Ok(Decision::unchanged(cancelled_answer(execution))),
        LifecyclePhase::Terminal => {
            let outcome = execution.public_state;
            return Err(EngineError::Contention(ContentionKind::ExecutionNotActive { outcome }));
        }
        _ => check_fence(execution, args)?,
    }
    let attempt = running_attempt(execution)
        .map(|running| without_lease(running, Some(AttemptOutcome::Cancelled), args.now));
    let cancellation =
        Cancellation { source: args.source, reason: &args.reason, now: args.now, attempt };
    Ok(cancelled(execution, cancellation, cancelled_answer))
}

fn cancelled_answer(execution: &Execution) -> CancelExecutionResult {
    CancelExecutionResult::Cancelled {
        execution_id: execution.execution_id.clone(),
        public_state: execution.public_state,
    }
}

/// An operator needs no fence, and nobody does where there is no lease (OP-2).
fn check_fence(execution: &Execution, args: &CancelExecutionArgs) -> Result<(), EngineError> {
    if args.source == CancelSource::OperatorOverride
        || execution.ownership_state != OwnershipState::Leased
    {
        return Ok(());
    }
    let given = args.lease_epoch.ok_or_else(|| {
        EngineError::invalid_input(
            "lease_epoch: the execution is leased, and only an operator may cancel it without one",
        )
    })?;
    let present =
        execution.current_attempt.as_ref().map_or(LeaseEpoch::new(0), |it| it.lease_epoch);
    let lease_id = LeaseId::derive(&execution.execution_id, execution.attempt_index, present);
    if given != present || args.lease_id.is_some_and(|given| given != lease_id) {
        return Err(EngineError::State(StateKind::StaleLease));
    }
    Ok(())
}

/// What is done to an execution that is cancelled, by itself or with its flow.
pub(super) struct Cancellation<'a> {
    pub(super) source: CancelSource,
    pub(super) reason: &'a str,
    pub(super) now: TimestampMs,
    /// The current attempt, where it changes.
    pub(super) attempt: Option<Attempt>,
}

pub(super) fn cancelled<T>(
    execution: &Execution,
    cancellation: Cancellation<'_>,
    answer: impl FnOnce(&Execution) -> T,
) -> Decision<T> {
    let Cancellation { source, reason, now, attempt } = cancellation;
    let mut events = Vec::new();
    if execution.ownership_state == OwnershipState::Leased {
        events.push(Event::lease(now, LeaseEventType::Revoked));
    }
    events.push(Event::completion(now, CompletionOutcome::Cancelled));
    let current = attempt.clone().or_else(|| execution.current_attempt.clone());
    let mut execution = stopped(execution, LifecyclePhase::Cancelled, current, now);
    execution.cancelled_by = Some(source.as_str().to_owned());
    // PostgreSQL's text holds no NUL.
    execution.cancellation_reason = Some(reason.replace('\0', "\u{fffd}"));
    let outcome = answer(&execution);
    Decision { patch: Some(Patch::new(execution, attempt)), events, outcome }
}

/// Whether a worker may be running it.
pub(super) fn is_held(execution: &Execution) -> bool {
    execution.ownership_state == OwnershipState::Leased
        || execution.lifecycle_phase == LifecyclePhase::Active
}

/// The attempt that a worker may be running. The execution says whether one is: another program may have
/// claimed the attempt and left it the outcome that it had before.
pub(super) fn running_attempt(execution: &Execution) -> Option<&Attempt> {
    execution.current_attempt.as_ref().filter(|_| is_held(execution))
}

/// The attempt after its lease was taken: its epoch is raised, so that the old handle fails.
pub(super) fn without_lease(
    attempt: &Attempt,
    outcome: Option<AttemptOutcome>,
    now: TimestampMs,
) -> Attempt {
    Attempt {
        outcome,
        terminal_at: Some(now),
        lease_expires_at: None,
        lease_epoch: LeaseEpoch::new(attempt.lease_epoch.0.saturating_add(1)),
        ..attempt.clone()
    }
}

/// Takes the lease from its worker and gives the execution back to its lane (OP-3).
pub fn revoke(
    execution: &Execution,
    args: &RevokeLeaseArgs,
    now: TimestampMs,
) -> Decision<RevokeLeaseResult> {
    let leased = (execution.ownership_state == OwnershipState::Leased)
        .then(|| running_attempt(execution))
        .flatten();
    let Some((attempt, holder)) =
        leased.and_then(|attempt| Some((attempt, attempt.worker_instance_id.as_ref()?)))
    else {
        return already_satisfied("no_active_lease");
    };
    if *holder != args.worker_instance_id {
        return already_satisfied("different_worker_instance_id");
    }
    let lease_epoch = attempt.lease_epoch;
    let lease_id = LeaseId::derive(&execution.execution_id, attempt.attempt_index, lease_epoch);
    if args.expected_lease_id.is_some_and(|expected| expected != lease_id) {
        return already_satisfied("lease_id_mismatch");
    }
    let reason = args.reason.replace('\0', "\u{fffd}");
    let attempt = Attempt {
        error: Some(AttemptError::new(FailureClass::Cancelled, reason)),
        ..ended(attempt, AttemptOutcome::Interrupted, now)
    };
    let execution = given_back(execution, AttemptState::AttemptInterrupted, None);
    Decision {
        patch: Some(Patch::new(execution, Some(attempt))),
        events: vec![Event::lease(now, LeaseEventType::Revoked)],
        outcome: RevokeLeaseResult::Revoked { lease_id, lease_epoch },
    }
}

fn already_satisfied(reason: &str) -> Decision<RevokeLeaseResult> {
    Decision::unchanged(RevokeLeaseResult::AlreadySatisfied { reason: reason.to_owned() })
}

/// Moves a waiting execution in its queue (OP-4).
///
/// # Errors
/// `Contention(ExecutionNotEligible)` when it is not `runnable` and `eligible_now`.
pub fn change_priority(
    execution: &Execution,
    args: &ChangePriorityArgs,
) -> Result<Decision<ChangePriorityResult>, EngineError> {
    if execution.lifecycle_phase != LifecyclePhase::Runnable
        || execution.eligibility_state != EligibilityState::EligibleNow
    {
        return Err(EngineError::Contention(ContentionKind::ExecutionNotEligible));
    }
    let outcome = ChangePriorityResult::Changed { execution_id: execution.execution_id.clone() };
    if execution.priority == args.new_priority {
        return Ok(Decision::unchanged(outcome));
    }
    let details = json!({ "old": execution.priority, "new": args.new_priority });
    let changed = Execution { priority: args.new_priority, ..execution.clone() };
    Ok(Decision {
        patch: Some(Patch::new(changed, None)),
        events: vec![Event::operator(args.now, OperatorEventType::PriorityChanged, details)],
        outcome,
    })
}

/// Sets a finished execution to run again (OP-5, OP-6).
///
/// # Errors
/// `State(ExecutionNotTerminal)`, `State(MaxReplaysExhausted)`.
pub fn replay(
    execution: &Execution,
    args: &ReplayExecutionArgs,
) -> Result<Decision<ReplayExecutionResult>, EngineError> {
    if !execution.is_finished() {
        return Err(EngineError::State(StateKind::ExecutionNotTerminal));
    }
    if execution.replay_count >= max_replay_count(execution) {
        return Err(EngineError::State(StateKind::MaxReplaysExhausted));
    }
    let was_skipped = was_skipped_by_its_flow(execution);
    let replayed = replayed(execution, was_skipped, args.now);
    let branch = if was_skipped { "skipped_flow_member" } else { "finished" };
    let details = json!({ "branch": branch, "replay_count": replayed.replay_count });
    let outcome = ReplayExecutionResult::Replayed { public_state: replayed.public_state };
    Ok(Decision {
        patch: Some(Patch {
            result: ResultChange::Set(None),
            resets_edge_group: was_skipped,
            ..Patch::new(replayed, None)
        }),
        events: vec![Event::operator(args.now, OperatorEventType::Replayed, details)],
        outcome,
    })
}

fn max_replay_count(execution: &Execution) -> u32 {
    execution
        .policy
        .as_ref()
        .map_or(ExecutionPolicy::default().max_replay_count, |policy| policy.max_replay_count)
}

fn was_skipped_by_its_flow(execution: &Execution) -> bool {
    let outcome = execution.current_attempt.as_ref().and_then(|attempt| attempt.outcome);
    execution.flow_id.is_some() && outcome == Some(AttemptOutcome::Skipped)
}

fn replayed(execution: &Execution, was_skipped: bool, now: TimestampMs) -> Execution {
    let mut replayed = Execution {
        blocking_reason: None,
        cancellation_reason: None,
        cancelled_by: None,
        terminal_at: None,
        // A deadline that has passed would end the replay before it begins.
        deadline_at: execution.deadline_at.filter(|deadline| *deadline > now),
        retry_count: 0,
        replay_count: execution.replay_count.saturating_add(1),
        ..given_back(execution, AttemptState::PendingReplayAttempt, None)
    };
    make_eligible(&mut replayed, None);
    if was_skipped {
        replayed.eligibility_state = EligibilityState::BlockedByDependencies;
    }
    with_public_state(replayed, None)
}

#[cfg(test)]
mod tests;
