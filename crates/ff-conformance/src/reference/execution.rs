//! Creating, finishing and reading executions.

use ff_core::backend::{FailOutcome, FailureClass, FailureReason, Handle};
use ff_core::contracts::{
    CreateExecutionArgs, CreateExecutionResult, ExecutionContext, ExecutionCount, ExecutionFilter,
    ExecutionOutcome, ExecutionPage, ExecutionsCursor,
};
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::rules::{self, input};
use ff_core::state::LaneState;
use ff_core::types::ExecutionId;

use super::store::{Record, State};
use super::{LABEL, LIMITS, ReferenceBackend};

impl ReferenceBackend {
    pub(super) fn create_one(
        &self,
        args: &CreateExecutionArgs,
    ) -> Result<CreateExecutionResult, EngineError> {
        input::check_create(args, &LIMITS)?;
        let result = self.lock()?.create(args);
        self.store.work.notify_waiters();
        Ok(result)
    }

    pub(super) fn create_all(
        &self,
        batch: &[CreateExecutionArgs],
    ) -> Result<Vec<CreateExecutionResult>, EngineError> {
        input::check_create_batch(batch, &LIMITS)?;
        let mut state = self.lock()?;
        let results = batch.iter().map(|args| state.create(args)).collect();
        drop(state);
        self.store.work.notify_waiters();
        Ok(results)
    }

    /// Creates in a transaction that the caller commits or not.
    pub(super) fn create_in_transaction(
        &self,
        args: &CreateExecutionArgs,
        commit: bool,
    ) -> Result<CreateExecutionResult, EngineError> {
        input::check_create(args, &LIMITS)?;
        let mut state = self.lock()?;
        let mut transaction = state.clone();
        let result = transaction.create(args);
        if commit {
            *state = transaction;
        }
        Ok(result)
    }

    pub(super) fn complete_one(
        &self,
        handle: &Handle,
        result: Option<Vec<u8>>,
    ) -> Result<(), EngineError> {
        handle.check_backend(LABEL)?;
        input::check_result(result.as_deref(), &LIMITS)?;
        self.by_handle(handle, |held, record| {
            rules::execution::complete(held, record.result.as_deref(), result)
        })
    }

    pub(super) fn fail_one(
        &self,
        handle: &Handle,
        reason: &FailureReason,
        class: FailureClass,
    ) -> Result<FailOutcome, EngineError> {
        handle.check_backend(LABEL)?;
        input::check_reason(reason, &LIMITS)?;
        let outcome = self.by_handle(handle, |held, _| rules::execution::fail(held, reason, class));
        self.store.work.notify_waiters();
        outcome
    }

    pub(super) fn describe(&self, id: &ExecutionId) -> Result<Option<Execution>, EngineError> {
        self.lock()?.find(id).map(Record::execution).transpose()
    }

    pub(super) fn attempts(&self, id: &ExecutionId) -> Result<Vec<Attempt>, EngineError> {
        self.lock()?.load(id)?.attempts()
    }

    pub(super) fn outcomes(
        &self,
        ids: &[ExecutionId],
    ) -> Result<Vec<Option<ExecutionOutcome>>, EngineError> {
        let state = self.lock()?;
        ids.iter().map(|id| state.find(id).map(outcome).transpose()).collect()
    }

    pub(super) fn context(&self, id: &ExecutionId) -> Result<ExecutionContext, EngineError> {
        self.lock()?.load(id)?.context()
    }

    pub(super) fn list(
        &self,
        filter: &ExecutionFilter,
        after: Option<&ExecutionsCursor>,
        limit: u32,
    ) -> Result<ExecutionPage, EngineError> {
        input::check_list(filter, limit)?;
        Ok(ExecutionPage::of(self.lock()?.matching(filter)?, after, limit))
    }

    pub(super) fn count(
        &self,
        filter: &ExecutionFilter,
    ) -> Result<Vec<ExecutionCount>, EngineError> {
        input::check_filter(filter)?;
        Ok(ExecutionCount::of(self.lock()?.matching(filter)?))
    }
}

impl State {
    /// Stores an execution whose arguments have been checked (EXEC-1, EXEC-2).
    fn create(&mut self, args: &CreateExecutionArgs) -> CreateExecutionResult {
        let key = args
            .idempotency_key
            .clone()
            .map(|key| (args.namespace.clone(), args.lane_id.clone(), key));
        if self.records.contains_key(&args.execution_id) {
            return CreateExecutionResult::Duplicate { execution_id: args.execution_id.clone() };
        }
        if let Some(holder) = key.as_ref().and_then(|key| self.idempotency.get(key)) {
            return CreateExecutionResult::Duplicate { execution_id: holder.clone() };
        }

        let created = rules::execution::create(args);
        let public_state = created.execution.public_state;
        let mut record = Record::new(created.execution, created.requirement);
        record.payload.clone_from(&args.input_payload);
        record.payload_encoding = args.payload_encoding.clone().filter(|text| !text.is_empty());

        self.lanes.entry(args.lane_id.clone()).or_insert(LaneState::Active);
        self.idempotency.extend(key.map(|key| (key, args.execution_id.clone())));
        self.records.insert(args.execution_id.clone(), record);
        CreateExecutionResult::Created { execution_id: args.execution_id.clone(), public_state }
    }

    fn matching(&self, filter: &ExecutionFilter) -> Result<Vec<Execution>, EngineError> {
        let mut executions = Vec::new();
        for record in self.records.values() {
            let execution = record.execution()?;
            if filter.matches(&execution) {
                executions.push(execution);
            }
        }
        Ok(executions)
    }
}

impl Record {
    pub(super) fn context(&self) -> Result<ExecutionContext, EngineError> {
        let (payload, encoding) = (self.payload.clone(), self.payload_encoding.clone());
        Ok(ExecutionContext::new(self.execution()?, payload, encoding))
    }
}

fn outcome(record: &Record) -> Result<ExecutionOutcome, EngineError> {
    Ok(ExecutionOutcome::new(record.execution()?, record.result.clone()))
}
