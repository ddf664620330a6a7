//! `ff flows list`: flows, a page at a time.

use std::process::ExitCode;

use flowfabric::core::contracts::{
    FlowsCursor, LIST_FLOWS_MAX_LIMIT, ListFlowsArgs, ListFlowsResult,
};
use flowfabric::core::state::PublicFlowState;
use flowfabric::core::types::{Namespace, TimestampMs};
use serde_json::{Value, json};

use super::document;
use crate::output::{Failure, Output, one_line, table, time};
use crate::store;
use crate::words::words;

/// List flows, oldest first.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only in this state.
    #[arg(long, value_parser = words(PublicFlowState::ALL, PublicFlowState::spellings))]
    state: Option<PublicFlowState>,
    /// Only of this namespace.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// Flows on a page.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIST_FLOWS_MAX_LIMIT)))]
    limit: u32,
    /// Where to go on: what the page before ended with.
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor, allow_hyphen_values = true)]
    after: Option<FlowsCursor>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let args = ListFlowsArgs {
        namespace: arguments.namespace,
        public_flow_state: arguments.state,
        after: arguments.after,
        limit: Some(arguments.limit),
    };
    let page = backend.list_flows(args).await?;
    backend.shutdown().await?;
    if output.is_json() {
        print_json(&page, output)?;
    } else {
        print_text(&page, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(page: &ListFlowsResult, output: &Output) -> Result<(), Failure> {
    let flows: Vec<Value> = page.flows.iter().map(document).collect();
    let after = page.cursor.as_ref().map(cursor_text);
    output.document(&json!({ "flows": flows, "after": after }))
}

fn print_text(page: &ListFlowsResult, output: &Output) -> Result<(), Failure> {
    let header = ["FLOW", "STATE", "KIND", "NAMESPACE", "CREATED", "FINISHED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for flow in &page.flows {
        rows.push(vec![
            flow.flow_id.to_string(),
            flow.public_flow_state.to_string(),
            one_line(&flow.flow_kind),
            one_line(flow.namespace.as_str()),
            flow.created_at.to_string(),
            time(flow.terminal_at),
        ]);
    }
    for line in table(&rows) {
        output.line(&line)?;
    }
    if let Some(cursor) = &page.cursor {
        output.line(&format!("more: --after '{}'", cursor_text(cursor)))?;
    }
    Ok(())
}

fn cursor_text(cursor: &FlowsCursor) -> String {
    format!("{}/{}", cursor.created_at, cursor.flow_id)
}

fn parse_cursor(text: &str) -> Result<FlowsCursor, String> {
    let parse = || -> Option<FlowsCursor> {
        let (created_at, flow_id) = text.split_once('/')?;
        Some(FlowsCursor {
            created_at: created_at.parse::<TimestampMs>().ok()?,
            flow_id: flow_id.parse().ok()?,
        })
    };
    let cursor = parse().filter(|cursor| cursor_text(cursor) == text);
    cursor.ok_or_else(|| "it is not what a page ended with".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let text = "12/550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(cursor_text(&parse_cursor(text).unwrap()), text);
        for bad in ["", "12", "x/550e8400-e29b-41d4-a716-446655440000", "12/x"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_cursor_reads_back_and_has_one_text(at: i64, id: u128, zeros in "[0+]{1,2}") {
            let flow_id = format!("{id:032x}").parse().unwrap();
            let cursor = FlowsCursor { created_at: TimestampMs(at), flow_id };
            let text = cursor_text(&cursor);
            assert_eq!(parse_cursor(&text), Ok(cursor));
            assert!(parse_cursor(&format!("{zeros}{text}")).is_err());
            assert!(parse_cursor(&text.replace('-', "")).is_err());
        }
    }
}
