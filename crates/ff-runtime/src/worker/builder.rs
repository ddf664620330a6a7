use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy};
use ff_core::contracts::ClaimBatchArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::rules::input::{check_claim_batch, check_name};
use ff_core::types::{AttemptId, LaneId, Namespace, WorkerId, WorkerInstanceId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Settings, Worker};
use crate::error::WorkerError;
use crate::handler::{AnyHandler, HandlerError, Handlers, erase};
use crate::job::Job;
use crate::submission::DEFAULT_LANE;

const DEFAULT_CONCURRENCY: usize = 16;
const DEFAULT_LEASE_TTL: Duration = Duration::from_secs(30);
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
const DEFAULT_CLAIM_WAIT: Duration = Duration::from_secs(1);

/// Builds a [`Worker`].
///
/// ```no_run
/// # use std::sync::Arc;
/// # use ff_core::engine_backend::EngineBackend;
/// use ff_runtime::{HandlerError, Job, Worker};
///
/// struct Mailer;
///
/// async fn send(job: Job<Mailer>, to: String) -> Result<(), HandlerError> {
///     job.progress("connecting").await?;
///     if to.is_empty() {
///         return Err(HandlerError::permanent("there is nobody to send to"));
///     }
///     Ok(())
/// }
///
/// # fn example(backend: Arc<dyn EngineBackend>) -> Result<(), ff_runtime::WorkerError> {
/// let worker = Worker::builder(backend)
///     .state(Mailer)
///     .lane("mail")
///     .concurrency(8)
///     .handler("send-mail", send)
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct WorkerBuilder<S> {
    backend: Arc<dyn EngineBackend>,
    state: Arc<S>,
    handlers: Vec<(String, AnyHandler)>,
    lanes: BTreeSet<LaneId>,
    capabilities: BTreeSet<String>,
    worker_id: Option<WorkerId>,
    namespace: Namespace,
    concurrency: usize,
    lease_ttl: Duration,
    claim_wait: Duration,
    grace: Duration,
    supervise: bool,
}

impl WorkerBuilder<()> {
    pub(super) fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self {
            backend,
            state: Arc::new(()),
            handlers: Vec::new(),
            lanes: BTreeSet::new(),
            capabilities: BTreeSet::new(),
            worker_id: None,
            namespace: Namespace::new("default"),
            concurrency: DEFAULT_CONCURRENCY,
            lease_ttl: DEFAULT_LEASE_TTL,
            claim_wait: DEFAULT_CLAIM_WAIT,
            grace: DEFAULT_GRACE,
            supervise: true,
        }
    }
}

