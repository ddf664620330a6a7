//! `ff reprioritize`: moves a waiting execution in its queue.

use std::process::ExitCode;

use flowfabric::core::contracts::ChangePriorityArgs;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::{ContentionKind, EngineError};
use flowfabric::core::state::{LifecyclePhase, PublicState};
use flowfabric::core::types::{ExecutionId, LaneId};
use serde_json::json;

use crate::output::{Failure, Output};
use crate::{several, store};

/// Change the priority of a waiting execution: the highest of a lane runs first.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The execution, as `ff list` prints it.
    #[arg(value_name = "ID")]
    id: ExecutionId,
    /// Its priority from now on; 0 is what executions have that were submitted without one.
    #[arg(value_name = "PRIORITY", allow_negative_numbers = true)]
    priority: i32,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let Arguments { id, priority } = arguments;
    let args = ChangePriorityArgs {
        execution_id: id.clone(),
        new_priority: priority,
        // Ignored: its own lane counts.
        lane_id: LaneId::new("default"),
        now: backend.now().await?,
    };
    if let Err(error) = backend.change_priority(args).await {
        return Err(Failure::Message(refusal(&*backend, &id, &error).await?));
    }
    backend.shutdown().await?;
    if output.is_json() {
        output.document(&json!({ "execution_id": id, "priority": priority }))?;
    } else {
        output.line(&format!("reprioritized {id}: it has priority {priority} now"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn refusal(
    backend: &dyn EngineBackend,
    id: &ExecutionId,
    error: &EngineError,
) -> Result<String, EngineError> {
    if !matches!(error, EngineError::Contention(ContentionKind::ExecutionNotEligible)) {
        return Ok(several::refusal(id, error));
    }
    let Some(execution) = backend.describe_execution(id).await? else {
        return Ok(several::unknown(id));
    };
    let is_admitted = execution.lifecycle_phase != LifecyclePhase::Submitted;
    Ok(match execution.public_state {
        PublicState::Waiting if !is_admitted => format!(
            "{id} is not in its queue yet: a running worker puts it there a second after its submission; \
             try again then"
        ),
        state => format!("{id} is {state}; only what waits in its queue can be moved"),
    })
}
