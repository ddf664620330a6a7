//! What operators do to executions.

use ff_core::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ChangePriorityResult,
    ReplayExecutionArgs, ReplayExecutionResult,
};
use ff_core::engine_error::EngineError;
use ff_core::rules::{input, operator as rule};
use ff_sql::document::KeyDocument;

use crate::SqliteBackend;
use crate::tx::Tx;

/// See [`ff_core::engine_backend::EngineBackend::cancel_execution`].
pub(crate) async fn cancel(
    backend: &SqliteBackend,
    args: CancelExecutionArgs,
) -> Result<CancelExecutionResult, EngineError> {
    input::check_cancel(&args)?;
    let cancel = async move |tx: &mut Tx<'_>| {
        let key = KeyDocument::new(&args.execution_id);
        tx.decide(key, |loaded, _| rule::cancel(&loaded.execution, &args)).await
    };
    backend.writer.run(cancel).await
}

/// See [`ff_core::engine_backend::EngineBackend::change_priority`].
pub(crate) async fn change_priority(
    backend: &SqliteBackend,
    args: ChangePriorityArgs,
) -> Result<ChangePriorityResult, EngineError> {
    let change = async move |tx: &mut Tx<'_>| {
        let key = KeyDocument::new(&args.execution_id);
        tx.decide(key, |loaded, _| rule::change_priority(&loaded.execution, &args)).await
    };
    backend.writer.run(change).await
}

/// See [`ff_core::engine_backend::EngineBackend::replay_execution`].
pub(crate) async fn replay(
    backend: &SqliteBackend,
    args: ReplayExecutionArgs,
) -> Result<ReplayExecutionResult, EngineError> {
    let replay = async move |tx: &mut Tx<'_>| {
        let key = KeyDocument::new(&args.execution_id);
        tx.decide(key, |loaded, _| rule::replay(&loaded.execution, &args)).await
    };
    backend.writer.run(replay).await
}
