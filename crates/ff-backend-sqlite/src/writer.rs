//! The one writer: a thread that folds every waiting operation into one transaction, a savepoint
//! each, and answers after the commit (group commit).
//!
//! An operation runs here to its end whatever becomes of the future that asked for it (SAFE-2), and
//! on a thread of its own, so that a busy runtime does not hold the database's lock.

mod batcher;
mod spin;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ff_core::clock::Clock;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_sql::wake_ups::WakeUps;
use futures::future::LocalBoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::sleep;

pub(crate) use batcher::Batcher;

use crate::LABEL;
use crate::error::{from_sqlx, is_busy, unexpected, writer_stopped};
use crate::tx::Tx;

/// Operations in one transaction at most, so that the first does not wait for ever.
const GROUP_MAX: usize = 256;
/// What a group may take before it is committed, so that large operations do not pile up in one.
const GROUP_TIME: Duration = Duration::from_millis(50);
/// Between two looks at a lock that another process holds.
const BUSY_LOOK: Duration = Duration::from_millis(1);
/// Operations that wait before callers are held up, besides those that gather the calls of many.
const QUEUE: usize = 4_096;

/// An operation: runs inside a savepoint, and answers once the commit's result is known.
trait Job: Send {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx<'_>) -> LocalBoxFuture<'t, Finished>;
    /// Answers without having run. Returns what has not waited since this time, and is to be run yet.
    fn refuse(self: Box<Self>, since: Instant, error: EngineError) -> Option<Box<dyn Job>>;
}

/// An operation that has run.
struct Finished {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), EngineError>)>,
    /// What is left to do, after it and apart from it.
    then: Vec<Box<dyn Job>>,
}

impl Finished {
    fn new(keep: bool, answer: impl FnOnce(Result<(), EngineError>) + 'static) -> Self {
        Self { keep, answer: Box::new(answer), then: Vec::new() }
    }
}

struct Operation<F, T> {
    body: F,
    keep_unawaited: bool,
    reply: oneshot::Sender<Result<T, EngineError>>,
    _place: OwnedSemaphorePermit,
}

enum Message {
    /// The operation, and when it was asked for: how long it waits for the lock counts from then.
    Run(Box<dyn Job>, Instant),
    Stop(oneshot::Sender<()>),
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Message>,
    places: Arc<Semaphore>,
}

impl Writer {
    /// Starts the thread. It ends when the last `Writer` is dropped or after `stop`.
    pub(crate) fn start(
        conn: SqliteConnection,
        surroundings: Surroundings,
    ) -> Result<Self, EngineError> {
        let (queue, messages) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|_| unexpected("the writer's runtime cannot be built"))?;
        let group = Group { conn, messages, queue: VecDeque::new(), surroundings };
        thread::Builder::new()
            .name("ff-sqlite-writer".to_owned())
            .spawn(move || runtime.block_on(spin::spinning(group.serve())))
            .map_err(|_| unexpected("the writer's thread cannot be started"))?;
        Ok(Self { queue, places: Arc::new(Semaphore::new(QUEUE)) })
    }

    /// Runs the operation in the next transaction and returns its answer after the commit.
    pub(crate) async fn run<F, T>(&self, body: F) -> Result<T, EngineError>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(body, true).await
    }

    /// As `run`, but undone when the caller has gone by the time it has run: for what is worth nothing
    /// without its answer.
    pub(crate) async fn run_while_awaited<F, T>(&self, body: F) -> Result<T, EngineError>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(body, false).await
    }

    async fn submit<F, T>(&self, body: F, keep_unawaited: bool) -> Result<T, EngineError>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
        T: Send + 'static,
    {
        let asked_at = Instant::now();
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| writer_stopped())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Operation { body, keep_unawaited, reply, _place: place });
        self.submit_job(job, asked_at);
        answer.await.map_err(|_| writer_stopped())?
    }

    fn submit_now(&self, job: Box<dyn Job>) {
        self.submit_job(job, Instant::now());
    }

    /// A job that the writer does not come to, because it has stopped, is dropped, and its callers hear that.
    fn submit_job(&self, job: Box<dyn Job>, asked_at: Instant) {
        let _ = self.queue.send(Message::Run(job, asked_at));
    }

    /// Finishes the operations that were asked for before, closes the connection, and returns. Single calls that
    /// did not fit into the batch of their kind hear that the writer has stopped.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }
}

