//! The worker: claims executions, runs their handlers, keeps their leases and finishes them.
//!
//! Its parts, each a file: the *dispatcher* claims and starts jobs, a *run* is one job, the *keeper*
//! renews *leases*, the *finisher* ends them, *presence* keeps the process on the registry. They share
//! nothing but the table of leases and the finisher's queue.

mod acknowledge;
mod builder;
mod dispatcher;
mod finisher;
mod keeper;
mod leases;
mod pace;
mod presence;
mod run;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::CapabilitySet;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use builder::WorkerBuilder;

use crate::error::WorkerError;
use crate::handler::Handlers;
use crate::supervisor::Supervisor;
use dispatcher::Dispatcher;
use finisher::Finisher;
use keeper::Keeper;
use leases::Leases;
use run::Desk;

/// Endings that wait for the finisher before jobs wait to hand over theirs.
const FINISH_QUEUE: usize = 1_024;
/// How long the parts that hold no lease may take to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Claims executions and runs their handlers until it is told to stop.
///
/// It survives whatever the store does: calls that may be repeated are repeated with backoff, and what
/// cannot be finished while its lease lasts is left to other workers.
pub struct Worker {
    backend: Arc<dyn EngineBackend>,
    handlers: Handlers,
    settings: Settings,
}

/// What a [`WorkerBuilder`] sets.
#[derive(Clone, Debug)]
struct Settings {
    worker_id: WorkerId,
    instance_id: WorkerInstanceId,
    namespace: Namespace,
    lanes: Vec<LaneId>,
    capabilities: CapabilitySet,
    concurrency: usize,
    lease_ttl: Duration,
    lease_ttl_ms: u32,
    claim_wait: Duration,
    grace: Duration,
    supervise: bool,
}

impl Worker {
    /// Begins a worker of this backend.
    pub fn builder(backend: Arc<dyn EngineBackend>) -> WorkerBuilder<()> {
        WorkerBuilder::new(backend)
    }

    /// Works until the process is told to end (SIGINT, SIGTERM), then drains: see
    /// [`run_until`](Self::run_until). A second signal, of either kind, cuts the draining short: what still
    /// runs is dropped and given back at once.
    ///
    /// From the first call on the whole process takes these two signals in this way, even after the worker
    /// has ended: a program that goes on after it must listen for them itself, or they do nothing.
    ///
    /// # Errors
    /// As [`run_until`](Self::run_until); [`WorkerError::Signal`].
    pub async fn run(self) -> Result<(), WorkerError> {
        let mut signals = Signals::listen().map_err(WorkerError::Signal)?;
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        let listen = async {
            signals.recv().await;
            stop.cancel();
            signals.recv().await;
            hurry.cancel();
            std::future::pending().await
        };
        tokio::select! {
            result = self.serve(stop.cancelled(), hurry.cancelled()) => result,
            result = listen => result,
        }
    }

    /// Works until `stop` is ready, then drains: claims no more, gives its handlers the grace time to
    /// finish, drops those that have not and gives their executions back, so that another worker
    /// can take them at once.
    ///
    /// Dropping the returned future drops every handler; their executions go to other workers when
    /// their leases run out.
    ///
    /// # Errors
    /// [`WorkerError::Claim`] when the engine refuses the claims themselves, and
    /// [`WorkerError::Panicked`], both after draining.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        self.serve(stop, std::future::pending()).await
    }

    async fn serve(
        self,
        stop: impl Future<Output = ()> + Send,
        hurry: impl Future<Output = ()> + Send,
    ) -> Result<(), WorkerError> {
        let settings = Arc::new(self.settings);
        let leases = Leases::new(settings.lease_ttl);
        let (finish, queue) = mpsc::channel(FINISH_QUEUE);
        let mut crew = Crew::start(&self.backend, &settings, &leases);
        let finisher = Finisher::new(Arc::clone(&self.backend), &settings);
        crew.finisher.spawn(finisher.run(queue, crew.no_more_jobs.clone()));
        let desk = Desk::new(self.backend, self.handlers, finish);
        let mut dispatcher = Dispatcher::new(desk, leases, Arc::clone(&settings));
        info!(
            worker_id = %settings.worker_id,
            worker_instance_id = %settings.instance_id,
            concurrency = settings.concurrency,
            "the worker started"
        );

        let result = tokio::select! {
            biased;
            () = stop => Ok(()),
            () = crew.wait_for_panic() => Err(WorkerError::Panicked),
            refusal = dispatcher.run() => Err(WorkerError::Claim(refusal)),
        };

        info!(worker_instance_id = %settings.instance_id, "the worker drains");
        dispatcher.drain(hurry).await;
        crew.stop(settings.lease_ttl).await;
        info!(worker_instance_id = %settings.instance_id, "the worker stopped");
        result
    }
}

/// The tasks beside the jobs. Dropping it aborts them.
struct Crew {
    finisher: JoinSet<()>,
    services: JoinSet<()>,
    no_more_jobs: CancellationToken,
    no_more_leases: CancellationToken,
}

impl Crew {
    fn start(
        backend: &Arc<dyn EngineBackend>,
        settings: &Arc<Settings>,
        leases: &Arc<Leases>,
    ) -> Self {
        let no_more_leases = CancellationToken::new();
        let mut services = JoinSet::new();
        let keeper = Keeper::new(Arc::clone(backend), Arc::clone(leases), &settings.instance_id);
        services.spawn(keeper.run(no_more_leases.clone()));
        services.spawn(presence::keep(
            Arc::clone(backend),
            Arc::clone(settings),
            no_more_leases.clone(),
        ));
        if settings.supervise {
            let stop = no_more_leases.clone().cancelled_owned();
            services.spawn(Supervisor::new(Arc::clone(backend)).run_until(stop));
        }
        let no_more_jobs = CancellationToken::new();
        Self { finisher: JoinSet::new(), services, no_more_jobs, no_more_leases }
    }

    /// Ready when a task has panicked; tasks that ended because they have nothing to do are let go.
    async fn wait_for_panic(&mut self) {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.finisher.join_next() => ended,
                Some(ended) = self.services.join_next() => ended,
                else => std::future::pending().await,
            };
            if ended.is_err() {
                return;
            }
        }
    }

    /// Lets the finisher end what it was given, and then everything else.
    async fn stop(mut self, patience: Duration) {
        self.no_more_jobs.cancel();
        if timeout(patience, all_ended(&mut self.finisher)).await.is_err() {
            warn!(
                "executions could not be finished before the worker stopped; their leases run out"
            );
        }
        self.no_more_leases.cancel();
        if timeout(STOP_PATIENCE, all_ended(&mut self.services)).await.is_err() {
            warn!("a part of the worker did not stop in time and was dropped");
        }
    }
}

async fn all_ended<T: 'static>(tasks: &mut JoinSet<T>) {
    while tasks.join_next().await.is_some() {}
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn recv(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
