//! `ff lanes`: the lanes, and whether they give out executions.

use std::process::ExitCode;

use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::EngineError;
use flowfabric::core::state::LaneState;
use flowfabric::core::types::LaneId;
use serde_json::{Value, json};

use crate::output::{Failure, Output, one_line, table};
use crate::store;

/// List the lanes, or pause and resume one.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Let workers take nothing more from a lane until it is resumed; what runs goes on.
    Pause(Lane),
    /// Let workers take from a lane again.
    Resume(Lane),
}

#[derive(clap::Args)]
struct Lane {
    /// The lane's name.
    #[arg(value_name = "LANE")]
    lane: LaneId,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    match arguments.command {
        None => list(&*backend, output).await?,
        Some(Command::Pause(Lane { lane })) => pause(&*backend, &lane, output).await?,
        Some(Command::Resume(Lane { lane })) => resume(&*backend, &lane, output).await?,
    }
    backend.shutdown().await?;
    Ok(ExitCode::SUCCESS)
}

async fn list(backend: &dyn EngineBackend, output: &Output) -> Result<(), Failure> {
    let lanes = backend.list_lanes().await?;
    if output.is_json() {
        let lanes: Vec<Value> = lanes
            .iter()
            .map(|lane| json!({ "lane_id": lane.lane_id, "state": lane.state }))
            .collect();
        return output.document(&json!({ "lanes": lanes }));
    }
    let mut rows = vec![["LANE", "STATE"].map(str::to_owned).to_vec()];
    for lane in &lanes {
        rows.push(vec![one_line(lane.lane_id.as_str()), lane.state.to_string()]);
    }
    for line in table(&rows) {
        output.line(&line)?;
    }
    Ok(())
}

async fn pause(backend: &dyn EngineBackend, lane: &LaneId, output: &Output) -> Result<(), Failure> {
    let before = state(backend, lane).await?;
    backend.pause_lane(lane).await?;
    let line = match before {
        Some(LaneState::Active) => format!("paused {lane}"),
        Some(LaneState::Paused) => format!("{lane} was paused already"),
        None => format!("paused {lane}, in which there has been no execution yet"),
    };
    print(lane, LaneState::Paused, &line, output)
}

async fn resume(
    backend: &dyn EngineBackend,
    lane: &LaneId,
    output: &Output,
) -> Result<(), Failure> {
    let line = match state(backend, lane).await? {
        Some(LaneState::Active) => format!("{lane} was not paused"),
        None => format!("{lane} was not paused, and there has been no execution in it yet"),
        Some(LaneState::Paused) => {
            backend.resume_lane(lane).await?;
            format!("resumed {lane}")
        }
    };
    print(lane, LaneState::Active, &line, output)
}

async fn state(
    backend: &dyn EngineBackend,
    lane: &LaneId,
) -> Result<Option<LaneState>, EngineError> {
    let lanes = backend.list_lanes().await?;
    Ok(lanes.into_iter().find(|info| info.lane_id == *lane).map(|info| info.state))
}

fn print(lane: &LaneId, state: LaneState, line: &str, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(&json!({ "lane_id": lane, "state": state }));
    }
    output.line(&one_line(line))
}