impl<F, T> Job for Operation<F, T>
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, EngineError> + Send + 'static,
    T: Send + 'static,
{
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx<'_>) -> LocalBoxFuture<'t, Finished> {
        Box::pin(async move {
            let Operation { body, keep_unawaited, reply, _place } = *self;
            let result = body(tx).await;
            let keep = result.is_ok() && (keep_unawaited || !reply.is_closed());
            Finished::new(keep, move |committed| {
                let _ = reply.send(result.and_then(|value| committed.map(|()| value)));
            })
        })
    }

    fn refuse(self: Box<Self>, _: Instant, error: EngineError) -> Option<Box<dyn Job>> {
        let _ = self.reply.send(Err(error));
        None
    }
}

/// What every operation is given.
pub(crate) struct Surroundings {
    pub(crate) wake_ups: WakeUps,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) instance_tag_path: String,
    /// How long an operation waits for other processes to finish writing.
    pub(crate) patience: Duration,
}

struct Group {
    conn: SqliteConnection,
    messages: mpsc::UnboundedReceiver<Message>,
    /// What has arrived, and what operations have left to do, in the order in which it came up.
    queue: VecDeque<Message>,
    surroundings: Surroundings,
}

impl Group {
    async fn serve(mut self) {
        // SQLite's own wait grows to 100 ms between two looks, in which another process commits and
        // begins again many times over: this thread looks every millisecond instead.
        let _ = execute(&mut self.conn, "PRAGMA busy_timeout = 0").await;
        while let Some(message) = self.next_message().await {
            let stop = match message {
                Message::Run(job, asked_at) => self.commit_group(job, asked_at).await,
                Message::Stop(done) => Some(done),
            };
            if let Some(done) = stop {
                return self.stop(done).await;
            }
        }
        let _ = self.conn.close().await;
    }

    /// Closes the connection. What has arrived meanwhile is dropped, and its callers hear that the writer has
    /// stopped.
    async fn stop(mut self, done: oneshot::Sender<()>) {
        self.messages.close();
        let mut stopped = vec![done];
        // Until nobody is in the midst of sending, or what is sent then would not be dropped.
        while let Some(message) = self.next_message().await {
            if let Message::Stop(done) = message {
                stopped.push(done);
            }
        }
        let _ = self.conn.close().await;
        for done in stopped {
            let _ = done.send(());
        }
    }

    async fn next_message(&mut self) -> Option<Message> {
        match self.take_message() {
            Some(message) => Some(message),
            None => self.messages.recv().await,
        }
    }

    fn take_message(&mut self) -> Option<Message> {
        self.collect();
        self.queue.pop_front()
    }

