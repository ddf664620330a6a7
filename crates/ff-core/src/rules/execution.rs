//! Creating and finishing an execution (EXEC-1, FIN-1 to FIN-5).

use super::lease::{Held, ended};
use super::retry::retry_delay_ms;
use crate::backend::{FailOutcome, FailureClass, FailureReason};
use crate::caps::CapabilityRequirement;
use crate::contracts::CreateExecutionArgs;
use crate::decision::{Decision, Event, Patch, ResultChange};
use crate::engine_error::{EngineError, StateKind};
use crate::execution::{Attempt, AttemptError, Execution, ExecutionKey};
use crate::state::{
    AttemptOutcome, AttemptState, CompletionOutcome, EligibilityState, LifecyclePhase,
    OwnershipState, derive_public_state,
};
use crate::types::{CancelSource, TimestampMs};

/// What a creation stores beside its payload and its idempotency key (EXEC-1).
#[derive(Clone, Debug, PartialEq)]
pub struct NewExecution {
    /// The execution.
    pub execution: Execution,
    /// What it requires of its worker.
    pub requirement: CapabilityRequirement,
}

/// The execution that checked arguments make.
pub fn create(args: &CreateExecutionArgs) -> NewExecution {
    let mut execution = Execution::submitted(ExecutionKey {
        execution_id: args.execution_id.clone(),
        lane_id: args.lane_id.clone(),
        namespace: args.namespace.clone(),
        created_at: args.now,
    });
    execution.execution_kind.clone_from(&args.execution_kind);
    execution.creator_identity.clone_from(&args.creator_identity);
    execution.tags.clone_from(&args.tags);
    execution.policy.clone_from(&args.policy);
    execution.priority = args.priority;
    execution.deadline_at = deadline(args);
    make_eligible(&mut execution, args.delay_until.filter(|until| *until > args.now));
    let requirement = args
        .policy
        .as_ref()
        .and_then(|policy| policy.routing_requirements.as_ref())
        .map(|routing| CapabilityRequirement::new(routing.required_capabilities.iter().cloned()))
        .unwrap_or_default();
    NewExecution { execution: with_public_state(execution, None), requirement }
}

fn deadline(args: &CreateExecutionArgs) -> Option<TimestampMs> {
    let from_policy = args
        .policy
        .as_ref()
        .and_then(|policy| policy.timeout_policy.as_ref())
        .and_then(|timeout| timeout.execution_deadline_ms)
        .map(|millis| args.now.saturating_add_millis(millis));
    [args.execution_deadline_at, from_policy].into_iter().flatten().min()
}

/// Ends a lease with success (FIN-1, FIN-5). `stored_result` is the execution's result by now.
///
/// # Errors
/// As [`Held::live_attempt`].
pub fn complete(
    held: Held<'_>,
    stored_result: Option<&[u8]>,
    result: Option<Vec<u8>>,
) -> Result<Decision<()>, EngineError> {
    let attempt = held.fenced_attempt()?;
    if attempt.outcome == Some(AttemptOutcome::Success) {
        return if stored_result == result.as_deref() {
            Ok(Decision::unchanged(()))
        } else {
            Err(EngineError::State(StateKind::AttemptAlreadyTerminal))
        };
    }
    let attempt = ended(held.live_attempt()?, AttemptOutcome::Success, held.now);
    let execution = finished(held.execution, &attempt, held.now);
    Ok(Decision {
        patch: Some(Patch {
            result: ResultChange::Set(result),
            ..Patch::new(execution, Some(attempt))
        }),
        events: vec![Event::completion(held.now, CompletionOutcome::Success)],
        outcome: (),
    })
}

/// Ends a lease with a failure (FIN-2, FIN-3, FIN-5).
///
/// # Errors
/// As [`Held::live_attempt`].
pub fn fail(
    held: Held<'_>,
    reason: &FailureReason,
    class: FailureClass,
) -> Result<Decision<FailOutcome>, EngineError> {
    let error = attempt_error(reason, class);
    let attempt = held.fenced_attempt()?;
    if let Some(outcome) = same_failure(attempt, &error) {
        return Ok(Decision::unchanged(outcome));
    }
    let attempt = Attempt { error: Some(error), ..held.live_attempt()?.clone() };
    if class == FailureClass::Cancelled {
        return Ok(give_up(held, &attempt, reason));
    }
    let endings = Endings { retried: AttemptOutcome::Retry, exhausted: AttemptOutcome::Failed };
    Ok(after_failure(held.execution, attempt, endings, held.now))
}

