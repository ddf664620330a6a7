//! Single calls that are made at the same time, run as batches: fewer statements and fewer commits.
//!
//! No call waits for company. A call that finds nothing under way runs at once; those that come while it runs
//! are the next batch.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_core::engine_error::{ContentionKind, EngineError};
use futures::future::{BoxFuture, join_all};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Calls in one batch at most.
const BATCH_MAX: usize = 256;
/// Bytes that the calls of one batch bring at most, unless one alone brings more.
const BATCH_BYTES: usize = 1 << 20;

type Answer<T> = Result<T, EngineError>;

/// What runs a batch: an answer for each call in their order, or one error for all of them.
pub type RunBatch<I, T> =
    dyn Fn(Vec<I>) -> BoxFuture<'static, Answer<Vec<Answer<T>>>> + Send + Sync;

/// Gathers calls of one kind. Every call has its own answer, whatever becomes of those beside it.
pub struct Batcher<I, T> {
    shared: Arc<Shared<I, T>>,
}

struct Shared<I, T> {
    backend: &'static str,
    running_max: usize,
    run: Box<RunBatch<I, T>>,
    state: Mutex<State<I, T>>,
}

struct State<I, T> {
    waiting: VecDeque<Call<I, T>>,
    running: usize,
}

struct Call<I, T> {
    item: I,
    bytes: usize,
    reply: oneshot::Sender<Answer<T>>,
}

impl<I, T> fmt::Debug for Batcher<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("running_max", &self.shared.running_max)
            .finish_non_exhaustive()
    }
}

impl<I: Clone + Send + 'static, T: Send + 'static> Batcher<I, T> {
    /// A batcher for the backend of this label, which runs this many batches at the same time at most.
    pub fn new(
        backend: &'static str,
        running_max: usize,
        run: impl Fn(Vec<I>) -> BoxFuture<'static, Answer<Vec<Answer<T>>>> + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), running: 0 });
        Self { shared: Arc::new(Shared { backend, running_max, run: Box::new(run), state }) }
    }

    /// Makes the call, which brings this many bytes, with those that wait beside it. Once it is under way it is
    /// made to its end even when this future is dropped, but not outside a Tokio runtime.
    ///
    /// # Errors
    /// As the call made alone; `Transport` when the runtime that makes it ends first.
    pub async fn call(&self, item: I, bytes: usize) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        if let Some(turn) = Turn::enter(&self.shared, Call { item, bytes, reply }) {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(turn.run())),
                Err(_) => turn.run().await,
            }
        }
        answer.await.unwrap_or_else(|_| Err(self.shared.transport("the runtime has ended")))
    }
}

impl<I, T> Shared<I, T> {
    fn state(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transport(&self, reason: &str) -> EngineError {
        EngineError::Transport { backend: self.backend, source: reason.into() }
    }
}

impl<I: Clone, T> Shared<I, T> {
    async fn serve(&self, mut batch: Vec<Call<I, T>>) {
        let items = batch.iter().map(|call| call.item.clone()).collect();
        match (self.run)(items).await {
            Ok(answers) => answer_all(batch, answers),
            Err(error) if batch.len() == 1 => answer_all(batch.split_off(0), vec![Err(error)]),
            Err(error) if concerns_all(&error) => {
                let reason = error.to_string();
                let answers = batch.iter().map(|_| Err(self.transport(&reason))).collect();
                answer_all(batch, answers);
            }
            // One of them is why, and the others shall not hear of it.
            Err(_) => drop(join_all(batch.into_iter().map(|call| self.serve_alone(call))).await),
        }
    }

    async fn serve_alone(&self, call: Call<I, T>) {
        let answers = (self.run)(vec![call.item.clone()]).await;
        answer_all(vec![call], answers.unwrap_or_else(|error| vec![Err(error)]));
    }
}

/// Whether the store was not reached at all.
fn concerns_all(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Transport { .. } | EngineError::Contention(ContentionKind::PoolExhausted)
    )
}

fn answer_all<I, T>(batch: Vec<Call<I, T>>, answers: Vec<Answer<T>>) {
    for (call, answer) in batch.into_iter().zip(answers) {
        // Whoever asked may have gone.
        let _ = call.reply.send(answer);
    }
}

/// One of the batches that may run at the same time. When it is dropped before its end, those that wait are told.
struct Turn<I, T> {
    shared: Arc<Shared<I, T>>,
    has_ended: bool,
}

impl<I: Clone + Send + 'static, T: Send + 'static> Turn<I, T> {
    /// Adds a call to those that wait. It is a turn for whoever adds it, unless enough are under way.
    fn enter(shared: &Arc<Shared<I, T>>, call: Call<I, T>) -> Option<Self> {
        let mut state = shared.state();
        state.waiting.push_back(call);
        let is_free = state.running < shared.running_max;
        if is_free {
            state.running += 1;
        }
        is_free.then(|| Self { shared: Arc::clone(shared), has_ended: false })
    }

    async fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            self.shared.serve(batch).await;
        }
    }

    fn next_batch(&mut self) -> Option<Vec<Call<I, T>>> {
        let mut state = self.shared.state();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            if next.reply.is_closed() {
                state.waiting.pop_front();
                continue;
            }
            bytes += next.bytes;
            if batch.len() == BATCH_MAX || (bytes > BATCH_BYTES && !batch.is_empty()) {
                break;
            }
            batch.extend(state.waiting.pop_front());
        }
        if batch.is_empty() {
            state.running -= 1;
            drop(state);
            self.has_ended = true;
            return None;
        }
        Some(batch)
    }
}

impl<I, T> Drop for Turn<I, T> {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut state = self.shared.state();
            state.running -= 1;
            state.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests;
