//! The comparison's works on apalis-sqlite: fetched by a hundred, woken by SQLite's update hook.

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteStorage};
use futures::Stream;
use peer_protocol::{Outcome, Peer, Run, handled};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, SqlitePool};

const FILL_BATCH: usize = 1_000;

struct Apalis {
    pool: SqlitePool,
    storage: SqliteStorage<u64>,
    slots: usize,
    /// Taken when the worker starts.
    listener: Mutex<Option<Pin<Box<dyn Stream<Item = ()> + Send + Sync>>>>,
}

impl Peer for Apalis {
    const ENGINE: &'static str = "apalis-sqlite";

    async fn open(run: &Run) -> Outcome<Self> {
        // The file stays in this mode. `SqliteStorage::setup` would also turn off `synchronous`, on one of the
        // connections; all of them are to have SQLite's default, which is FULL.
        let options = SqliteConnectOptions::new().filename(&run.store).create_if_missing(true);
        let first = options.journal_mode(SqliteJournalMode::Wal).connect().await?;
        sqlx::Connection::close(first).await?;
        let url = format!("sqlite://{}", run.store);
        let (pool, listener) = SqliteStorage::connect_with_callback(&url)?;
        SqliteStorage::migrations().run(&pool).await?;
        let config = Config::default().queue("bench").batch_size(100).lock_tasks(false);
        let storage = SqliteStorage::new(&pool).with_config(config);
        Ok(Self { pool, storage, slots: run.slots, listener: Mutex::new(Some(Box::pin(listener))) })
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
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let listener = listener.ok_or("the worker was started already")?;
        let strategy = Strategy::new().stream(listener).interval(Duration::from_millis(500));
        let worker = WorkerBuilder::new("bench")
            .backend(self.storage.clone().poll_with_strategy(strategy))
            .concurrency(self.slots)
            .parallelize(tokio::spawn)
            .build(handle);
        tokio::spawn(worker.run());
        Ok(())
    }

    /// A job that is finished stays, with its result.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT 1 FROM Jobs WHERE status <> 'Done')";
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
