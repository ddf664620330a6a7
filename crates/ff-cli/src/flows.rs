//! `ff flows`: flows and their members.

mod cancel;
mod list;
mod show;

use std::process::ExitCode;

use flowfabric::core::contracts::FlowSnapshot;
use flowfabric::core::types::FlowId;
use serde_json::{Value, json};

use crate::output::{Failure, Output};

/// List, show and cancel flows.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Cancel(cancel::Arguments),
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::List(command) => list::run(db, command, output).await,
        Command::Show(command) => show::run(db, command, output).await,
        Command::Cancel(command) => cancel::run(db, command, output).await,
    }
}

fn document(flow: &FlowSnapshot) -> Value {
    json!({
        "flow_id": flow.flow_id,
        "public_flow_state": flow.public_flow_state,
        "flow_kind": flow.flow_kind,
        "namespace": flow.namespace,
        "tags": flow.tags,
        "graph_revision": flow.graph_revision,
        "created_at_ms": flow.created_at,
        "terminal_at_ms": flow.terminal_at,
        "cancellation_policy": flow.cancellation_policy,
        "cancel_reason": flow.cancel_reason,
    })
}

fn parse_id(text: &str) -> Result<FlowId, String> {
    text.parse().map_err(|_| "a flow's id is a UUID, as `ff flows list` prints it".to_owned())
}

fn unknown(flow_id: &FlowId) -> Failure {
    Failure::Message(format!(
        "there is no flow {flow_id} in the store; `ff flows list` lists them, and --db names another store"
    ))
}
