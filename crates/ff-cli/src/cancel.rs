//! `ff cancel`: ends executions, whoever runs them.

use std::process::ExitCode;

use flowfabric::core::contracts::{CancelExecutionArgs, CancelExecutionResult};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::{ContentionKind, EngineError};
use flowfabric::core::state::PublicState;
use flowfabric::core::types::{CancelSource, ExecutionId};

use crate::output::{Failure, Output};
use crate::several::Deed;
use crate::{several, store};

const DEED: Deed = Deed { word: "cancelled", line: |id, _| format!("cancelled {id}") };

/// Cancel executions, running ones too: their handlers are told.
///
/// Cancelling one that is cancelled already changes nothing. Ends with 1 when one could not be cancelled.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The executions, as `ff list` prints them.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<ExecutionId>,
    /// Why; `ff show` tells it.
    #[arg(long, value_name = "TEXT", default_value = "cancelled by an operator")]
    reason: String,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let cancel = async |id: &ExecutionId| {
        let answer = cancel(&*backend, id, &arguments.reason).await;
        answer.map_err(|error| refusal(id, &error))
    };
    let answers = several::each(arguments.ids, cancel).await;
    let code = answers.print(&DEED, output);
    backend.shutdown().await?;
    code
}

async fn cancel(
    backend: &dyn EngineBackend,
    id: &ExecutionId,
    reason: &str,
) -> Result<PublicState, EngineError> {
    let args = CancelExecutionArgs {
        execution_id: id.clone(),
        reason: reason.to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: backend.now().await?,
    };
    let CancelExecutionResult::Cancelled { public_state, .. } =
        backend.cancel_execution(args).await?;
    Ok(public_state)
}

fn refusal(id: &ExecutionId, error: &EngineError) -> String {
    match error {
        EngineError::Contention(ContentionKind::ExecutionNotActive { outcome }) => {
            format!("{id} has already finished as {outcome}; there is nothing to cancel")
        }
        error => several::refusal(id, error),
    }
}
