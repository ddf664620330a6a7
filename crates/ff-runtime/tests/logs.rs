//! What the runtime logs. A program of its own: callsites are shared by all threads of a process.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use ff_conformance::reference::ReferenceBackend;
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_runtime::{Client, HandlerError, Job, Submission, Worker};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

const SECRET: &str = "hunter2";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What all tests of this program log.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    subscriber.with_writer(log.clone()).init();
    log
});

async fn leak(job: Job<()>, secret: String) -> Result<String, HandlerError> {
    match job.attempt() {
        1 => return Err(HandlerError::transient(secret)),
        2 => std::panic::resume_unwind(Box::new(secret)),
        _ => tracing::info!("the handler speaks"),
    }
    Ok(secret)
}

async fn number(_: Job<()>, number: u8) -> Result<u8, HandlerError> {
    Ok(number)
}

#[tokio::test(start_paused = true)]
async fn spans_name_the_execution_and_nothing_shows_its_payload() {
    let log = &*LOG;
    let backend = ReferenceBackend::new();
    let client = Client::new(backend.clone());
    let worker = Worker::builder(backend).handler("leak", leak).handler("number", number);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker.build().unwrap().run_until(stop.clone().cancelled_owned()));

    let backoff = BackoffStrategy::Fixed { delay_ms: 0 };
    let retries = RetryPolicy { backoff, ..RetryPolicy::default() };
    let leaky = Submission::new("leak", &SECRET).unwrap().retry(retries);
    let id = client.submit(leaky).await.unwrap();
    let unreadable = client.submit(Submission::new("number", &SECRET).unwrap()).await.unwrap();
    assert_eq!(client.result::<String>(&id, None).await.unwrap(), SECRET);
    client.wait(&unreadable, None).await.unwrap();
    stop.cancel();
    worker.await.unwrap().unwrap();

    let text = log.text();
    let span = format!("execution{{execution_id={id} kind=\"leak\" attempt=3}}");
    let line = text.lines().find(|line| line.contains("the handler speaks"));
    assert!(line.is_some_and(|line| line.contains(&span)), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

/// Moves the clock in steps that are short enough for every timer to be on time.
async fn pass(time: Duration) {
    const STEP: Duration = Duration::from_millis(50);
    for _ in 0..time.as_millis() / STEP.as_millis() {
        tokio::time::advance(STEP).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_runtime_is_spoken_of_once() {
    const TTL: Duration = Duration::from_secs(30);
    let log = &*LOG;
    let worker = Worker::builder(ReferenceBackend::new()).handler("number", number).lease_ttl(TTL);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker.build().unwrap().run_until(stop.clone().cancelled_owned()));
    // The worker's timers are set; then nothing of it runs while half a lease's time passes.
    pass(TTL).await;
    let spoken = || log.text().matches("the runtime's threads are blocked").count();
    assert_eq!(spoken(), 0);
    tokio::time::advance(TTL / 2).await;
    pass(TTL).await;
    stop.cancel();
    worker.await.unwrap().unwrap();

    assert_eq!(spoken(), 1);
}
