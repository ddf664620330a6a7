//! Keeps this process on the worker registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ff_core::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, MarkWorkerDeadArgs, RegisterWorkerArgs,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Settings;
use crate::clock::{millis, store_now, within};
use crate::rounds::{Round, Rounds};

/// How long the process counts as alive after a sign of life.
const LIVENESS_TTL: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(15);
const SIGN_OFF_PATIENCE: Duration = Duration::from_secs(2);

/// Registers the process at once, gives signs of life, and signs off when `stop` fires.
pub(super) async fn keep(
    backend: Arc<dyn EngineBackend>,
    settings: Arc<Settings>,
    stop: CancellationToken,
) {
    let presence = Presence { backend, settings, registered: AtomicBool::new(false) };
    if let Err(error) = presence.register().await {
        debug!(%error, "the worker was not registered; it is tried again");
    }
    let rounds = Rounds {
        service: "worker_presence",
        interval: INTERVAL,
        // Longer, it would lapse while it lives.
        error_cap: INTERVAL,
        seed: presence.settings.instance_id.to_string(),
    };
    let round = || within(INTERVAL, "heartbeat_worker", presence.round());
    rounds.run(stop, round).await;
    if timeout(SIGN_OFF_PATIENCE, presence.sign_off()).await.is_err() {
        debug!("the worker could not sign off; it leaves the registry when its time is up");
    }
}

struct Presence {
    backend: Arc<dyn EngineBackend>,
    settings: Arc<Settings>,
    registered: AtomicBool,
}

impl Presence {
    async fn round(&self) -> Result<Round, EngineError> {
        if !self.registered.load(Ordering::Relaxed) {
            self.register().await?;
            return Ok(Round::Done);
        }
        let args = HeartbeatWorkerArgs::new(
            self.settings.instance_id.clone(),
            self.settings.namespace.clone(),
            store_now(&*self.backend).await?,
        );
        match self.backend.heartbeat_worker(args).await? {
            HeartbeatWorkerOutcome::Refreshed { .. } => Ok(Round::Done),
            HeartbeatWorkerOutcome::NotRegistered => {
                self.registered.store(false, Ordering::Relaxed);
                Ok(Round::More)
            }
        }
    }

    async fn register(&self) -> Result<(), EngineError> {
        let settings = &self.settings;
        let args = RegisterWorkerArgs::new(
            settings.worker_id.clone(),
            settings.instance_id.clone(),
            settings.lanes.iter().cloned().collect(),
            settings.capabilities.iter().map(str::to_owned).collect(),
            millis(LIVENESS_TTL),
            settings.namespace.clone(),
            store_now(&*self.backend).await?,
        );
        self.backend.register_worker(args).await?;
        self.registered.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// A registration whose answer was lost may be there all the same.
    async fn sign_off(&self) {
        if let Err(error) = self.mark_dead().await {
            debug!(%error, "the worker could not sign off");
        }
    }

    async fn mark_dead(&self) -> Result<(), EngineError> {
        let args = MarkWorkerDeadArgs::new(
            self.settings.instance_id.clone(),
            self.settings.namespace.clone(),
            "stopped".to_owned(),
            store_now(&*self.backend).await?,
        );
        self.backend.mark_worker_dead(args).await.map(drop)
    }
}
