//! The comparison's works on sqlxmq: it takes jobs in batches as large as the difference of its two limits.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use peer_protocol::{Outcome, Peer, Run, handled};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlxmq::{CurrentJob, JobRegistry, JobRunnerHandle, job};

const CONNECTIONS: u32 = 20;

#[job(channel_name = "bench")]
async fn count(mut job: CurrentJob) -> Result<(), Box<dyn Error + Send + Sync>> {
    handled();
    job.complete().await?;
    Ok(())
}

struct Sqlxmq {
    pool: PgPool,
    slots: usize,
    /// The runner ends when this is dropped.
    runner: Mutex<Option<JobRunnerHandle>>,
}

impl Peer for Sqlxmq {
    const ENGINE: &'static str = "sqlxmq";

    async fn open(run: &Run) -> Outcome<Self> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&run.store).await?;
        Migrator::new(Path::new(env!("SQLXMQ_MIGRATIONS"))).await?.run(&pool).await?;
        Ok(Self { pool, slots: run.slots, runner: Mutex::new(None) })
    }

    async fn create(&self) -> Outcome<()> {
        count.builder().set_json(&1)?.spawn(&self.pool).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let mut transaction = self.pool.begin().await?;
        for n in 0..jobs {
            count.builder().set_json(&n)?.spawn(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn start(&self) -> Outcome<()> {
        // As the guide has it: as many again as are kept running.
        let limits = ((self.slots / 2).max(1), self.slots.max(2));
        let registry = JobRegistry::new(&[count]);
        let runner = registry.runner(&self.pool).set_concurrency(limits.0, limits.1).run().await?;
        *self.runner.lock().unwrap_or_else(PoisonError::into_inner) = Some(runner);
        Ok(())
    }

    /// A job that is finished is deleted; one row with the nil id is always there.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT FROM mq_msgs WHERE id <> uuid_nil())";
        Ok(sqlx::query_scalar(drained).fetch_one(&self.pool).await?)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Sqlxmq>().await
}
