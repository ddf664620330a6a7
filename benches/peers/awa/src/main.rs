//! The comparison's works on awa: a hundred workers, as its own benchmark has them.

use std::process::ExitCode;
use std::time::Duration;

use awa::{Client, InsertOpts, JobArgs, JobResult, QueueConfig, migrations, model::insert};
use peer_protocol::{Outcome, Peer, Run, handled};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// `num_queues * 4 + 20`, as the crate's notes on benchmarks say.
const CONNECTIONS: u32 = 24;
const WORKERS: u32 = 100;
const FILL_BATCH: usize = 1_000;
const QUEUE: &str = "bench";

#[derive(Serialize, Deserialize, JobArgs)]
struct Job {
    n: u64,
}

struct Awa {
    pool: PgPool,
    client: Client,
}

impl Peer for Awa {
    const ENGINE: &'static str = "awa";

    async fn open(run: &Run) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&run.store).await?;
        // The compiler cannot tell that its future may change threads.
        block_in_place(|| Handle::current().block_on(migrations::run(&pool)))?;
        let config = QueueConfig {
            max_workers: WORKERS,
            poll_interval: Duration::from_millis(50),
            ..QueueConfig::default()
        };
        let client = Client::builder(pool.clone())
            .queue(QUEUE, config)
            .register::<Job, _, _>(|_, _| async {
                handled();
                Ok(JobResult::Completed)
            })
            .build()?;
        Ok(Self { pool, client })
    }

    async fn create(&self) -> Outcome<()> {
        awa::insert_with(&self.pool, &Job { n: 1 }, opts()).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let numbers: Vec<u64> = (0..jobs).collect();
        for batch in numbers.chunks(FILL_BATCH) {
            let batch: Result<Vec<_>, _> =
                batch.iter().map(|n| insert::params_with(&Job { n: *n }, opts())).collect();
            awa::insert_many_copy_from_pool(&self.pool, &batch?).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        Ok(self.client.start().await?)
    }

    /// A job that is finished stays for a day.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT FROM awa.jobs WHERE state <> 'completed')";
        Ok(sqlx::query_scalar(drained).fetch_one(&self.pool).await?)
    }
}

fn opts() -> InsertOpts {
    InsertOpts { queue: QUEUE.to_owned(), ..InsertOpts::default() }
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Awa>().await
}
