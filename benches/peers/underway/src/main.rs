//! The comparison's works on underway: a task on a queue of its own, with a worker that looks often, since it
//! starts one more of its loops each time that it looks or is notified.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::ToSpan;
use peer_protocol::{Outcome, Peer, Run, handled};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use underway::{Queue, Task, Worker, task};

#[derive(Clone)]
struct Count;

impl Task for Count {
    type Input = u64;
    type Output = ();

    async fn execute(&self, _: Transaction<'_, Postgres>, _: u64) -> task::Result<()> {
        handled();
        Ok(())
    }
}

struct Underway {
    pool: PgPool,
    queue: Arc<Queue<Count>>,
    slots: usize,
}

impl Peer for Underway {
    const ENGINE: &'static str = "underway";

    async fn open(run: &Run) -> Outcome<Self> {
        // Each slot holds a transaction while it takes another connection, and there are two listeners.
        let connections = u32::try_from(run.slots)? * 2 + 18;
        let pool = PgPoolOptions::new().max_connections(connections).connect(&run.store).await?;
        // The compiler cannot tell that its future may change threads.
        block_in_place(|| Handle::current().block_on(underway::run_migrations(&pool)))?;
        let queue = Queue::builder().name("bench").pool(pool.clone()).build().await?;
        Ok(Self { pool, queue: Arc::new(queue), slots: run.slots })
    }

    async fn create(&self) -> Outcome<()> {
        self.queue.enqueue(&self.pool, &Count, &1).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let numbers: Vec<u64> = (0..jobs).collect();
        let fill = self.queue.enqueue_multi(&self.pool, &Count, &numbers);
        block_in_place(|| Handle::current().block_on(fill))?;
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        let mut worker = Worker::new(Arc::clone(&self.queue), Count);
        worker.set_concurrency_limit(self.slots);
        tokio::spawn(async move { worker.run_every(10.milliseconds()).await });
        Ok(())
    }

    /// A task that is finished stays for two weeks, with its attempts.
    async fn is_drained(&self) -> Outcome<bool> {
        let drained = "SELECT NOT EXISTS (SELECT FROM underway.task WHERE state <> 'succeeded')";
        Ok(sqlx::query_scalar(drained).fetch_one(&self.pool).await?)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Underway>().await
}
