//! The comparison's works on effectum, in a file as it makes it and in one that somebody has put into WAL mode
//! before, which is what the crate means to do.
//!
//! It sets `synchronous=NORMAL` itself. With a rollback journal that syncs each commit; in WAL mode it does not, and
//! the last commits may be lost when the machine loses its power.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use effectum::{Error, Job, JobRunner, Queue, RunningJob, Worker};
use peer_protocol::{Outcome, Peer, Run, handled};

const KIND: &str = "bench";
const FILL_BATCH: usize = 1_000;

/// The engine, on a file in WAL mode or not.
pub struct Effectum<const WAL: bool> {
    queue: Queue,
    slots: u16,
    /// The worker ends when this is dropped.
    worker: Mutex<Option<Worker>>,
}

impl<const WAL: bool> Peer for Effectum<WAL> {
    const ENGINE: &'static str = if WAL { "effectum-wal" } else { "effectum" };

    async fn open(run: &Run) -> Outcome<Self> {
        let path = Path::new(&run.store);
        if WAL {
            let connection = rusqlite::Connection::open(path)?;
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        }
        let queue = Queue::new(path).await?;
        Ok(Self { queue, slots: run.slots.try_into()?, worker: Mutex::new(None) })
    }

    async fn create(&self) -> Outcome<()> {
        self.queue.add_job(job(1)?).await?;
        Ok(())
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let numbers: Vec<u64> = (0..jobs).collect();
        for batch in numbers.chunks(FILL_BATCH) {
            let batch: Result<_, _> = batch.iter().map(|n| job(*n)).collect();
            self.queue.add_jobs(batch?).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Outcome<()> {
        let runner = JobRunner::builder(KIND, count).build();
        // It fetches when half of the slots are free, and so several at a time.
        let worker = Worker::builder(&self.queue, ())
            .max_concurrency(self.slots)
            .min_concurrency((self.slots / 2).max(1))
            .jobs([runner])
            .build()
            .await?;
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        Ok(())
    }

    /// A job that is finished stays, with its result, out of the table of active ones.
    async fn is_drained(&self) -> Outcome<bool> {
        let active = self.queue.num_active_jobs().await?;
        Ok(active.pending + active.running == 0)
    }
}

fn job(n: u64) -> Result<Job, Error> {
    Ok(Job::builder(KIND).json_payload(&n)?.build())
}

async fn count(_job: RunningJob, _: ()) -> Result<(), Error> {
    handled();
    Ok(())
}
