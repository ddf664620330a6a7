use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ff_conformance::reference::ReferenceBackend;
use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;
use ff_core::execution::Attempt;
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::AttemptOutcome;
use ff_core::types::{ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_runtime::{Client, HandlerError, Job, Submission, Worker, WorkerBuilder, WorkerError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::spy::Spy;

pub(crate) const TTL: Duration = Duration::from_secs(30);
/// Longer than anything here takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A store under a clock that only the test moves, and a spy in front of it.
pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    /// The store itself, past the spy.
    pub(crate) store: Arc<dyn EngineBackend>,
    pub(crate) spy: Arc<Spy>,
    pub(crate) client: Client,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(TimestampMs::from_millis(1_000_000)));
        let store: Arc<dyn EngineBackend> = ReferenceBackend::with_clock(clock.clone());
        let spy = Spy::over(store.clone());
        let client = Client::new(spy.clone());
        Self { clock, store, spy, client }
    }

    /// A worker that does not supervise, so that nothing happens behind the test's back.
    pub(crate) fn worker(&self) -> WorkerBuilder<()> {
        Worker::builder(self.spy.clone()).supervise(false).lease_ttl(TTL)
    }

    pub(crate) async fn submit(&self, submission: Submission) -> ExecutionId {
        self.client.submit(submission).await.unwrap()
    }

    pub(crate) async fn attempts(&self, id: &ExecutionId) -> Vec<Attempt> {
        self.spy.list_attempts(id).await.unwrap()
    }

    pub(crate) async fn outcomes(&self, id: &ExecutionId) -> Vec<Option<AttemptOutcome>> {
        self.attempts(id).await.into_iter().map(|attempt| attempt.outcome).collect()
    }

    /// What another worker would be given.
    pub(crate) async fn claim(&self) -> Option<Handle> {
        let policy = ClaimPolicy::new(
            WorkerId::new("other"),
            WorkerInstanceId::new("other/1"),
            30_000,
            None,
        );
        let lane = LaneId::new("default");
        self.spy.claim(&lane, &CapabilitySet::default(), policy).await.unwrap()
    }
}

/// A worker whose first attempts never end and tell what happens to them.
pub(crate) fn stuck_once(
    builder: WorkerBuilder<()>,
    tell: mpsc::UnboundedSender<&'static str>,
) -> Worker {
    let handler = move |job: Job<()>, (): ()| {
        let tell = tell.clone();
        async move {
            if job.attempt() > 1 {
                return Ok::<_, HandlerError>("done");
            }
            let _ = tell.send("started");
            let token = job.cancelled().clone();
            let alarm = Alarm(tell.clone(), "dropped");
            tokio::spawn(async move {
                token.cancelled().await;
                let _ = tell.send("token");
            });
            std::future::pending::<()>().await;
            drop(alarm);
            Ok("never")
        }
    };
    builder.handler("stuck", handler).build().unwrap()
}

/// Waits until a handler of [`stuck_once`] was told by its token and is gone.
pub(crate) async fn stopped(heard: &mut Told) {
    let mut events = [told(heard).await, told(heard).await];
    events.sort_unstable();
    assert_eq!(events, ["dropped", "token"]);
}

/// A worker that runs beside the test.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), WorkerError>>,
}

pub(crate) fn start(worker: Worker) -> Running {
    let stop = CancellationToken::new();
    let task = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    Running { stop, task }
}

impl Running {
    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn abort(&self) {
        self.task.abort();
    }

    /// Waits for the worker to end by itself.
    pub(crate) async fn ended(self) -> Result<(), WorkerError> {
        in_time(self.task).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }
}

pub(crate) async fn in_time<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.expect("it should have happened by now")
}

/// Retries at once, this often.
pub(crate) fn retries(max_retries: u32) -> RetryPolicy {
    RetryPolicy {
        max_retries,
        backoff: BackoffStrategy::Fixed { delay_ms: 0 },
        ..RetryPolicy::default()
    }
}

pub(crate) fn plain(kind: &str) -> Submission {
    Submission::new(kind, &()).unwrap()
}

/// Tells when it is dropped.
pub(crate) struct Alarm(pub(crate) mpsc::UnboundedSender<&'static str>, pub(crate) &'static str);

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

pub(crate) type Told = mpsc::UnboundedReceiver<&'static str>;

pub(crate) fn teller() -> (mpsc::UnboundedSender<&'static str>, Told) {
    mpsc::unbounded_channel()
}

pub(crate) async fn told(from: &mut Told) -> &'static str {
    in_time(from.recv()).await.expect("somebody is left to tell")
}