impl<S: Send + Sync + 'static> WorkerBuilder<S> {
    /// The state that the handlers given after this share.
    pub fn state<S2>(self, state: S2) -> WorkerBuilder<S2> {
        WorkerBuilder {
            backend: self.backend,
            state: Arc::new(state),
            handlers: self.handlers,
            lanes: self.lanes,
            capabilities: self.capabilities,
            worker_id: self.worker_id,
            namespace: self.namespace,
            concurrency: self.concurrency,
            lease_ttl: self.lease_ttl,
            claim_wait: self.claim_wait,
            grace: self.grace,
            supervise: self.supervise,
        }
    }

    /// Runs executions of `kind` with `handler`, which is given the payload and whose answer is stored,
    /// both as JSON. A payload that is not a `P` fails its execution for good; a panic fails the
    /// attempt, and another may follow.
    ///
    /// An execution of a kind that has no handler is given back, to be claimed again after 1 s, and after
    /// twice as long each time up to 60 s: another worker of its lane may have the handler.
    pub fn handler<P, R, F, Fut>(mut self, kind: impl Into<String>, handler: F) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Job<S>, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    {
        let handler = erase(Arc::clone(&self.state), handler);
        self.handlers.push((kind.into(), handler));
        self
    }

    /// Takes executions of this lane. May be called again; their executions form one queue. The
    /// lane is `default` when none is given.
    ///
    /// The workers of a lane should have handlers of all its kinds: what a worker claims and has no
    /// [`handler`](Self::handler) of is delayed.
    pub fn lane(mut self, lane: impl Display) -> Self {
        self.lanes.insert(LaneId::new(lane.to_string()));
        self
    }

    /// Handlers that run at the same time at most. The default is 16.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How long a lease lasts unless it is renewed, which happens every third of it. The default is 30 s.
    /// After a crash an execution waits this long for another worker.
    pub fn lease_ttl(mut self, lease_ttl: Duration) -> Self {
        self.lease_ttl = lease_ttl;
        self
    }

    /// How long a claim waits at the backend for work to appear, at most a quarter of the lease time. The
    /// default is 1 s. Stopping an idle worker takes as long.
    pub fn claim_wait(mut self, claim_wait: Duration) -> Self {
        self.claim_wait = claim_wait;
        self
    }

    /// Offers this capability. May be called again.
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capabilities.insert(capability.into());
        self
    }

    /// The worker's name, the same over its restarts. The default is the program's.
    pub fn worker_id(mut self, worker_id: impl Display) -> Self {
        self.worker_id = Some(WorkerId::new(worker_id.to_string()));
        self
    }

    /// The namespace that it is registered in. It takes executions of every namespace.
    pub fn namespace(mut self, namespace: impl Display) -> Self {
        self.namespace = Namespace::new(namespace.to_string());
        self
    }

    /// How long handlers may go on after the worker is told to stop. The default is 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Whether the worker runs a [`Supervisor`](crate::Supervisor). The default is that it does.
    pub fn supervise(mut self, supervise: bool) -> Self {
        self.supervise = supervise;
        self
    }

    /// Checks what was set.
    ///
    /// # Errors
    /// [`WorkerError`] naming what is missing or outside its limits.
    pub fn build(self) -> Result<Worker, WorkerError> {
        let handlers = by_kind(self.handlers)?;
        if self.concurrency == 0 {
            return Err(WorkerError::NoConcurrency);
        }
        let lease_ttl_ms = lease_ttl_ms(self.lease_ttl)?;
        let lease_ttl = Duration::from_millis(lease_ttl_ms.into());
        let worker_id = self.worker_id.unwrap_or_else(program_name);
        let mut lanes = Vec::from_iter(self.lanes);
        if lanes.is_empty() {
            lanes.push(LaneId::new(DEFAULT_LANE));
        }
        let settings = Settings {
            instance_id: WorkerInstanceId::new(format!("{worker_id}/{}", AttemptId::new())),
            worker_id,
            namespace: self.namespace,
            lanes,
            capabilities: CapabilitySet::new(self.capabilities),
            concurrency: self.concurrency,
            lease_ttl,
            lease_ttl_ms,
            claim_wait: self.claim_wait.min(lease_ttl / 4),
            grace: self.grace,
            supervise: self.supervise,
        };
        check_claim_batch(&settings.claim(1))
            .and_then(|()| check_name("namespace", settings.namespace.as_str()))
            .map_err(WorkerError::Invalid)?;
        Ok(Worker { backend: self.backend, handlers, settings })
    }
}

impl Settings {
    /// A claim of up to `max` executions.
    pub(super) fn claim(&self, max: u32) -> ClaimBatchArgs {
        ClaimBatchArgs {
            lanes: self.lanes.clone(),
            capabilities: self.capabilities.clone(),
            policy: ClaimPolicy::new(
                self.worker_id.clone(),
                self.instance_id.clone(),
                self.lease_ttl_ms,
                Some(self.claim_wait),
            ),
            max,
        }
    }
}

/// Whole milliseconds, so that this process and the store mean the same time.
fn lease_ttl_ms(lease_ttl: Duration) -> Result<u32, WorkerError> {
    let millis = u32::try_from(lease_ttl.as_millis()).ok().filter(|millis| *millis > 0);
    millis.ok_or(WorkerError::LeaseTtl { lease_ttl })
}

fn by_kind(handlers: Vec<(String, AnyHandler)>) -> Result<Handlers, WorkerError> {
    if handlers.is_empty() {
        return Err(WorkerError::NoHandler);
    }
    let mut by_kind = Handlers::new();
    for (kind, handler) in handlers {
        if by_kind.insert(kind.clone(), handler).is_some() {
            return Err(WorkerError::DuplicateHandler { kind });
        }
    }
    Ok(by_kind)
}

fn program_name() -> WorkerId {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_stem()).and_then(|name| name.to_str());
    WorkerId::new(name.filter(|name| name.len() <= 128).unwrap_or("worker"))
}
