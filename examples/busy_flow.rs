//! A flow of 1,000 imports, and workers for it: the busy database of docs/operating.md.
//!
//! ```console
//! $ cargo run --release --example busy_flow -- submit
//! $ cargo run --release --example busy_flow -- work
//! ```
//!
//! Half of the imports are of a supplier that is down as long as there is a file `supplier-is-down`: they hang
//! until they are stopped. `BUSY_FLOW_DB` names another store than `sqlite:flowfabric.db`.

#![expect(clippy::print_stdout, reason = "it tells its user what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::types::LaneId;
use flowfabric::{Client, HandlerError, Job, Submission, Worker};

const IMPORTS: u32 = 1_000;
const LANE: &str = "imports";

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let url = std::env::var("BUSY_FLOW_DB").unwrap_or("sqlite:flowfabric.db".to_owned());
    let command = std::env::args().nth(1).unwrap_or_default();
    match command.as_str() {
        "submit" => submit(flowfabric::connect(&url).await?).await,
        "work" => work(flowfabric::connect(&url).await?).await,
        _ => Err("say what to do: submit or work".into()),
    }
}

/// The lane is paused meanwhile, so that no member runs before all are there.
async fn submit(backend: Arc<dyn EngineBackend>) -> Outcome {
    let lane = LaneId::new(LANE);
    backend.pause_lane(&lane).await?;
    let client = Client::new(backend.clone());
    let flow_id = client.create_flow("import").await?;
    let imports =
        (0..IMPORTS).map(|number| Ok(Submission::new("import", &number)?.lane(LANE).flow(flow_id)));
    client.submit_batch(imports.collect::<Result<_, Box<dyn Error>>>()?).await?;
    backend.resume_lane(&lane).await?;
    println!("submitted flow {flow_id} of {IMPORTS} imports");
    Ok(())
}

async fn work(backend: Arc<dyn EngineBackend>) -> Outcome {
    let worker = Worker::builder(backend)
        .worker_id("importer")
        .lane(LANE)
        .concurrency(4)
        .handler("import", import);
    worker.build()?.run().await?;
    Ok(())
}

async fn import(_: Job<()>, number: u32) -> Result<u32, HandlerError> {
    if number >= IMPORTS / 2 && Path::new("supplier-is-down").exists() {
        let _stopped = Stopped(number);
        std::future::pending().await
    }
    Ok(number)
}

/// A handler whose execution was cancelled is dropped wherever it waits, and all that it holds with it.
struct Stopped(u32);

impl Drop for Stopped {
    fn drop(&mut self) {
        println!("import {} was stopped", self.0);
    }
}
