//! The comparison's works on apalis-postgres: fetched by a hundred, woken by LISTEN and NOTIFY.

use std::process::ExitCode;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use peer_protocol::{Outcome, Peer, Run, handled};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const CONNECTIONS: u32 = 20;
const FILL_BATCH: usize = 5_000;

struct Apalis {
    pool: PgPool,
    storage: PostgresStorage<u64>,
    slots: usize,
}

impl Peer for Apalis {
    const ENGINE: &'static str = "apalis-postgres";

    async fn open(run: &Run) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&run.store).await?;
        PostgresStorage::setup(&pool).await?;
        // As the crate's example `basic`.
        let config = Config::default().queue("bench").batch_size(100).lock_tasks(false);
        let storage = PostgresStorage::new(&pool).with_config(config);
        Ok(Self { pool, storage, slots: run.slots })
    }

    async fn create(&self) -> Outcome<()> {
        Ok(self.storage.clone().push(1).await?)
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let mut storage = self.storage.clone();
        let numbers: Vec<u64> = (0..jobs).collect();
        for batch in numbers.chunks(FILL_BATCH) {
            storage.push_bulk(batch.to_vec()).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        let worker = WorkerBuilder::new("bench")
            .backend(self.storage.clone().with_pubsub())
            .concurrency(self.slots)
            .parallelize(tokio::spawn)
            .build(handle);
        tokio::spawn(worker.run());
        Ok(())
    }

    /// A job that is finished stays, with its result.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT FROM apalis.jobs WHERE status <> 'Done')";
        Ok(sqlx::query_scalar(drained).fetch_one(&self.pool).await?)
    }
}

async fn handle(_job: u64) -> Result<(), BoxDynError> {
    handled();
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Apalis>().await
}
