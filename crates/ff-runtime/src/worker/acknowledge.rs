//! Lets go of what was cancelled with its flow.

use std::time::Duration;

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::ExecutionId;
use tokio::time::timeout;
use tracing::debug;

/// The store acknowledges by itself, later, for workers that do not manage to.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the store that this worker runs the execution no more, if that is what its flow waits for.
pub(super) async fn acknowledge_cancellation(
    backend: &dyn EngineBackend,
    execution_id: &ExecutionId,
) {
    match timeout(PATIENCE, acknowledge(backend, execution_id)).await {
        Ok(Ok(())) | Ok(Err(EngineError::Unavailable { .. })) => {}
        Ok(Err(error)) => debug!(%execution_id, %error, "the cancellation was not acknowledged"),
        Err(_) => debug!(%execution_id, "acknowledging the cancellation took too long"),
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
