//! The tasks that hammer a store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_core::backend::Handle;
use ff_core::clock::ManualClock;
use ff_core::contracts::EventStream;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;
use futures::future::join_all;

use super::client::Client;
use super::dice::Dice;
use super::log::Log;
use super::recorder::Recorder;
use super::subscriber::Subscriber;

/// What the clients of one process do: each takes a number of steps, and each step makes a call or a batch of
/// calls that is chosen by weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Clients beside one another in a process, each a worker of its own.
    pub clients: usize,
    /// Steps of each client.
    pub steps: usize,
    /// Milliseconds that a lease lasts: few, so that many expire.
    pub lease_ttl_ms: u32,
    /// Another seed makes other choices. How the calls interleave is not repeated by a seed.
    pub seed: u64,
}

impl Default for Workload {
    /// Six clients of 80 steps, with leases of 50 ms.
    fn default() -> Self {
        Self { clients: 6, steps: 80, lease_ttl_ms: 50, seed: 0 }
    }
}

/// A process that takes part.
pub struct Participant {
    /// The names of its clients begin with it. No two of one log may have the same.
    pub name: String,
    /// The backends that its clients call, in turn.
    pub backends: Vec<Arc<dyn EngineBackend>>,
    /// The clock that its clients move, where time does not pass by itself.
    pub clock: Option<Arc<ManualClock>>,
    /// Where its calls are noted.
    pub log: Arc<Log>,
}

impl std::fmt::Debug for Participant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Participant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Workload {
    /// Runs the steps of all clients of a process. What they leave unfinished is for [`drain`](super::drain).
    pub async fn run(&self, participant: &Participant) {
        let shared = Arc::new(Shared::new(self.clone(), participant));
        let clients = (0..self.clients).zip(participant.backends.iter().cycle());
        let tasks = clients.map(|(index, backend)| {
            let name = format!("{}/{index}", participant.name);
            let recorder = Recorder::new(Arc::clone(backend), Arc::clone(&participant.log), name);
            let client = Client::new(recorder, Arc::clone(&shared));
            tokio::spawn(client.run())
        });
        for ended in join_all(tasks.collect::<Vec<_>>()).await {
            assert!(ended.is_ok(), "a client panicked: {ended:?}");
        }
    }
}

/// How many executions and handles the clients of a process remember to disturb each other by.
const REMEMBERED: usize = 24;

/// What the clients of one process share.
pub(super) struct Shared {
    pub(super) workload: Workload,
    pub(super) clock: Option<Arc<ManualClock>>,
    executions: Mutex<VecDeque<ExecutionId>>,
    handles: Mutex<VecDeque<Handle>>,
    pub(super) subscribers: Vec<tokio::sync::Mutex<Subscriber>>,
}

impl Shared {
    fn new(workload: Workload, participant: &Participant) -> Self {
        let subscriber = |stream: &EventStream| {
            tokio::sync::Mutex::new(Subscriber::new(&participant.name, *stream))
        };
        Self {
            workload,
            clock: participant.clock.clone(),
            executions: Mutex::default(),
            handles: Mutex::default(),
            subscribers: EventStream::ALL.iter().map(subscriber).collect(),
        }
    }

    pub(super) fn remember_execution(&self, id: &ExecutionId) {
        remember(&mut lock(&self.executions), id.clone());
    }

    pub(super) fn remember_handle(&self, handle: &Handle) {
        self.remember_execution(handle.execution_id());
        remember(&mut lock(&self.handles), handle.clone());
    }

    /// An execution that some client has created or claimed.
    pub(super) fn any_execution(&self, dice: &mut Dice) -> Option<ExecutionId> {
        dice.pick(lock(&self.executions).make_contiguous()).cloned()
    }

    /// A handle that some client was given: it may be stale, expired, or in use.
    pub(super) fn any_handle(&self, dice: &mut Dice) -> Option<Handle> {
        dice.pick(lock(&self.handles).make_contiguous()).cloned()
    }
}

fn remember<T>(memory: &mut VecDeque<T>, one: T) {
    memory.push_back(one);
    if memory.len() > REMEMBERED {
        memory.pop_front();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
