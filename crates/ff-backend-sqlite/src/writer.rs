//! The one writer: a thread that folds every waiting operation into one transaction, a savepoint
//! each, and answers after the commit (group commit).
//!
//! An operation runs here to its end whatever becomes of the future that asked for it (SAFE-2), and
//! on a thread of its own, so that a busy runtime does not hold the database's lock.

use std::thread;

use ff_core::engine_error::{ContentionKind, EngineError};
use futures::future::LocalBoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::LABEL;
use crate::error::{from_sqlx, unexpected, writer_stopped};
use crate::notify::WakeUps;
use crate::tx::Tx;

/// Operations in one transaction at most, so that the first does not wait for ever.
const GROUP_MAX: usize = 256;
/// Operations that wait before callers are held up.
const QUEUE: usize = 4_096;

/// An operation: runs inside a savepoint, and answers once the commit's result is known.
trait Job: Send {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx<'_>) -> LocalBoxFuture<'t, Finished>;
    /// Answers without having run.
    fn refuse(self: Box<Self>, error: EngineError);
}

/// An operation that has run.
struct Finished {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), EngineError>)>,
}

struct Operation<F, T> {
    body: F,
    keep_unawaited: bool,
    reply: oneshot::Sender<Result<T, EngineError>>,
}

enum Message {
    Run(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
}

impl Writer {
    /// Starts the thread. It ends when the last `Writer` is dropped or after `stop`.
    pub(crate) fn start(
        conn: SqliteConnection,
        wake_ups: WakeUps,
        instance_tag_path: String,
    ) -> Result<Self, EngineError> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|_| unexpected("the writer's runtime cannot be built"))?;
        let group = Group { conn, messages, wake_ups, instance_tag_path };
        thread::Builder::new()
            .name("ff-sqlite-writer".to_owned())
            .spawn(move || runtime.block_on(group.serve()))
            .map_err(|_| unexpected("the writer's thread cannot be started"))?;
        Ok(Self { queue })
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
        let (reply, answer) = oneshot::channel();
        let job = Message::Run(Box::new(Operation { body, keep_unawaited, reply }));
        self.queue.send(job).await.map_err(|_| writer_stopped())?;
        answer.await.map_err(|_| writer_stopped())?
    }

    /// Finishes what was accepted before, closes the connection, and returns.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).await.is_ok() {
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
            let Operation { body, keep_unawaited, reply } = *self;
            let result = body(tx).await;
            Finished {
                keep: result.is_ok() && (keep_unawaited || !reply.is_closed()),
                answer: Box::new(move |committed| {
                    let _ = reply.send(committed.and(result));
                }),
            }
        })
    }

    fn refuse(self: Box<Self>, error: EngineError) {
        let _ = self.reply.send(Err(error));
    }
}

struct Group {
    conn: SqliteConnection,
    messages: mpsc::Receiver<Message>,
    wake_ups: WakeUps,
    instance_tag_path: String,
}

impl Group {
    async fn serve(mut self) {
        while let Some(message) = self.messages.recv().await {
            let stop = match message {
                Message::Run(job) => self.commit_group(job).await,
                Message::Stop(done) => Some(done),
            };
            if let Some(done) = stop {
                self.messages.close();
                let _ = self.conn.close().await;
                let _ = done.send(());
                return;
            }
        }
        let _ = self.conn.close().await;
    }

    /// Runs the job and whatever arrives while it runs. Returns the stop message if one arrived.
    async fn commit_group(&mut self, first: Box<dyn Job>) -> Option<oneshot::Sender<()>> {
        let begun = self.conn.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                first.refuse(from_sqlx(error));
                return refuse_waiting(&mut self.messages);
            }
        };
        let mut finished = Vec::new();
        let mut woken = Vec::new();
        let mut stop = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            let mut tx = Tx::new(&mut transaction, &self.instance_tag_path);
            match run_in_savepoint(job, &mut tx).await {
                Ok(job) => finished.push(job),
                Err(job) => {
                    finished.push(job);
                    let _ = transaction.rollback().await;
                    refuse_all(finished, "an earlier operation of its group broke the transaction");
                    return stop;
                }
            }
            woken.append(&mut tx.into_woken());
            if finished.len() < GROUP_MAX {
                match self.messages.try_recv() {
                    Ok(Message::Run(job)) => next = Some(job),
                    Ok(Message::Stop(done)) => stop = Some(done),
                    Err(_) => {}
                }
            }
        }
        match transaction.commit().await {
            Ok(()) => {
                woken.iter().for_each(|lane| self.wake_ups.wake(lane));
                finished.into_iter().for_each(|job| (job.answer)(Ok(())));
            }
            Err(error) => refuse_all(finished, &format!("the commit failed: {error}")),
        }
        stop
    }
}

/// What waited as long as the first would wait as long again.
fn refuse_waiting(messages: &mut mpsc::Receiver<Message>) -> Option<oneshot::Sender<()>> {
    loop {
        match messages.try_recv() {
            Ok(Message::Run(job)) => {
                job.refuse(EngineError::Contention(ContentionKind::StoreBusy));
            }
            Ok(Message::Stop(done)) => return Some(done),
            Err(_) => return None,
        }
    }
}

/// Answers what was rolled back with its group.
fn refuse_all(finished: Vec<Finished>, reason: &str) {
    for job in finished {
        (job.answer)(Err(EngineError::Transport { backend: LABEL, source: reason.into() }));
    }
}

/// The job after it has run; an `Err` when the whole transaction is lost with it.
async fn run_in_savepoint(job: Box<dyn Job>, tx: &mut Tx<'_>) -> Result<Finished, Finished> {
    if let Err(error) = tx.begin_operation().await {
        return Err(refused(job, error));
    }
    let finished = job.run(tx).await;
    let ended = if finished.keep { tx.keep_operation().await } else { tx.undo_operation().await };
    match ended {
        Ok(()) => Ok(finished),
        Err(error) => Err(failed(finished, error)),
    }
}

fn refused(job: Box<dyn Job>, error: EngineError) -> Finished {
    Finished { keep: false, answer: Box::new(move |_| job.refuse(error)) }
}

fn failed(finished: Finished, error: EngineError) -> Finished {
    let answer = finished.answer;
    Finished { keep: false, answer: Box::new(move |_| answer(Err(error))) }
}
