//! `ff flows cancel`: ends a flow and its members.

use std::process::ExitCode;

use flowfabric::core::backend::CancelFlowPolicy;
use flowfabric::core::contracts::{CancelFlowArgs, CancelFlowHeader};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::EngineError;
use flowfabric::core::state::PublicFlowState;
use flowfabric::core::types::FlowId;
use serde_json::json;

use super::{parse_id, unknown};
use crate::output::{Failure, Output, one_line};
use crate::store;
use crate::words::words;

/// Cancel a flow and its members, running ones too: their handlers are told.
///
/// Cancelling one that is cancelled already changes nothing, and tells how many of its members have not
/// been let go by their workers yet.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The flow, as `ff flows list` prints it.
    #[arg(value_name = "FLOW", value_parser = parse_id)]
    flow: FlowId,
    /// Which members are cancelled with it: all that have not finished, those that no worker runs, or none.
    #[arg(
        long,
        default_value = CancelFlowPolicy::CancelAll.as_str(),
        value_parser = words(CancelFlowPolicy::ALL, CancelFlowPolicy::spellings)
    )]
    policy: CancelFlowPolicy,
    /// Why; `ff flows show` tells it.
    #[arg(long, value_name = "TEXT", default_value = "cancelled by an operator")]
    reason: String,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let flow_id = arguments.flow;
    let args = CancelFlowArgs {
        flow_id,
        reason: arguments.reason,
        cancellation_policy: arguments.policy.as_str().to_owned(),
        now: backend.now().await?,
    };
    let header = match backend.cancel_flow_header(args).await {
        Err(EngineError::NotFound { .. }) => return Err(unknown(&flow_id)),
        answer => answer?,
    };
    if let CancelFlowHeader::AlreadyTerminal { .. } = header {
        require_cancelled(&*backend, &flow_id).await?;
    }
    backend.shutdown().await?;
    print(&flow_id, &header, output)?;
    Ok(ExitCode::SUCCESS)
}

/// A flow that finished otherwise is not what was asked for.
async fn require_cancelled(backend: &dyn EngineBackend, flow_id: &FlowId) -> Result<(), Failure> {
    let Some(flow) = backend.describe_flow(flow_id).await? else { return Err(unknown(flow_id)) };
    match flow.public_flow_state {
        PublicFlowState::Cancelled => Ok(()),
        state => Err(Failure::Message(format!(
            "flow {flow_id} has already finished as {state}; there is nothing to cancel"
        ))),
    }
}

fn print(flow_id: &FlowId, header: &CancelFlowHeader, output: &Output) -> Result<(), Failure> {
    let (is_new, policy, members) = match header {
        CancelFlowHeader::Cancelled { cancellation_policy, member_execution_ids } => {
            (true, Some(cancellation_policy), member_execution_ids)
        }
        CancelFlowHeader::AlreadyTerminal {
            stored_cancellation_policy,
            member_execution_ids,
            ..
        } => (false, stored_cancellation_policy.as_ref(), member_execution_ids),
    };
    if output.is_json() {
        return output.document(&json!({
            "flow_id": flow_id,
            "already_cancelled": !is_new,
            "cancellation_policy": policy,
            "member_execution_ids": members,
        }));
    }
    let (policy, count) = (policy.map_or("-", String::as_str), members.len());
    let line = if is_new {
        format!("cancelled flow {flow_id} by {policy}: {count} members with it")
    } else {
        format!(
            "flow {flow_id} was cancelled already by {policy}: {count} members still to be let go"
        )
    };
    output.line(&one_line(&line))
}
