//! Calls by handle.

use ff_core::backend::{Handle, LeaseRenewal};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::lease::Held;
use ff_core::rules::{self, input};
use ff_core::types::TimestampMs;
use serde_json::Value;

use super::store::{Record, State};
use super::{LABEL, LIMITS, ReferenceBackend};

impl ReferenceBackend {
    pub(super) fn renew_one(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        self.by_handle(handle, |held, _| rules::lease::renew(held))
    }

    pub(super) fn store_progress(
        &self,
        handle: &Handle,
        progress: Value,
    ) -> Result<(), EngineError> {
        input::check_progress(&progress, &LIMITS)?;
        self.by_handle(handle, |held, _| rules::lease::progress(held, progress))
    }

    pub(super) fn give_back(&self, handle: &Handle, until: TimestampMs) -> Result<(), EngineError> {
        let answer = self.by_handle(handle, |held, _| rules::lease::delay(held, until));
        self.store.work.notify_waiters();
        answer
    }

    pub(super) fn check_all(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        let now = self.clock_now();
        let mut state = self.lock()?;
        Ok(handles.iter().map(|handle| state.check_lease(handle, now)).collect())
    }

    /// Loads the execution and the attempt that a handle names, asks a rule, and applies its answer.
    pub(super) fn by_handle<T>(
        &self,
        handle: &Handle,
        rule: impl FnOnce(Held<'_>, &Record) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        handle.check_backend(LABEL)?;
        let now = self.clock_now();
        let mut state = self.lock()?;
        let record = state.load(handle.execution_id())?;
        let execution = record.execution()?;
        let attempt = record.attempt(handle.attempt_index())?;
        let held = Held { execution: &execution, attempt: attempt.as_ref(), handle, now };
        let decision = rule(held, record)?;
        Ok(state.apply(handle.execution_id(), decision))
    }
}

impl State {
    fn check_lease(&mut self, handle: &Handle, now: TimestampMs) -> Result<(), EngineError> {
        handle.check_backend(LABEL)?;
        let record = self.load(handle.execution_id())?;
        let execution = record.execution()?;
        let attempt = record.attempt(handle.attempt_index())?;
        let held = Held { execution: &execution, attempt: attempt.as_ref(), handle, now };
        held.live_attempt().map(drop)
    }
}
