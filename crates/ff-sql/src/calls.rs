//! Single calls that are made at the same time, to be run as batches: fewer statements and fewer commits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ff_core::engine_error::{ContentionKind, EngineError};
use tokio::sync::oneshot;

/// Calls in one batch at most.
const BATCH_MAX: usize = 256;
/// Bytes that the calls of one batch bring at most, unless one alone brings more.
const BATCH_BYTES: usize = 1 << 20;

/// What a call is told.
pub type Answer<T> = Result<T, EngineError>;

/// Calls of one kind that wait.
pub struct Calls<I, T> {
    shared: Arc<Shared<I, T>>,
}

struct Shared<I, T> {
    turns_max: usize,
    state: Mutex<State<I, T>>,
}

/// While calls wait, there is a turn.
struct State<I, T> {
    waiting: VecDeque<Call<I, T>>,
    turns: usize,
}

struct Call<I, T> {
    item: I,
    bytes: usize,
    asked_at: Instant,
    reply: oneshot::Sender<Answer<T>>,
}

/// The right to run what waits. When it is dropped before its end, those that wait hear that their answer will
/// not come.
#[must_use]
pub struct Turn<I, T> {
    shared: Arc<Shared<I, T>>,
    has_ended: bool,
}

/// Calls that are run together.
pub struct Batch<I, T> {
    items: Vec<I>,
    replies: Replies<T>,
}

/// Those who wait for the answers of a batch, each for its own.
pub struct Replies<T>(Vec<oneshot::Sender<Answer<T>>>);

impl<I, T> fmt::Debug for Calls<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("turns_max", &self.shared.turns_max)
            .field("waiting", &self.shared.state().waiting.len())
            .finish_non_exhaustive()
    }
}

impl<I, T> fmt::Debug for Turn<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl<I, T> fmt::Debug for Batch<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("calls", &self.items.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replies").field(&self.0.len()).finish()
    }
}

impl<I, T> Calls<I, T> {
    /// None yet, for this many turns at the same time at most.
    pub fn new(turns_max: usize) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), turns: 0 });
        Self { shared: Arc::new(Shared { turns_max, state }) }
    }

    /// Adds a call, which brings this many bytes, and whose answer comes through what is returned. The turn that
    /// is returned with it, unless enough are under way, is for the caller to see to.
    pub fn add(&self, item: I, bytes: usize) -> (oneshot::Receiver<Answer<T>>, Option<Turn<I, T>>) {
        let (reply, answer) = oneshot::channel();
        let mut state = self.shared.state();
        state.waiting.push_back(Call { item, bytes, asked_at: Instant::now(), reply });
        let is_free = state.turns < self.shared.turns_max;
        if is_free {
            state.turns += 1;
        }
        drop(state);
        (answer, is_free.then(|| Turn { shared: Arc::clone(&self.shared), has_ended: false }))
    }
}

impl<I, T> Shared<I, T> {
    fn state(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, T> Turn<I, T> {
    /// The next batch; the turn has ended when there is none.
    pub fn next_batch(&mut self) -> Option<Batch<I, T>> {
        if self.has_ended {
            return None;
        }
        let mut state = self.shared.state();
        let batch = state.next_batch();
        if batch.is_none() {
            state.turns -= 1;
            self.has_ended = true;
        }
        batch
    }

    /// The next batch, after which the turn has ended unless there is more: those that call from now on begin
    /// one of their own.
    pub fn only_batch(mut self) -> (Option<Batch<I, T>>, Option<Self>) {
        let mut state = self.shared.state();
        let batch = state.next_batch();
        let is_over = state.waiting.is_empty();
        if is_over {
            state.turns -= 1;
            self.has_ended = true;
        }
        drop(state);
        (batch, (!is_over).then_some(self))
    }

    /// Tells those that have waited since this time or before that they wait in vain. The turn goes on with the
    /// others, if there are any.
    pub fn refuse(mut self, since: Instant, error: impl Fn() -> EngineError) -> Option<Self> {
        let mut state = self.shared.state();
        let mut refused = Vec::new();
        while let Some(call) = state.waiting.pop_front_if(|call| call.asked_at <= since) {
            refused.push(call.reply);
        }
        let is_over = state.waiting.is_empty();
        if is_over {
            state.turns -= 1;
            self.has_ended = true;
        }
        drop(state);
        Replies(refused).refuse(error);
        (!is_over).then_some(self)
    }
}

impl<I, T> State<I, T> {
    /// Those whose callers have gone are left out.
    fn next_batch(&mut self) -> Option<Batch<I, T>> {
        let (mut items, mut replies) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            if next.reply.is_closed() {
                self.waiting.pop_front();
                continue;
            }
            bytes += next.bytes;
            if items.len() == BATCH_MAX || (bytes > BATCH_BYTES && !items.is_empty()) {
                break;
            }
            if let Some(call) = self.waiting.pop_front() {
                items.push(call.item);
                replies.push(call.reply);
            }
        }
        (!items.is_empty()).then_some(Batch { items, replies: Replies(replies) })
    }
}

impl<I, T> Drop for Turn<I, T> {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut state = self.shared.state();
            state.turns -= 1;
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            drop(waiting);
        }
    }
}

impl<I, T> Batch<I, T> {
    /// What was asked for, in the order of the answers.
    pub fn items(&self) -> &[I] {
        &self.items
    }

    /// Whether it is of a single call.
    pub fn is_single(&self) -> bool {
        self.items.len() == 1
    }

    /// Those who wait for the answers, without what they asked for.
    pub fn into_replies(self) -> Replies<T> {
        self.replies
    }

    /// A batch for each call.
    pub fn divide(self) -> impl Iterator<Item = Self> {
        let calls = self.items.into_iter().zip(self.replies.0);
        calls.map(|(item, reply)| Self { items: vec![item], replies: Replies(vec![reply]) })
    }
}

impl<T> Replies<T> {
    /// Whether anybody still waits.
    pub fn is_awaited(&self) -> bool {
        self.0.iter().any(|reply| !reply.is_closed())
    }

    /// Tells each its answer.
    pub fn answer(self, answers: Vec<Answer<T>>) {
        for (reply, answer) in self.0.into_iter().zip(answers) {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }

    /// Tells all of them the same: `error` gives each its own.
    pub fn refuse(self, error: impl Fn() -> EngineError) {
        let answers = self.0.iter().map(|_| Err(error())).collect();
        self.answer(answers);
    }
}

/// Whether an error of a batch is that the store was not reached at all: it concerns all calls, and none of them is
/// why.
pub fn concerns_all(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Transport { .. } | EngineError::Contention(ContentionKind::PoolExhausted)
    )
}

#[cfg(test)]
mod tests;