fn attempt_error(reason: &FailureReason, class: FailureClass) -> AttemptError {
    // PostgreSQL's jsonb holds no NUL.
    let mut error = AttemptError::new(class, reason.message.replace('\0', "\u{fffd}"));
    error.detail_hex = reason.detail.as_deref().map(to_hex);
    error
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn same_failure(attempt: &Attempt, error: &AttemptError) -> Option<FailOutcome> {
    let stored = attempt.error.as_ref()?;
    let same = AttemptError { retry_at_ms: None, ..stored.clone() } == *error;
    match attempt.outcome? {
        AttemptOutcome::Retry if same => {
            Some(FailOutcome::RetryScheduled { delay_until: stored.retry_at_ms? })
        }
        AttemptOutcome::Failed | AttemptOutcome::Cancelled if same => {
            Some(FailOutcome::TerminalFailed)
        }
        _ => None,
    }
}

fn give_up(held: Held<'_>, attempt: &Attempt, reason: &FailureReason) -> Decision<FailOutcome> {
    let attempt = ended(attempt, AttemptOutcome::Cancelled, held.now);
    let mut execution = finished(held.execution, &attempt, held.now);
    execution.cancelled_by = Some(CancelSource::LeaseHolder.as_str().to_owned());
    execution.cancellation_reason = Some(reason.message.replace('\0', "\u{fffd}"));
    Decision {
        patch: Some(Patch::new(execution, Some(attempt))),
        events: vec![Event::completion(held.now, CompletionOutcome::Cancelled)],
        outcome: FailOutcome::TerminalFailed,
    }
}

/// How an attempt that failed is marked.
pub(super) struct Endings {
    /// When another follows.
    pub(super) retried: AttemptOutcome,
    /// When none does.
    pub(super) exhausted: AttemptOutcome,
}

/// Schedules another attempt while the budget lasts, and finishes the execution otherwise. The
/// attempt's error says what kind of failure it was.
pub(super) fn after_failure(
    execution: &Execution,
    mut attempt: Attempt,
    endings: Endings,
    now: TimestampMs,
) -> Decision<FailOutcome> {
    let class = attempt.error.as_ref().map_or(FailureClass::InfraCrash, |error| error.class);
    let Some(delay_ms) = retry_delay_ms(execution, class) else {
        let attempt = ended(&attempt, endings.exhausted, now);
        let execution = finished(execution, &attempt, now);
        return Decision {
            patch: Some(Patch::new(execution, Some(attempt))),
            events: vec![Event::completion(now, CompletionOutcome::Failed)],
            outcome: FailOutcome::TerminalFailed,
        };
    };
    let delay_until = now.saturating_add_millis(delay_ms);
    if let Some(error) = &mut attempt.error {
        error.retry_at_ms = Some(delay_until);
    }
    let eligible_at = (delay_ms > 0).then_some(delay_until);
    let mut execution = given_back(execution, AttemptState::PendingRetryAttempt, eligible_at);
    execution.retry_count = execution.retry_count.saturating_add(1);
    let attempt = ended(&attempt, endings.retried, now);
    Decision {
        patch: Some(Patch::new(execution, Some(attempt))),
        events: Vec::new(),
        outcome: FailOutcome::RetryScheduled { delay_until },
    }
}

/// The execution after its last attempt has ended.
pub(super) fn finished(execution: &Execution, attempt: &Attempt, now: TimestampMs) -> Execution {
    let lifecycle_phase = match attempt.outcome {
        Some(AttemptOutcome::Cancelled) => LifecyclePhase::Cancelled,
        _ => LifecyclePhase::Terminal,
    };
    stopped(execution, lifecycle_phase, Some(attempt.clone()), now)
}

/// The execution in a phase that nothing but a replay leaves, with its last attempt, if it had one.
pub(super) fn stopped(
    execution: &Execution,
    lifecycle_phase: LifecyclePhase,
    current_attempt: Option<Attempt>,
    now: TimestampMs,
) -> Execution {
    let outcome = current_attempt.as_ref().and_then(|attempt| attempt.outcome);
    let execution = Execution {
        lifecycle_phase,
        ownership_state: OwnershipState::Unowned,
        eligibility_state: EligibilityState::NotApplicable,
        attempt_state: AttemptState::AttemptTerminal,
        blocking_reason: None,
        terminal_at: Some(now),
        eligible_at: None,
        current_attempt,
        ..execution.clone()
    };
    with_public_state(execution, outcome)
}

/// The execution back in its lane, before another attempt.
pub(super) fn given_back(
    execution: &Execution,
    attempt_state: AttemptState,
    eligible_at: Option<TimestampMs>,
) -> Execution {
    let mut execution = Execution {
        lifecycle_phase: LifecyclePhase::Runnable,
        ownership_state: OwnershipState::Unowned,
        attempt_state,
        attempt_index: execution.attempt_index.next(),
        current_attempt: None,
        ..execution.clone()
    };
    make_eligible(&mut execution, eligible_at);
    with_public_state(execution, None)
}

/// Claimable from `eligible_at` on, or at once.
pub(super) fn make_eligible(execution: &mut Execution, eligible_at: Option<TimestampMs>) {
    execution.eligible_at = eligible_at;
    execution.eligibility_state = match eligible_at {
        Some(_) => EligibilityState::NotEligibleUntilTime,
        None => EligibilityState::EligibleNow,
    };
}

/// The execution with the public state that its other words derive (STATE-1).
pub(super) fn with_public_state(
    mut execution: Execution,
    outcome: Option<AttemptOutcome>,
) -> Execution {
    let derived =
        derive_public_state(execution.lifecycle_phase, execution.eligibility_state, outcome);
    if let Some(public_state) = derived {
        execution.public_state = public_state;
    }
    execution
}

#[cfg(test)]
mod tests;
