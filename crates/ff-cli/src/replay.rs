//! `ff replay`: runs finished executions again.

use std::process::ExitCode;

use flowfabric::core::contracts::{ReplayExecutionArgs, ReplayExecutionResult};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::{EngineError, StateKind};
use flowfabric::core::state::PublicState;
use flowfabric::core::types::ExecutionId;

use crate::output::{Failure, Output};
use crate::several::Deed;
use crate::{several, store};

const DEED: Deed =
    Deed { word: "replayed", line: |id, state| format!("replayed {id}: it is {state} now") };

/// Run finished executions again, as a new attempt; their history stays.
///
/// Their results are removed, and their retries counted anew. Ends with 1 when one could not be replayed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The executions, as `ff list` prints them.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<ExecutionId>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let replay = async |id: &ExecutionId| {
        let answer = replay(&*backend, id).await;
        answer.map_err(|error| refusal(id, &error))
    };
    let answers = several::each(arguments.ids, replay).await;
    let code = answers.print(&DEED, output);
    backend.shutdown().await?;
    code
}

async fn replay(backend: &dyn EngineBackend, id: &ExecutionId) -> Result<PublicState, EngineError> {
    let args = ReplayExecutionArgs { execution_id: id.clone(), now: backend.now().await? };
    let ReplayExecutionResult::Replayed { public_state } = backend.replay_execution(args).await?;
    Ok(public_state)
}

fn refusal(id: &ExecutionId, error: &EngineError) -> String {
    match error {
        EngineError::State(StateKind::ExecutionNotTerminal) => {
            format!("{id} has not finished; wait for it, or cancel it first by `ff cancel`")
        }
        EngineError::State(StateKind::MaxReplaysExhausted) => format!(
            "{id} has been replayed as often as its policy's max_replay_count allows; submit it anew"
        ),
        error => several::refusal(id, error),
    }
}
