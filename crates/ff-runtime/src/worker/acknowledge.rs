//! Lets go of what was cancelled with its flow.

use std::time::Duration;

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::ExecutionId;

use crate::clock::within;

const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the store that this worker runs the execution no more, if that is what its flow waits for.
///
/// # Errors
/// One that is retryable means that the flow may still wait.
pub(super) async fn acknowledge_cancellation(
    backend: &dyn EngineBackend,
    execution_id: &ExecutionId,
) -> Result<(), EngineError> {
    let call = acknowledge(backend, execution_id);
    match within(PATIENCE, "ack_cancel_member", call).await {
        Err(EngineError::Unavailable { .. }) => Ok(()),
        answer => answer,
    }
}

async fn acknowledge(
    backend: &dyn EngineBackend,
    execution_id: &ExecutionId,
) -> Result<(), EngineError> {
    let Some(execution) = backend.describe_execution(execution_id).await? else { return Ok(()) };
    match execution.flow_id {
        Some(flow_id) if execution.public_state == PublicState::Cancelled => {
            backend.ack_cancel_member(&flow_id, execution_id).await
        }
        _ => Ok(()),
    }
}
