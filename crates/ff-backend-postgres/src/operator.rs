//! What operators do to executions.

use ff_core::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ChangePriorityResult,
    ReplayExecutionArgs, ReplayExecutionResult,
};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, operator as rule};
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::changes::Changes;

use crate::PostgresBackend;
use crate::retry::{Tries, repeat};
use crate::tx::Tx;

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::cancel_execution`].
pub(crate) async fn cancel(
    backend: &PostgresBackend,
    args: CancelExecutionArgs,
) -> Answer<CancelExecutionResult> {
    input::check_cancel(&args)?;
    decide(backend, &args.execution_id, |execution, _| rule::cancel(execution, &args)).await
}

/// See [`ff_core::engine_backend::EngineBackend::change_priority`].
pub(crate) async fn change_priority(
    backend: &PostgresBackend,
    args: ChangePriorityArgs,
) -> Answer<ChangePriorityResult> {
    decide(backend, &args.execution_id, |execution, _| rule::change_priority(execution, &args))
        .await
}

/// See [`ff_core::engine_backend::EngineBackend::replay_execution`].
pub(crate) async fn replay(
    backend: &PostgresBackend,
    args: ReplayExecutionArgs,
) -> Answer<ReplayExecutionResult> {
    decide(backend, &args.execution_id, |execution, _| rule::replay(execution, &args)).await
}

/// Loads an execution under its lock, asks the rule, and stores what it says.
pub(crate) async fn decide<T: Clone>(
    backend: &PostgresBackend,
    execution_id: &ExecutionId,
    rule: impl Fn(&Execution, TimestampMs) -> Answer<Decision<T>>,
) -> Answer<T> {
    let tries = Tries::default();
    repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = decide_in(&mut tx, execution_id, &rule).await;
        tries.commit((tx, id), answer).await
    })
    .await
}

async fn decide_in<T>(
    tx: &mut Tx<'_>,
    execution_id: &ExecutionId,
    rule: impl Fn(&Execution, TimestampMs) -> Answer<Decision<T>>,
) -> Answer<T> {
    let loaded = tx.load_one(execution_id).await?;
    let now = tx.now().await?;
    let mut changes = Changes::default();
    let outcome = changes.take(rule(&loaded.execution, now)?);
    tx.store(changes).await?;
    Ok(outcome)
}
