//! The comparison's works on FlowFabric, by the interface that its users have.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use ff_core::contracts::ExecutionFilter;
use ff_core::state::PublicState;
use flowfabric::{Client, HandlerError, Job, Submission, Worker};
use peer_protocol::{Outcome, Peer, Run, handled};

const KIND: &str = "bench";
const FILL_BATCH: usize = 1_000;

struct FlowFabric {
    client: Client,
    /// Taken when it starts.
    worker: Mutex<Option<Worker>>,
}

impl Peer for FlowFabric {
    const ENGINE: &'static str = "flowfabric";

    async fn open(run: &Run) -> Outcome<Self> {
        let backend = flowfabric::connect(&run.store).await?;
        let worker = Worker::builder(backend.clone())
            .concurrency(run.slots)
            .handler(KIND, async |_: Job<()>, _: u64| {
                handled();
                Ok::<(), HandlerError>(())
            })
            .build()?;
        Ok(Self { client: Client::new(backend), worker: Mutex::new(Some(worker)) })
    }

    async fn create(&self) -> Outcome<()> {
        self.client.submit(Submission::new(KIND, &1)?).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let numbers: Vec<u64> = (0..jobs).collect();
        for batch in numbers.chunks(FILL_BATCH) {
            let batch: Result<_, _> = batch.iter().map(|n| Submission::new(KIND, n)).collect();
            self.client.submit_batch(batch?).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::spawn(worker.ok_or("the worker was started already")?.run());
        Ok(())
    }

    async fn is_drained(&self) -> Outcome<bool> {
        for state in PublicState::ALL.iter().filter(|state| !state.is_finished()) {
            let filter = ExecutionFilter { public_state: Some(*state), ..Default::default() };
            if !self.client.backend().count_executions(&filter).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<FlowFabric>().await
}