    fn collect(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            self.queue.push_back(message);
        }
    }

    /// Jobs that were left, behind what has arrived before.
    fn queue_up(&mut self, jobs: impl IntoIterator<Item = Box<dyn Job>>) {
        self.collect();
        let now = Instant::now();
        self.queue.extend(jobs.into_iter().map(|job| Message::Run(job, now)));
    }

    /// Runs the job and whatever arrives while it runs. Returns the stop message if one arrived.
    async fn commit_group(
        &mut self,
        first: Box<dyn Job>,
        asked_at: Instant,
    ) -> Option<oneshot::Sender<()>> {
        if let Err(error) = begin(&mut self.conn, asked_at, self.surroundings.patience).await {
            roll_back(&mut self.conn).await;
            // Those that came while it waited for a lock have not waited for long enough.
            let since = if is_busy(&error) { asked_at } else { Instant::now() };
            self.queue_up(first.refuse(since, from_sqlx(error)));
            return None;
        }
        let begun_at = Instant::now();
        let mut finished = Vec::new();
        let mut woken = Vec::new();
        let mut stop = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            let mut tx = Tx::new(&mut self.conn, &self.surroundings);
            let run = run_in_savepoint(job, &mut tx, finished.is_empty()).await;
            let is_lost = run.is_err();
            let (Ok(mut job) | Err(mut job)) = run;
            let then = std::mem::take(&mut job.then);
            let mut woken_by_it = tx.into_woken();
            finished.push(job);
            self.queue_up(then);
            if is_lost {
                roll_back(&mut self.conn).await;
                refuse_all(finished, || {
                    transport("an operation of its group broke the transaction")
                });
                return stop;
            }
            woken.append(&mut woken_by_it);
            if finished.len() < GROUP_MAX && begun_at.elapsed() < GROUP_TIME {
                match self.take_message() {
                    Some(Message::Run(job, _)) => next = Some(job),
                    Some(Message::Stop(done)) => stop = Some(done),
                    None => {}
                }
            }
        }
        match execute(&mut self.conn, "COMMIT").await {
            Ok(()) => {
                woken.iter().for_each(|lane| self.surroundings.wake_ups.wake(lane));
                finished.into_iter().for_each(|job| (job.answer)(Ok(())));
            }
            Err(error) => {
                roll_back(&mut self.conn).await;
                let reason = format!("the commit failed: {error}");
                refuse_all(finished, || match is_busy(&error) {
                    true => EngineError::Contention(ContentionKind::StoreBusy),
                    false => transport(&reason),
                });
            }
        }
        stop
    }
}

/// Takes the file's write lock, and begins the first operation. The transaction is begun and ended by plain
/// statements: SQLite ends one by itself on some errors, such as a full disk, and the driver's own count would
/// not notice.
async fn begin(
    conn: &mut SqliteConnection,
    asked_at: Instant,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    loop {
        match execute(conn, "BEGIN IMMEDIATE; SAVEPOINT operation").await {
            Err(error) if is_busy(&error) && asked_at.elapsed() < patience => {
                sleep(BUSY_LOOK).await;
            }
            other => return other,
        }
    }
}

/// There is nothing to roll back when SQLite has done so already.
async fn roll_back(conn: &mut SqliteConnection) {
    let _ = execute(conn, "ROLLBACK").await;
}

async fn execute(conn: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(conn).await.map(|_| ())
}

/// Answers what was rolled back with its group. An operation that has its own error keeps it.
fn refuse_all(finished: Vec<Finished>, error: impl Fn() -> EngineError) {
    for job in finished {
        (job.answer)(Err(error()));
    }
}

fn transport(reason: &str) -> EngineError {
    EngineError::Transport { backend: LABEL, source: reason.into() }
}

/// The job after it has run; an `Err` when the whole transaction is lost with it. What is kept is left in its
/// savepoint until the next operation begins, or the commit: each call of the driver is two switches of threads.
async fn run_in_savepoint(
    job: Box<dyn Job>,
    tx: &mut Tx<'_>,
    is_first: bool,
) -> Result<Finished, Finished> {
    if !is_first && let Err(error) = tx.begin_operation().await {
        return Err(refused(job, error));
    }
    let finished = job.run(tx).await;
    if finished.keep {
        return Ok(finished);
    }
    match tx.undo_operation().await {
        Ok(()) => Ok(finished),
        Err(error) => Err(failed(finished, error)),
    }
}

fn refused(job: Box<dyn Job>, error: EngineError) -> Finished {
    let then = job.refuse(Instant::now(), error).into_iter().collect();
    Finished { then, ..Finished::new(false, |_| ()) }
}

fn failed(finished: Finished, error: EngineError) -> Finished {
    let Finished { answer, then, .. } = finished;
    Finished { then, ..Finished::new(false, move |_| answer(Err(error))) }
}

#[cfg(test)]
mod tests;
