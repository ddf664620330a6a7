//! Single calls that are gathered until the writer comes to them, and run as one operation: fewer statements.

use std::sync::Arc;
use std::time::Instant;

use ff_core::engine_error::EngineError;
use ff_sql::calls::{Answer, Batch, Calls, Turn, concerns_all};
use futures::future::LocalBoxFuture;

use super::{Finished, Job, Writer, transport};
use crate::error::writer_stopped;
use crate::tx::Tx;

/// What runs a batch inside a savepoint: an answer for each call in their order, or one error for all of them.
type RunBatch<I, T> = dyn for<'t> Fn(&'t mut Tx<'_>, &'t [I]) -> LocalBoxFuture<'t, Answer<Vec<Answer<T>>>>
    + Send
    + Sync;

/// Gathers calls of one kind. Every call has its own answer, whatever becomes of those beside it.
pub(crate) struct Batcher<I, T> {
    writer: Writer,
    calls: Calls<I, T>,
    kind: Arc<Kind<I, T>>,
}

struct Kind<I, T> {
    run: Box<RunBatch<I, T>>,
    /// Whether what has run is kept when every caller has gone.
    keeps_unawaited: bool,
}

impl<I: Send + 'static, T: Send + 'static> Batcher<I, T> {
    pub(crate) fn new(
        writer: Writer,
        run: impl for<'t> Fn(&'t mut Tx<'_>, &'t [I]) -> LocalBoxFuture<'t, Answer<Vec<Answer<T>>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::of(writer, Kind { run: Box::new(run), keeps_unawaited: true })
    }

    /// As `new`, but undone when every caller has gone by the time it has run: for what is worth nothing without
    /// its answer.
    pub(crate) fn while_awaited(
        writer: Writer,
        run: impl for<'t> Fn(&'t mut Tx<'_>, &'t [I]) -> LocalBoxFuture<'t, Answer<Vec<Answer<T>>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::of(writer, Kind { run: Box::new(run), keeps_unawaited: false })
    }

    fn of(writer: Writer, kind: Kind<I, T>) -> Self {
        // A turn is over when the writer comes to it: the next call is in time for the same transaction.
        Self { writer, calls: Calls::new(1), kind: Arc::new(kind) }
    }

    /// Makes the call, which brings this many bytes, with those that wait beside it. Once the writer has come to
    /// it, it does not need this future any more; what is to be undone without its caller is undone with its batch.
    pub(crate) async fn call(&self, item: I, bytes: usize) -> Answer<T> {
        let (answer, turn) = self.calls.add(item, bytes);
        if let Some(turn) = turn {
            let job = Box::new(Gathering { turn, kind: Arc::clone(&self.kind) });
            self.writer.submit_now(job);
        }
        answer.await.map_err(|_| writer_stopped())?
    }
}

/// The calls that wait when the writer comes to them.
struct Gathering<I, T> {
    turn: Turn<I, T>,
    kind: Arc<Kind<I, T>>,
}

impl<I: Send + 'static, T: Send + 'static> Job for Gathering<I, T> {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx<'_>) -> LocalBoxFuture<'t, Finished> {
        Box::pin(async move {
            let Self { turn, kind } = *self;
            let (batch, turn) = turn.only_batch();
            let mut finished = match batch {
                Some(batch) => kind.run(batch, tx).await,
                None => Finished::new(true, |_| ()),
            };
            if let Some(turn) = turn {
                finished.then.push(Box::new(Self { turn, kind }));
            }
            finished
        })
    }

    fn refuse(self: Box<Self>, since: Instant, error: EngineError) -> Option<Box<dyn Job>> {
        let Self { turn, kind } = *self;
        let turn = turn.refuse(since, || copy(&error))?;
        Some(Box::new(Self { turn, kind }))
    }
}

/// A call whose batch failed, and which may not be why.
struct Divided<I, T> {
    call: Batch<I, T>,
    kind: Arc<Kind<I, T>>,
}

impl<I: Send + 'static, T: Send + 'static> Job for Divided<I, T> {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx<'_>) -> LocalBoxFuture<'t, Finished> {
        Box::pin(async move { self.kind.run(self.call, tx).await })
    }

    fn refuse(self: Box<Self>, _: Instant, error: EngineError) -> Option<Box<dyn Job>> {
        self.call.into_replies().refuse(|| copy(&error));
        None
    }
}

impl<I: Send + 'static, T: Send + 'static> Kind<I, T> {
    async fn run(self: &Arc<Self>, batch: Batch<I, T>, tx: &mut Tx<'_>) -> Finished {
        match (self.run)(tx, batch.items()).await {
            Ok(answers) => {
                let replies = batch.into_replies();
                Finished::new(self.keeps_unawaited || replies.is_awaited(), move |committed| {
                    match committed {
                        Ok(()) => replies.answer(answers),
                        Err(error) => replies.refuse(|| copy(&error)),
                    }
                })
            }
            Err(error) if batch.is_single() => {
                let replies = batch.into_replies();
                Finished::new(false, move |_| replies.answer(vec![Err(error)]))
            }
            Err(error) if concerns_all(&error) => {
                let replies = batch.into_replies();
                Finished::new(false, move |_| replies.refuse(|| copy(&error)))
            }
            // One of them is why, and the others shall not hear of it.
            Err(_) => {
                let alone =
                    |call| Box::new(Divided { call, kind: Arc::clone(self) }) as Box<dyn Job>;
                let then = batch.divide().map(alone).collect();
                Finished { then, ..Finished::new(false, |_| ()) }
            }
        }
    }
}

/// One of the errors on which a whole group may end, for another of its calls.
fn copy(error: &EngineError) -> EngineError {
    match error {
        EngineError::Contention(kind) => EngineError::Contention(*kind),
        EngineError::Transport { source, .. } => transport(&source.to_string()),
        other => transport(&other.to_string()),
    }
}

#[cfg(test)]
mod tests;
