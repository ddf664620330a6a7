//! `ff list`: executions, a page at a time.

use std::process::ExitCode;

use flowfabric::core::contracts::{
    ExecutionFilter, ExecutionPage, ExecutionsCursor, LIST_EXECUTIONS_MAX_LIMIT,
};
use flowfabric::core::execution::Execution;
use flowfabric::core::state::PublicState;
use flowfabric::core::types::{ExecutionId, LaneId, TimestampMs};
use serde_json::{Value, json};

use crate::output::{Failure, Output, one_line, table};
use crate::store;
use crate::words::words;

/// List executions, oldest first.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only in this state.
    #[arg(long, value_parser = words(PublicState::ALL, PublicState::spellings))]
    state: Option<PublicState>,
    /// Only in this lane.
    #[arg(long)]
    lane: Option<LaneId>,
    /// Only of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Executions on a page.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIST_EXECUTIONS_MAX_LIMIT)))]
    limit: u32,
    /// Where to go on: what the page before ended with.
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor, allow_hyphen_values = true)]
    after: Option<ExecutionsCursor>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let filter = ExecutionFilter {
        public_state: arguments.state,
        lane_id: arguments.lane,
        execution_kind: arguments.kind,
        ..ExecutionFilter::default()
    };
    let page = backend.list_executions(&filter, arguments.after, arguments.limit).await?;
    backend.shutdown().await?;
    if output.is_json() {
        print_json(&page, output)?;
    } else {
        print_text(&page, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(page: &ExecutionPage, output: &Output) -> Result<(), Failure> {
    let executions: Vec<Value> = page.executions.iter().map(document).collect();
    let after = page.cursor.as_ref().map(cursor_text);
    output.document(&json!({ "executions": executions, "after": after }))
}

pub(crate) fn document(execution: &Execution) -> Value {
    json!({
        "execution_id": execution.execution_id,
        "public_state": execution.public_state,
        "lane_id": execution.lane_id,
        "execution_kind": execution.execution_kind,
        "attempt_index": execution.attempt_index,
        "created_at_ms": execution.created_at,
        "terminal_at_ms": execution.terminal_at,
    })
}

fn print_text(page: &ExecutionPage, output: &Output) -> Result<(), Failure> {
    for line in lines(&page.executions) {
        output.line(&line)?;
    }
    if let Some(cursor) = &page.cursor {
        output.line(&format!("more: --after '{}'", cursor_text(cursor)))?;
    }
    Ok(())
}

pub(crate) fn lines(executions: &[Execution]) -> Vec<String> {
    let header = ["EXECUTION", "STATE", "LANE", "KIND", "ATTEMPT", "CREATED"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for execution in executions {
        rows.push(vec![
            execution.execution_id.to_string(),
            execution.public_state.to_string(),
            one_line(execution.lane_id.as_str()),
            one_line(&execution.execution_kind),
            execution.attempt_index.0.saturating_add(1).to_string(),
            execution.created_at.to_string(),
        ]);
    }
    table(&rows)
}

fn cursor_text(cursor: &ExecutionsCursor) -> String {
    format!("{}/{}", cursor.created_at, cursor.execution_id)
}

fn parse_cursor(text: &str) -> Result<ExecutionsCursor, String> {
    let parse = || -> Option<ExecutionsCursor> {
        let (created_at, execution_id) = text.split_once('/')?;
        Some(ExecutionsCursor {
            created_at: created_at.parse::<TimestampMs>().ok()?,
            execution_id: ExecutionId::parse(execution_id).ok()?,
        })
    };
    let cursor = parse().filter(|cursor| cursor_text(cursor) == text);
    cursor.ok_or_else(|| "it is not what a page ended with".to_owned())
}

#[cfg(test)]
mod tests {
    use flowfabric::core::partition::PartitionConfig;

    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let text = "12/{fp:0}:550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(cursor_text(&parse_cursor(text).unwrap()), text);
        for bad in ["", "12", "x/{fp:0}:550e8400-e29b-41d4-a716-446655440000", "12/x"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_cursor_reads_back_and_has_one_text(at: i64, lane: String, zeros in "[0+]{1,2}") {
            let execution_id = ExecutionId::solo(&LaneId(lane), &PartitionConfig::default());
            let cursor = ExecutionsCursor { created_at: TimestampMs(at), execution_id };
            let text = cursor_text(&cursor);
            assert_eq!(parse_cursor(&text), Ok(cursor));
            assert!(parse_cursor(&format!("{zeros}{text}")).is_err());
        }
    }
}
