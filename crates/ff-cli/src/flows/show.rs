//! `ff flows show`: one flow with its members.

use std::collections::BTreeMap;
use std::process::ExitCode;

use flowfabric::core::contracts::FlowSnapshot;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::EngineError;
use flowfabric::core::execution::Execution;
use flowfabric::core::state::PublicState;
use flowfabric::core::types::FlowId;
use serde_json::json;

use super::{document, parse_id, unknown};
use crate::output::{Failure, Output, one_line, table, time};
use crate::{list, store};

/// Members that are asked for at once.
const PAGE: u32 = 1_000;

/// Show a flow, and how many of its members are in which state.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The flow, as `ff flows list` prints it.
    #[arg(value_name = "FLOW", value_parser = parse_id)]
    flow: FlowId,
    /// List the members too.
    #[arg(long)]
    members: bool,
}

/// The members of a flow, by state, and themselves where they are asked for.
#[derive(Default)]
struct Members {
    counts: BTreeMap<PublicState, u64>,
    listed: Option<Vec<Execution>>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let flow_id = &arguments.flow;
    let Some(flow) = backend.describe_flow(flow_id).await? else { return Err(unknown(flow_id)) };
    let members = members(&*backend, &arguments).await?;
    backend.shutdown().await?;
    if output.is_json() {
        print_json(&flow, &members, output)?;
    } else {
        for line in text(&flow, &members) {
            output.line(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn members(
    backend: &dyn EngineBackend,
    arguments: &Arguments,
) -> Result<Members, EngineError> {
    let mut members = Members { listed: arguments.members.then(Vec::new), ..Members::default() };
    let mut after = None;
    loop {
        let page = backend.list_flow_members(&arguments.flow, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|member| member.execution_id.clone());
        for member in &page {
            *members.counts.entry(member.public_state).or_default() += 1;
        }
        if let Some(listed) = &mut members.listed {
            listed.extend(page);
        }
        if is_last {
            return Ok(members);
        }
    }
}

fn print_json(flow: &FlowSnapshot, members: &Members, output: &Output) -> Result<(), Failure> {
    let mut shown = json!({ "flow": document(flow), "counts": members.counts });
    if let Some(listed) = &members.listed {
        shown["members"] = listed.iter().map(list::document).collect();
    }
    output.document(&shown)
}

fn text(flow: &FlowSnapshot, members: &Members) -> Vec<String> {
    let mut lines = vec![format!(
        "{}  {}  {} in namespace {}",
        flow.flow_id,
        flow.public_flow_state,
        one_line(&flow.flow_kind),
        one_line(flow.namespace.as_str()),
    )];
    lines.push(format!("created {}  finished {}", flow.created_at, time(flow.terminal_at)));
    if let Some(policy) = &flow.cancellation_policy {
        let reason = flow.cancel_reason.as_deref().unwrap_or("-");
        lines.push(one_line(&format!("cancelled by {policy}: {reason}")));
    }
    let all: u64 = members.counts.values().sum();
    lines.push(format!("members: {all}"));
    let rows: Vec<Vec<String>> = members
        .counts
        .iter()
        .map(|(state, count)| vec![state.to_string(), count.to_string()])
        .collect();
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    if let Some(listed) = &members.listed {
        lines.extend(list::lines(listed));
    }
    lines
}
