//! Single calls that are made at the same time, run as batches: fewer statements and fewer commits.
//!
//! No call waits for company. A call that finds nothing under way runs at once; those that come while it runs
//! are the next batch.

use std::sync::Arc;

use ff_core::engine_error::EngineError;
use ff_sql::calls::{Answer, Batch, Calls, Turn, concerns_all};
use futures::future::{BoxFuture, join_all};
use tokio::runtime::Handle;

use crate::LABEL;

/// What runs a batch: an answer for each call in their order, or one error for all of them.
type RunBatch<I, T> = dyn Fn(Vec<I>) -> BoxFuture<'static, Answer<Vec<Answer<T>>>> + Send + Sync;

/// Gathers calls of one kind. Every call has its own answer, whatever becomes of those beside it.
pub(crate) struct Batcher<I, T> {
    calls: Calls<I, T>,
    run: Arc<RunBatch<I, T>>,
}

impl<I: Clone + Send + 'static, T: Send + 'static> Batcher<I, T> {
    /// Runs this many batches at the same time at most.
    pub(crate) fn new(
        running_max: usize,
        run: impl Fn(Vec<I>) -> BoxFuture<'static, Answer<Vec<Answer<T>>>> + Send + Sync + 'static,
    ) -> Self {
        Self { calls: Calls::new(running_max), run: Arc::new(run) }
    }

    /// Makes the call, which brings this many bytes, with those that wait beside it. Once it is under way it is
    /// made to its end even when this future is dropped, but not outside a Tokio runtime.
    pub(crate) async fn call(&self, item: I, bytes: usize) -> Answer<T> {
        let (answer, turn) = self.calls.add(item, bytes);
        if let Some(turn) = turn {
            let serve = serve(turn, Arc::clone(&self.run));
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(serve)),
                Err(_) => serve.await,
            }
        }
        answer.await.unwrap_or_else(|_| Err(transport("the runtime has ended")))
    }
}

async fn serve<I: Clone, T>(mut turn: Turn<I, T>, run: Arc<RunBatch<I, T>>) {
    while let Some(batch) = turn.next_batch() {
        match run(batch.items().to_vec()).await {
            Ok(answers) => batch.into_replies().answer(answers),
            Err(error) if batch.is_single() => batch.into_replies().answer(vec![Err(error)]),
            Err(error) if concerns_all(&error) => {
                let reason = error.to_string();
                batch.into_replies().refuse(|| transport(&reason));
            }
            // One of them is why, and the others shall not hear of it.
            Err(_) => drop(join_all(batch.divide().map(|call| serve_alone(call, &*run))).await),
        }
    }
}

async fn serve_alone<I: Clone, T>(call: Batch<I, T>, run: &RunBatch<I, T>) {
    let answers = run(call.items().to_vec()).await;
    call.into_replies().answer(answers.unwrap_or_else(|error| vec![Err(error)]));
}

fn transport(reason: &str) -> EngineError {
    EngineError::Transport { backend: LABEL, source: reason.into() }
}

#[cfg(test)]
mod tests;
