//! The comparison's works on graphile_worker: the local queue and batched completion.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, Worker,
    WorkerContext, WorkerUtils,
};
use peer_protocol::{Outcome, Peer, Run, handled};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The most connections that the crate opens where it makes the pool itself.
const CONNECTIONS: u32 = 20;
const FILL_BATCH: usize = 5_000;

#[derive(Deserialize, Serialize)]
struct Job {
    n: u64,
}

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "bench";

    async fn run(self, _ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        handled();
        Ok::<(), String>(())
    }
}

struct GraphileWorker {
    pool: PgPool,
    utils: WorkerUtils,
    worker: Arc<Worker>,
}

impl Peer for GraphileWorker {
    const ENGINE: &'static str = "graphile_worker";

    async fn open(run: &Run) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&run.store).await?;
        // The guide's worker for throughput, with the local queue's size of the crate's own benchmark.
        let worker = Worker::options()
            .pg_pool(pool.clone())
            .concurrency(run.slots)
            .poll_interval(Duration::from_millis(500))
            .complete_job_batch_delay(Duration::from_millis(5))
            .local_queue(LocalQueueConfig::default().with_size(5_000))
            .define_job::<Job>()
            .init()
            .await?;
        Ok(Self { pool, utils: worker.create_utils(), worker: Arc::new(worker) })
    }

    async fn create(&self) -> Outcome<()> {
        self.utils.add_job(Job { n: 1 }, JobSpec::default()).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let numbers: Vec<u64> = (0..jobs).collect();
        for batch in numbers.chunks(FILL_BATCH) {
            let batch: Result<Vec<_>, serde_json::Error> = batch.iter().map(|n| raw(*n)).collect();
            self.utils.add_raw_jobs(&batch?).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        let worker = Arc::clone(&self.worker);
        tokio::spawn(async move { worker.run().await });
        Ok(())
    }

    /// A job that is finished is deleted.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs)";
        Ok(sqlx::query_scalar(drained).fetch_one(&self.pool).await?)
    }
}

fn raw(n: u64) -> Result<RawJobSpec, serde_json::Error> {
    let payload = serde_json::to_value(Job { n })?;
    let identifier = Job::IDENTIFIER.to_owned();
    Ok(RawJobSpec { identifier, payload, spec: JobSpec::default() })
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<GraphileWorker>().await
}
