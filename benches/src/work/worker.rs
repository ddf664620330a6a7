//! The worker runtime at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ff_core::contracts::ExecutionFilter;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_runtime::{HandlerError, Worker};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use super::{KIND, LANE, LOAD, Latencies};
use crate::report::Run;
use crate::{Bench, Outcome};

/// Between two pickups, so that the worker is idle again.
const PAUSE: Duration = Duration::from_millis(20);

impl Bench {
    /// Works off a backlog by a worker of so many slots, until the last execution is durably completed.
    ///
    /// The worker is told to stop when its last handler has run, and ends when all is stored; that it says
    /// goodbye to the registry is in the time too.
    ///
    /// # Errors
    /// As the backend and the worker; when an execution was not completed.
    pub async fn drain(&self, executions: u64, slots: usize) -> Outcome<Run> {
        let done = self.completed().await?;
        self.create_in_batches(executions, LOAD).await?;
        self.settle().await?;
        let all = Arc::new(Countdown { left: AtomicU64::new(executions), over: Notify::new() });
        let counted = Arc::clone(&all);
        let handler = move |_, _: Value| {
            counted.note();
            async { Ok::<_, HandlerError>(()) }
        };
        let worker = Worker::builder(Arc::clone(&self.backend)).lane(LANE).concurrency(slots);
        let worker = worker.handler(KIND, handler).build()?;
        let start = Instant::now();
        worker.run_until(all.over.notified()).await?;
        let elapsed = start.elapsed();
        match self.completed().await? - done {
            count if count == executions => {
                Ok(Run { units: executions, elapsed, latencies: Latencies::new() })
            }
            count => Err(format!("{count} of {executions} executions were completed").into()),
        }
    }

    /// How many executions are completed.
    ///
    /// # Errors
    /// As the backend.
    pub async fn completed(&self) -> Outcome<u64> {
        let counts = self.backend.count_executions(&ExecutionFilter::default()).await?;
        let completed = counts.iter().filter(|count| count.public_state == PublicState::Completed);
        Ok(completed.map(|count| count.count).sum())
    }

    /// Creates executions one by one while a worker is idle, through the same backend or through another
    /// one, and measures until their handler starts.
    ///
    /// # Errors
    /// As the backend and the worker.
    pub async fn pickups(&self, count: u64, worker: Arc<dyn EngineBackend>) -> Outcome<Run> {
        let (tell, mut heard) = mpsc::unbounded_channel();
        let handler = move |_, _: Value| {
            let _ = tell.send(Instant::now());
            async { Ok::<_, HandlerError>(()) }
        };
        let worker = Worker::builder(worker).lane(LANE).handler(KIND, handler).build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let work = worker.run_until(async { drop(stopped.await) });
        let submit = async {
            let mut latencies = Latencies::new();
            for _ in 0..count {
                sleep(PAUSE).await;
                self.backend.create_execution(self.args()).await?;
                let created = Instant::now();
                let started = heard.recv().await.ok_or("the worker is gone")?;
                latencies.push(started.saturating_duration_since(created));
            }
            drop(stop);
            Outcome::Ok(latencies)
        };
        let start = Instant::now();
        let (worked, latencies) = tokio::join!(work, submit);
        worked?;
        Ok(Run { units: count, elapsed: start.elapsed(), latencies: latencies? })
    }
}

struct Countdown {
    left: AtomicU64,
    over: Notify,
}

impl Countdown {
    fn note(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.over.notify_one();
        }
    }
}
