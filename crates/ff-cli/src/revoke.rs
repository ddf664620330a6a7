//! `ff revoke`: takes an execution from the worker that runs it.

use std::process::ExitCode;

use flowfabric::core::contracts::{RevokeLeaseArgs, RevokeLeaseResult};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::types::{ExecutionId, WorkerInstanceId};
use serde_json::json;

use crate::output::{Failure, Output, one_line};
use crate::{several, store};

/// Take an execution from the worker that runs it, so that another can.
///
/// The worker's handler is told, and whatever it still does fails. Where there is no such lease, nothing
/// is done.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The execution, as `ff list` prints it.
    #[arg(value_name = "ID")]
    id: ExecutionId,
    /// Why; `ff show` tells it.
    #[arg(long, value_name = "TEXT", default_value = "revoked by an operator")]
    reason: String,
    /// Only from this process, as `ff workers` prints it; from whichever has it when it is not given.
    #[arg(long, value_name = "INSTANCE")]
    worker: Option<WorkerInstanceId>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let id = arguments.id.clone();
    let revoked = match request(&*backend, arguments).await? {
        Some(args) => Some((args.worker_instance_id.clone(), revoke(&*backend, args).await?)),
        None => None,
    };
    backend.shutdown().await?;
    match revoked {
        Some((holder, result)) => print(&id, &holder, &result, output)?,
        None => print_nothing(&id, NO_LEASE, "no worker holds it", output)?,
    }
    Ok(ExitCode::SUCCESS)
}

const NO_LEASE: &str = "no_active_lease";

/// The lease to revoke: of the process that is named, or exactly the one that is there now; `None` where
/// there is none.
async fn request(
    backend: &dyn EngineBackend,
    arguments: Arguments,
) -> Result<Option<RevokeLeaseArgs>, Failure> {
    let Arguments { id: execution_id, reason, worker } = arguments;
    if let Some(worker_instance_id) = worker {
        let expected_lease_id = None;
        return Ok(Some(RevokeLeaseArgs {
            execution_id,
            expected_lease_id,
            worker_instance_id,
            reason,
        }));
    }
    let Some(execution) = backend.describe_execution(&execution_id).await? else {
        return Err(Failure::Message(several::unknown(&execution_id)));
    };
    Ok(execution.lease().map(|lease| RevokeLeaseArgs {
        execution_id,
        expected_lease_id: Some(lease.lease_id),
        worker_instance_id: lease.worker_instance_id,
        reason,
    }))
}

async fn revoke(
    backend: &dyn EngineBackend,
    args: RevokeLeaseArgs,
) -> Result<RevokeLeaseResult, Failure> {
    let id = args.execution_id.clone();
    let answer = backend.revoke_lease(args).await;
    answer.map_err(|error| Failure::Message(several::refusal(&id, &error)))
}

fn print(
    id: &ExecutionId,
    holder: &WorkerInstanceId,
    result: &RevokeLeaseResult,
    output: &Output,
) -> Result<(), Failure> {
    let (lease_id, lease_epoch) = match result {
        RevokeLeaseResult::Revoked { lease_id, lease_epoch } => (lease_id, lease_epoch),
        RevokeLeaseResult::AlreadySatisfied { reason } => {
            let why = match reason.as_str() {
                NO_LEASE => "no worker holds it".to_owned(),
                "lease_id_mismatch" => format!("{holder} has got it anew meanwhile"),
                _ => format!("{holder} does not hold it"),
            };
            return print_nothing(id, reason, &why, output);
        }
    };
    if output.is_json() {
        return output.document(&json!({
            "execution_id": id,
            "revoked": true,
            "worker_instance_id": holder,
            "lease_id": lease_id,
            "lease_epoch": lease_epoch,
        }));
    }
    output.line(&one_line(&format!("revoked {id} from {holder}: it waits for a worker now")))
}

fn print_nothing(
    id: &ExecutionId,
    reason: &str,
    why: &str,
    output: &Output,
) -> Result<(), Failure> {
    if output.is_json() {
        let document = json!({ "execution_id": id, "revoked": false, "reason": reason });
        return output.document(&document);
    }
    output.line(&one_line(&format!("revoked nothing of {id}: {why}")))
}
