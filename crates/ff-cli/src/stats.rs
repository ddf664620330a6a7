//! `ff stats`: how many executions are where.

use std::process::ExitCode;

use flowfabric::core::contracts::ExecutionFilter;
use serde_json::{Value, json};

use crate::output::{Failure, Output, one_line, table};
use crate::store;

/// Count executions by lane and state.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(
    db: &str,
    _arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let counts = backend.count_executions(&ExecutionFilter::default()).await?;
    let lanes = backend.list_lanes().await?;
    backend.shutdown().await?;
    if output.is_json() {
        let counts: Vec<Value> = counts
            .iter()
            .map(|count| {
                json!({
                    "lane_id": count.lane_id,
                    "public_state": count.public_state,
                    "count": count.count,
                })
            })
            .collect();
        let lanes: Vec<Value> = lanes
            .iter()
            .map(|lane| json!({ "lane_id": lane.lane_id, "state": lane.state }))
            .collect();
        output.document(&json!({ "counts": counts, "lanes": lanes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["LANE", "STATE", "EXECUTIONS"].map(str::to_owned).to_vec()];
    for count in &counts {
        rows.push(vec![
            one_line(count.lane_id.as_str()),
            count.public_state.to_string(),
            count.count.to_string(),
        ]);
    }
    for line in table(&rows) {
        output.line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}
