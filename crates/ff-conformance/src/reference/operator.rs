//! What operators do to executions.

use ff_core::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ChangePriorityResult,
    ReplayExecutionArgs, ReplayExecutionResult, RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, operator as rule};
use ff_core::types::ExecutionId;

use super::ReferenceBackend;

impl ReferenceBackend {
    pub(super) fn cancel_one(
        &self,
        args: &CancelExecutionArgs,
    ) -> Result<CancelExecutionResult, EngineError> {
        input::check_cancel(args)?;
        self.by_id(&args.execution_id, |execution| rule::cancel(execution, args))
    }

    pub(super) fn revoke(&self, args: &RevokeLeaseArgs) -> Result<RevokeLeaseResult, EngineError> {
        input::check_revoke(args)?;
        let now = self.clock_now();
        self.by_id(&args.execution_id, |execution| Ok(rule::revoke(execution, args, now)))
    }

    pub(super) fn reprioritize(
        &self,
        args: &ChangePriorityArgs,
    ) -> Result<ChangePriorityResult, EngineError> {
        self.by_id(&args.execution_id, |execution| rule::change_priority(execution, args))
    }

    pub(super) fn replay(
        &self,
        args: &ReplayExecutionArgs,
    ) -> Result<ReplayExecutionResult, EngineError> {
        self.by_id(&args.execution_id, |execution| rule::replay(execution, args))
    }

    /// Loads an execution, asks a rule, and applies its answer.
    fn by_id<T>(
        &self,
        id: &ExecutionId,
        rule: impl FnOnce(&Execution) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let mut state = self.lock()?;
        let decision = rule(&state.load(id)?.execution()?)?;
        let outcome = state.apply(id, decision);
        drop(state);
        self.store.work.notify_waiters();
        Ok(outcome)
    }
}
