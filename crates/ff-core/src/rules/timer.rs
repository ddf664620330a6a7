//! What time makes due (TIME-1 to TIME-4, TIME-7).
//!
//! Each rule answers `None` when the execution is not due, so that a sweep may offer it any row.

use std::time::Duration;

use super::claim::is_due;
use super::execution::{
    Endings, after_failure, finished, given_back, make_eligible, with_public_state,
};
use super::lease::ended;
use crate::backend::FailureClass;
use crate::decision::{Decision, Event, Patch};
use crate::execution::{Attempt, AttemptError, Execution};
use crate::policy::TimeoutPolicy;
use crate::state::{
    AttemptOutcome, AttemptState, CompletionOutcome, EligibilityState, LeaseEventType,
    LifecyclePhase, OwnershipState,
};
use crate::types::TimestampMs;

/// Milliseconds after its creation for which an execution stays `submitted`.
pub const ADMISSION_AGE_MS: u64 = 1_000;
/// The word that an expired lease leaves on its attempt.
pub const LEASE_EXPIRED_MESSAGE: &str = "the lease expired";

/// Gives an execution whose lease has expired back to its lane, or fails it when that has happened
/// too often (TIME-1).
pub fn expire_lease(execution: &Execution, now: TimestampMs) -> Option<Decision<()>> {
    let open = open_attempt(execution)?;
    if open.lease_expires_at? > now {
        return None;
    }
    let error = AttemptError::new(FailureClass::InfraCrash, LEASE_EXPIRED_MESSAGE);
    let attempt = Attempt { error: Some(error), ..ended(open, AttemptOutcome::Interrupted, now) };
    let reclaim_count = execution.reclaim_count.saturating_add(1);
    let mut events = vec![Event::lease(now, LeaseEventType::Expired)];
    let mut execution = if reclaim_count > max_reclaim_count(execution) {
        events.push(Event::completion(now, CompletionOutcome::Failed));
        finished(execution, &attempt, now)
    } else {
        given_back(execution, AttemptState::AttemptInterrupted, None)
    };
    execution.reclaim_count = reclaim_count;
    Some(decide(execution, Some(attempt), events))
}

fn max_reclaim_count(execution: &Execution) -> u32 {
    timeout_policy(execution)
        .map_or(TimeoutPolicy::default().max_reclaim_count, |timeout| timeout.max_reclaim_count)
}

/// Makes a delayed execution that is due claimable on paper too (TIME-2), and admits one that was submitted
/// a while ago, so that operators can move it in its queue (OP-4).
pub fn promote_due(execution: &Execution, now: TimestampMs) -> Option<Decision<()>> {
    let is_eligible = match execution.eligibility_state {
        EligibilityState::EligibleNow => true,
        EligibilityState::NotEligibleUntilTime => is_due(execution, now),
        _ => return None,
    };
    let has_waited = execution.created_at.saturating_add_millis(ADMISSION_AGE_MS) < now;
    let lifecycle_phase = match execution.lifecycle_phase {
        LifecyclePhase::Submitted if has_waited => LifecyclePhase::Runnable,
        phase @ (LifecyclePhase::Submitted | LifecyclePhase::Runnable) => phase,
        _ => return None,
    };
    let is_promoted = execution.eligibility_state != EligibilityState::EligibleNow
        || lifecycle_phase != execution.lifecycle_phase;
    if !is_eligible || !is_promoted {
        return None;
    }
    let mut execution = Execution { lifecycle_phase, ..execution.clone() };
    make_eligible(&mut execution, None);
    Some(decide(with_public_state(execution, None), None, Vec::new()))
}

/// Ends an attempt that runs longer than its policy allows, as a failure of class `Timeout` (TIME-3).
pub fn time_out_attempt(execution: &Execution, now: TimestampMs) -> Option<Decision<()>> {
    let open = open_attempt(execution)?;
    let timeout_ms = timeout_policy(execution)?.attempt_timeout_ms?;
    if open.started_at?.saturating_add_millis(timeout_ms) > now {
        return None;
    }
    let error = AttemptError::new(
        FailureClass::Timeout,
        format!("the attempt ran longer than its policy's {timeout_ms} ms"),
    );
    let attempt = Attempt { error: Some(error), ..open.clone() };
    let endings =
        Endings { retried: AttemptOutcome::TimedOut, exhausted: AttemptOutcome::TimedOut };
    let Decision { patch, events, .. } = after_failure(execution, attempt, endings, now);
    Some(Decision { patch, events, outcome: () })
}

/// Ends an execution whose deadline has passed (TIME-4).
pub fn expire_deadline(execution: &Execution, now: TimestampMs) -> Option<Decision<()>> {
    if execution.is_finished() || execution.deadline_at? > now {
        return None;
    }
    let mut events = Vec::new();
    if execution.ownership_state == OwnershipState::Leased {
        events.push(Event::lease(now, LeaseEventType::Revoked));
    }
    events.push(Event::completion(now, CompletionOutcome::Expired));
    let current = execution
        .current_attempt
        .clone()
        .unwrap_or_else(|| Attempt::unclaimed(execution.attempt_index));
    let attempt = ended(&current, AttemptOutcome::Expired, now);
    let execution = finished(execution, &attempt, now);
    Some(decide(execution, Some(attempt), events))
}

/// Whether a finished execution is older than its namespace keeps it (TIME-7).
pub fn is_past_retention(execution: &Execution, retention: Duration, now: TimestampMs) -> bool {
    let millis = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    execution.is_finished()
        && execution
            .terminal_at
            .is_some_and(|terminal_at| terminal_at.saturating_add_millis(millis) <= now)
}

fn open_attempt(execution: &Execution) -> Option<&Attempt> {
    let attempt = execution.current_attempt.as_ref()?;
    let is_open = execution.lifecycle_phase == LifecyclePhase::Active && attempt.outcome.is_none();
    is_open.then_some(attempt)
}

fn timeout_policy(execution: &Execution) -> Option<&TimeoutPolicy> {
    execution.policy.as_ref()?.timeout_policy.as_ref()
}

fn decide(execution: Execution, attempt: Option<Attempt>, events: Vec<Event>) -> Decision<()> {
    let patch = Patch::new(execution, attempt);
    Decision { patch: Some(patch), events, outcome: () }
}

#[cfg(test)]
mod tests;
