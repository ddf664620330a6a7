//! What the handler counts. It belongs to the whole process, since the handlers of some engines have no state.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

static STATE: Mutex<State> = Mutex::new(State { count: 0, target: 0, reached_at: None });
static REACHED: Notify = Notify::const_new();

struct State {
    count: u64,
    target: u64,
    reached_at: Option<Instant>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one job. A handler calls it first and does nothing else.
pub fn handled() {
    let mut state = state();
    state.count += 1;
    if state.count == state.target {
        state.reached_at = Some(Instant::now());
        drop(state);
        REACHED.notify_one();
    }
}

pub(crate) fn count() -> u64 {
    state().count
}

/// Sets the count that [`reached`] waits for, before anything is done that brings it about.
pub(crate) fn aim_at(target: u64) {
    let mut state = state();
    state.target = target;
    state.reached_at = (state.count >= target).then(Instant::now);
}

/// Waits until so many jobs were handled, and tells when that was.
pub(crate) async fn reached() -> Instant {
    loop {
        let reached_at = state().reached_at;
        match reached_at {
            Some(at) => return at,
            None => REACHED.notified().await,
        }
    }
}
