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

use super::{KIND, LANE, LOAD, Latencies, lane};
use crate::report::Run;
use crate::{Bench, Outcome};

/// Between two looks at what is still running.
const LOOK: Duration = Duration::from_millis(1);
/// How long a claim of a drain waits: none has to before the end, and the worker waits for it to stop.
const CLAIM_WAIT: Duration = Duration::from_millis(20);
/// Between two pickups, so that the worker is idle again.
const PAUSE: Duration = Duration::from_millis(20);

impl Bench {
    /// Works off a backlog by a worker of so many slots, until the last execution is durably completed.
    ///
    /// When all handlers have run, the store is asked every millisecond how many it still counts as running.
    /// How long the worker takes to stop is not in the time.
    ///
    /// # Errors
    /// As the backend and the worker; when an execution was not completed.
    pub async fn drain(&self, executions: u64, slots: usize) -> Outcome<Run> {
        let done = self.count(PublicState::Completed).await?;
        self.create_in_batches(executions, LOAD).await?;
        self.settle().await?;
        let all = Arc::new(Countdown { left: AtomicU64::new(executions), over: Notify::new() });
        let counted = Arc::clone(&all);
        let handler = move |_, _: Value| {
            counted.note();
            async { Ok::<_, HandlerError>(()) }
        };
        let worker = Worker::builder(Arc::clone(&self.backend)).lane(LANE).concurrency(slots);
        let worker = worker.claim_wait(CLAIM_WAIT).handler(KIND, handler).build()?;
        let start = Instant::now();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = worker.run_until(async { drop(stopped.await) });
        let work = async { Outcome::Ok(work.await?) };
        let ((), elapsed) = tokio::try_join!(work, async {
            let _stops = stop;
            all.over.notified().await;
            while self.count(PublicState::Running).await? > 0 {
                sleep(LOOK).await;
            }
            Outcome::Ok(start.elapsed())
        })?;
        match self.count(PublicState::Completed).await? - done {
            count if count == executions => {
                Ok(Run { units: executions, elapsed, latencies: Latencies::new() })
            }
            count => Err(format!("{count} of {executions} executions were completed").into()),
        }
    }

    /// How many executions of the lane are in this state.
    async fn count(&self, state: PublicState) -> Outcome<u64> {
        let (lane_id, public_state) = (Some(lane()), Some(state));
        let filter = ExecutionFilter { lane_id, public_state, ..ExecutionFilter::default() };
        let counts = self.backend.count_executions(&filter).await?;
        Ok(counts.iter().map(|count| count.count).sum())
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
