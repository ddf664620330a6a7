//! Who holds an execution, and for how long (LEASE-1 to LEASE-3, FIN-6, SAFE-6).

use serde_json::Value;

use super::execution::given_back;
use crate::backend::{FailureClass, Handle, LeaseRenewal};
use crate::decision::{Decision, Event, Patch};
use crate::engine_error::{ContentionKind, EngineError, StateKind};
use crate::execution::{Attempt, Execution};
use crate::state::{AttemptOutcome, AttemptState, LeaseEventType, LifecyclePhase};
use crate::types::TimestampMs;

/// A call by handle: what is stored, the handle, and the time.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The execution that the handle names.
    pub execution: &'a Execution,
    /// The attempt that the handle names, which need not be the current one.
    pub attempt: Option<&'a Attempt>,
    /// The handle.
    pub handle: &'a Handle,
    /// The time.
    pub now: TimestampMs,
}

impl<'a> Held<'a> {
    /// The handle's attempt, if the handle's lease is the last one that was given on it.
    ///
    /// # Errors
    /// `Contention(LeaseConflict)`.
    pub fn fenced_attempt(&self) -> Result<&'a Attempt, EngineError> {
        self.attempt
            .filter(|attempt| {
                attempt.attempt_index == self.handle.attempt_index()
                    && attempt.lease_epoch == self.handle.lease_epoch()
                    && attempt.worker_instance_id.as_ref() == Some(self.handle.worker_instance_id())
            })
            .ok_or(EngineError::Contention(ContentionKind::LeaseConflict))
    }

    /// The handle's attempt, if the handle's lease holds now (SAFE-6).
    ///
    /// # Errors
    /// `Contention(LeaseConflict)`, `State(LeaseExpired)` or `State(AttemptAlreadyTerminal)`.
    pub fn live_attempt(&self) -> Result<&'a Attempt, EngineError> {
        let attempt = self.fenced_attempt()?;
        match attempt.outcome {
            None => {}
            Some(AttemptOutcome::Interrupted) if was_lost_to_time(attempt) => {
                return Err(EngineError::State(StateKind::LeaseExpired));
            }
            Some(AttemptOutcome::Interrupted | AttemptOutcome::Released) => {
                return Err(EngineError::Contention(ContentionKind::LeaseConflict));
            }
            Some(_) => return Err(EngineError::State(StateKind::AttemptAlreadyTerminal)),
        }
        let is_current = self.execution.lifecycle_phase == LifecyclePhase::Active
            && self.execution.attempt_index == attempt.attempt_index;
        if !is_current {
            return Err(EngineError::Contention(ContentionKind::LeaseConflict));
        }
        if attempt.lease_expires_at.is_none_or(|expires_at| expires_at <= self.now) {
            return Err(EngineError::State(StateKind::LeaseExpired));
        }
        Ok(attempt)
    }
}

/// An expired lease is told apart from a revoked one by the crash that ended it.
fn was_lost_to_time(attempt: &Attempt) -> bool {
    attempt.error.as_ref().is_some_and(|error| error.class == FailureClass::InfraCrash)
}

/// Moves the lease's expiry to the time now plus its time to live (LEASE-3).
///
/// # Errors
/// As [`Held::live_attempt`].
pub fn renew(held: Held<'_>) -> Result<Decision<LeaseRenewal>, EngineError> {
    let mut attempt = held.live_attempt()?.clone();
    let expires_at = held.now.saturating_add_millis(u64::from(held.handle.lease_ttl_ms()));
    attempt.lease_expires_at = Some(expires_at);
    let outcome = LeaseRenewal { expires_at, lease_epoch: attempt.lease_epoch };
    Ok(Decision { patch: Some(keeping(held.execution, attempt)), events: Vec::new(), outcome })
}

/// Stores what the handler reports of its progress; JSON null takes an earlier report back.
///
/// # Errors
/// As [`Held::live_attempt`].
pub fn progress(held: Held<'_>, progress: Value) -> Result<Decision<()>, EngineError> {
    let mut attempt = held.live_attempt()?.clone();
    attempt.progress = Some(progress).filter(|progress| !progress.is_null());
    Ok(Decision { patch: Some(keeping(held.execution, attempt)), events: Vec::new(), outcome: () })
}

/// Gives the lease back; the execution can be claimed from `until` on (FIN-6).
///
/// # Errors
/// As [`Held::live_attempt`].
pub fn delay(held: Held<'_>, until: TimestampMs) -> Result<Decision<()>, EngineError> {
    let attempt = ended(held.live_attempt()?, AttemptOutcome::Released, held.now);
    let execution = given_back(held.execution, AttemptState::AttemptInterrupted, Some(until));
    Ok(Decision {
        patch: Some(Patch::new(execution, Some(attempt))),
        events: vec![Event::lease(held.now, LeaseEventType::Released)],
        outcome: (),
    })
}

/// The attempt with its outcome, and without its lease.
pub(super) fn ended(attempt: &Attempt, outcome: AttemptOutcome, now: TimestampMs) -> Attempt {
    Attempt {
        outcome: Some(outcome),
        terminal_at: Some(now),
        lease_expires_at: None,
        ..attempt.clone()
    }
}

fn keeping(execution: &Execution, attempt: Attempt) -> Patch {
    let execution = Execution { current_attempt: Some(attempt.clone()), ..execution.clone() };
    Patch::new(execution, Some(attempt))
}

#[cfg(test)]
mod tests;
