//! What a handler knows of the execution that it runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ff_core::backend::Handle;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, LaneId, Namespace};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::error::ProgressError;

/// The execution that a handler runs, and the worker's shared state. Cheap to clone.
///
/// A handler is a future on the worker's runtime: work that blocks its thread belongs in
/// `tokio::task::spawn_blocking`, with [`cancelled`](Self::cancelled) to tell it when to stop. A
/// handler that never yields holds up the renewal of leases, and keeps the process from ending too.
pub struct Job<S> {
    state: Arc<S>,
    parts: JobParts,
}

/// What a job is made of beside the handler's state.
#[derive(Clone)]
pub(crate) struct JobParts {
    pub(crate) facts: Arc<JobFacts>,
    pub(crate) backend: Arc<dyn EngineBackend>,
    /// Fires when the handler is not to go on.
    pub(crate) cancelled: CancellationToken,
    /// Fired by whoever learns that the lease has ended.
    pub(crate) lost: CancellationToken,
}

/// What the claim said of an execution, without its payload.
pub(crate) struct JobFacts {
    pub(crate) handle: Handle,
    pub(crate) kind: String,
    pub(crate) lane: LaneId,
    pub(crate) namespace: Namespace,
    pub(crate) tags: HashMap<String, String>,
}

impl<S> Job<S> {
    pub(crate) fn new(state: Arc<S>, parts: JobParts) -> Self {
        Self { state, parts }
    }

    /// The worker's shared state.
    pub fn state(&self) -> &Arc<S> {
        &self.state
    }

    /// The execution.
    pub fn execution_id(&self) -> &ExecutionId {
        self.parts.facts.handle.execution_id()
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.parts.facts.kind
    }

    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.parts.facts.handle.attempt_index().0.saturating_add(1)
    }

    /// Its labels.
    pub fn tags(&self) -> &HashMap<String, String> {
        &self.parts.facts.tags
    }

    /// The lane that it was claimed from.
    pub fn lane(&self) -> &LaneId {
        &self.parts.facts.lane
    }

    /// Whose it is.
    pub fn namespace(&self) -> &Namespace {
        &self.parts.facts.namespace
    }

    /// The proof of the lease, for calls to the backend and for other processes.
    pub fn handle(&self) -> &Handle {
        &self.parts.facts.handle
    }

    /// Fires when the execution was cancelled or the lease lost otherwise, the attempt's time is up, the
    /// worker's grace time is over, or the handler has ended. The handler's own future is dropped at that
    /// moment; the token is for what it has spawned.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.parts.cancelled
    }

    /// Stores how far the handler is, for whoever looks at the execution.
    ///
    /// # Errors
    /// [`ProgressError`].
    pub async fn progress(&self, progress: impl Serialize) -> Result<(), ProgressError> {
        let progress = serde_json::to_value(progress).map_err(ProgressError::Encode)?;
        let answer = self.parts.backend.progress(self.handle(), progress).await;
        if answer.as_ref().is_err_and(|error| error.is_lease_lost()) {
            self.parts.lost.cancel();
        }
        Ok(answer?)
    }
}

impl<S> Clone for Job<S> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), parts: self.parts.clone() }
    }
}

impl<S> fmt::Debug for Job<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("execution_id", self.execution_id())
            .field("kind", &self.kind())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
