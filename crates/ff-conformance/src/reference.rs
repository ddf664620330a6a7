//! The reference backend: the rules of `ff-core` over maps behind a mutex.
//!
//! It is the oracle of the model tests, the worked example for authors of backends, and a test double
//! for programs that use an engine. Every operation reads alike: *load* what is stored, ask a *rule*,
//! *apply* its patch and append its events, all under one lock, so that it is wholly done or not at
//! all. `store.rs` is what a database is to other backends; the file of each area holds its operations;
//! `backend.rs` only says which operation is where.

mod admin;
mod backend;
mod claim;
mod event;
mod execution;
mod fixture;
mod flow;
mod lease;
mod operator;
mod probe;
mod store;
mod timer;
mod worker;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_core::clock::{Clock, SystemClock};
use ff_core::engine_error::EngineError;
use ff_core::rules::input::InputLimits;
use ff_core::types::TimestampMs;
use tokio::sync::Notify;

pub use fixture::{ReferenceFixture, ReferenceStore};

use store::State;

/// What [`backend_label`](ff_core::engine_backend::EngineBackend::backend_label) answers.
pub const LABEL: &str = "reference";

const LIMITS: InputLimits = InputLimits::DEFAULT;

/// The rules over maps behind a mutex. It keeps nothing when the last backend over its store is
/// dropped.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use ff_conformance::reference::ReferenceBackend;
/// use ff_core::engine_backend::EngineBackend;
///
/// let backend = ReferenceBackend::new();
/// assert!(backend.list_lanes().await.unwrap().is_empty());
/// # });
/// ```
pub struct ReferenceBackend {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    is_shut_down: AtomicBool,
}

/// What several backends may share, as several processes share a database.
#[derive(Default)]
struct Store {
    state: Mutex<State>,
    /// Wakes claims that wait for work.
    work: Notify,
}

impl ReferenceBackend {
    /// An empty store that goes by the machine's clock.
    pub fn new() -> Arc<Self> {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that goes by the clock given.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::over(Arc::default(), clock)
    }

    /// A second backend over the same store, as another process would open it.
    pub fn reopen(&self) -> Arc<Self> {
        Self::over(Arc::clone(&self.store), Arc::clone(&self.clock))
    }

    fn over(store: Arc<Store>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { store, clock, is_shut_down: AtomicBool::new(false) })
    }

    fn clock_now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// Begins an operation: nobody else reads or writes until the guard is dropped.
    fn lock(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(EngineError::Transport {
                backend: LABEL,
                source: "the backend was shut down".into(),
            });
        }
        Ok(self.store.lock())
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ReferenceBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceBackend").finish_non_exhaustive()
    }
}
