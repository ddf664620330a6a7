//! The floor: the same rows as the engine's, written to the same tables by hand-written SQL with no engine around it.
//!
//! It is what an expert would write who has only this one kind of work: no typed errors, no policies, no
//! requirements, no wake-ups, no answer to an unexpected row. What it shares with the engine is what costs:
//! the tables and indexes, the number of commits and their durability, and how many are under way at once.
//!
//! - On PostgreSQL an operation is one statement and one commit, from a pool of as many connections as the
//!   backend's has by default.
//! - On SQLite one connection writes, and as many operations are in one transaction as the engine's writer has
//!   waiting: that of 32 workers is 32 creations, then 32 claims, then 32 completions. They share their statements,
//!   as those of a batch do.
//!
//! Both are driven through sqlx, as the backends are.

mod postgres;
mod sqlite;

use std::time::Instant;

use ff_core::backend::Handle;
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, LaneId};
use uuid::Uuid;

use crate::store::Place;
use crate::work::Latencies;
use crate::{Bench, Outcome};

/// What one round of a drain claims, and then completes: what the worker runtime does at most.
const DRAIN: u64 = 256;
/// What the floor believes the time to be.
const NOW_MS: i64 = 1_700_000_000_000;
/// Later than any bench, also by the engine's clock: it renews some of these leases.
const EXPIRY_MS: i64 = 4_000_000_000_000;

/// The floor of a store.
pub struct Floor {
    lane: LaneId,
    partitions: PartitionConfig,
    way: Way,
}

enum Way {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Floor {
    /// The floor on the store of a bench, in a lane of its own or in that of the bench.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn beside(bench: &Bench, lane: &str) -> Outcome<Self> {
        let (lane, partitions) = (LaneId::new(lane), bench.backend.partition_config());
        let partition = ExecutionId::solo(&lane, &partitions).partition();
        let queue = Queue { lane: lane.to_string(), partition: i32::from(partition) };
        let way = match bench.place() {
            Place::File(file) => Way::Sqlite(sqlite::Sqlite::open(&file, queue).await?),
            Place::Server(options) => {
                Way::Postgres(postgres::Postgres::open(*options, queue).await?)
            }
        };
        Ok(Self { lane, partitions, way })
    }

    /// As [`Bench::create`], without the times of single ones.
    ///
    /// # Errors
    /// As the store.
    pub async fn create(&mut self, executions: u64, producers: u64) -> Outcome<Latencies> {
        let ids = self.ids(executions);
        match &mut self.way {
            Way::Sqlite(sqlite) => sqlite.create(&ids, producers).await?,
            Way::Postgres(postgres) => postgres.create(&ids, producers).await?,
        }
        Ok(Latencies::new())
    }

    /// As [`Bench::create_in_batches`].
    ///
    /// # Errors
    /// As the store.
    pub async fn create_in_batches(&mut self, executions: u64, size: u64) -> Outcome<Latencies> {
        let ids = self.ids(executions);
        match &mut self.way {
            Way::Sqlite(sqlite) => sqlite.create(&ids, size).await?,
            Way::Postgres(postgres) => postgres.create_in_batches(&ids, size).await?,
        }
        Ok(Latencies::new())
    }

    /// As [`Bench::claim`].
    ///
    /// # Errors
    /// As the store.
    pub async fn claim(&mut self, executions: u64) -> Outcome<Latencies> {
        let mut latencies = Latencies::new();
        for _ in 0..executions {
            let start = Instant::now();
            match &mut self.way {
                Way::Sqlite(sqlite) => sqlite.claim_one().await?,
                Way::Postgres(postgres) => postgres.claim_one().await?,
            }
            latencies.push(start.elapsed());
        }
        Ok(latencies)
    }

    /// As [`Bench::lifecycle`], without the times of single ones.
    ///
    /// # Errors
    /// As the store.
    pub async fn lifecycle(&mut self, executions: u64, workers: u64) -> Outcome<Latencies> {
        let ids = self.ids(executions);
        match &mut self.way {
            Way::Sqlite(sqlite) => sqlite.lifecycle(&ids, workers).await?,
            Way::Postgres(postgres) => postgres.lifecycle(&ids, workers).await?,
        }
        Ok(Latencies::new())
    }

    /// As [`Bench::lifecycle_in_batches`].
    ///
    /// # Errors
    /// As the store.
    pub async fn lifecycle_in_batches(&mut self, executions: u64, size: u64) -> Outcome<Latencies> {
        let ids = self.ids(executions);
        match &mut self.way {
            Way::Sqlite(sqlite) => sqlite.lifecycle(&ids, size).await?,
            Way::Postgres(postgres) => postgres.lifecycle_in_batches(&ids, size).await?,
        }
        Ok(Latencies::new())
    }

    /// Claims and completes all that is ready, in one loop, and returns how many these were.
    ///
    /// # Errors
    /// As the store.
    pub async fn drain(&mut self) -> Outcome<u64> {
        match &mut self.way {
            Way::Sqlite(sqlite) => Ok(sqlite.drain(DRAIN).await?),
            Way::Postgres(postgres) => Ok(postgres.drain(DRAIN).await?),
        }
    }

    /// As [`Bench::renew`], of the engine's own leases.
    ///
    /// # Errors
    /// As the store.
    pub async fn renew(&mut self, lists: &[&[Handle]]) -> Outcome<Latencies> {
        for handles in lists {
            let ids: Vec<Uuid> = handles.iter().map(|held| held.execution_id().uuid()).collect();
            match &mut self.way {
                Way::Sqlite(sqlite) => sqlite.renew(&ids).await?,
                Way::Postgres(postgres) => postgres.renew(&ids).await?,
            }
        }
        Ok(Latencies::new())
    }

    fn ids(&self, count: u64) -> Vec<Uuid> {
        (0..count).map(|_| ExecutionId::solo(&self.lane, &self.partitions).uuid()).collect()
    }
}

/// Where the floor's executions stand.
struct Queue {
    lane: String,
    partition: i32,
}
