//! `ff workers`: the worker processes on the registry.

use std::collections::BTreeSet;
use std::process::ExitCode;

use flowfabric::core::contracts::{ListWorkersArgs, WorkerInfo};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::engine_error::EngineError;
use flowfabric::core::rules::worker::is_alive;
use flowfabric::core::types::{LaneId, Namespace, TimestampMs};
use serde_json::{Value, json};

use crate::output::{Failure, Output, one_line, table};
use crate::store;

/// List the worker processes that have registered: what they take from, and when they last gave a sign of
/// life.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only of this namespace.
    #[arg(long)]
    namespace: Option<Namespace>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let backend = store::open_existing(db).await?;
    let workers = all_workers(&*backend, arguments.namespace).await?;
    let now = backend.now().await?;
    backend.shutdown().await?;
    if output.is_json() {
        let workers: Vec<Value> = workers.iter().map(|worker| document(worker, now)).collect();
        output.document(&json!({ "workers": workers }))?;
    } else {
        print_text(&workers, now, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn all_workers(
    backend: &dyn EngineBackend,
    namespace: Option<Namespace>,
) -> Result<Vec<WorkerInfo>, EngineError> {
    let mut args = ListWorkersArgs::new();
    args.namespace = namespace;
    let mut workers = Vec::new();
    loop {
        let page = backend.list_workers(args.clone()).await?;
        workers.extend(page.entries);
        args.after = page.cursor;
        if args.after.is_none() {
            return Ok(workers);
        }
    }
}

fn document(worker: &WorkerInfo, now: TimestampMs) -> Value {
    json!({
        "worker_instance_id": worker.worker_instance_id,
        "worker_id": worker.worker_id,
        "namespace": worker.namespace,
        "lanes": worker.lanes,
        "capabilities": worker.capabilities,
        "alive": is_alive(worker, now),
        "registered_at_ms": worker.registered_at_ms,
        "last_heartbeat_ms": worker.last_heartbeat_ms,
        "liveness_ttl_ms": worker.liveness_ttl_ms,
    })
}

fn print_text(workers: &[WorkerInfo], now: TimestampMs, output: &Output) -> Result<(), Failure> {
    let header = ["INSTANCE", "WORKER", "NAMESPACE", "STATE", "HEARTBEAT", "LANES"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for worker in workers {
        rows.push(vec![
            one_line(worker.worker_instance_id.as_str()),
            one_line(worker.worker_id.as_str()),
            one_line(worker.namespace.as_str()),
            (if is_alive(worker, now) { "alive" } else { "late" }).to_owned(),
            worker.last_heartbeat_ms.to_string(),
            one_line(&names(&worker.lanes)),
        ]);
    }
    for line in table(&rows) {
        output.line(&line)?;
    }
    Ok(())
}

fn names(lanes: &BTreeSet<LaneId>) -> String {
    lanes.iter().map(LaneId::as_str).collect::<Vec<_>>().join(", ")
}
