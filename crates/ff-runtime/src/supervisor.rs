//! What time makes due, done again and again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ff_core::contracts::{RECONCILE_MAX_LIMIT, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::AttemptId;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::rounds::{Round, Rounds};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_LIMIT: u32 = 500;
const ERROR_CAP: Duration = Duration::from_secs(60);

/// Each task and how many intervals lie between its rounds.
const ROTA: [(ReconcileTask, u32); 7] = [
    (ReconcileTask::ExpireLeases, 1),
    (ReconcileTask::PromoteDue, 1),
    (ReconcileTask::TimeOutAttempts, 1),
    (ReconcileTask::ExpireDeadlines, 1),
    (ReconcileTask::DrainCancelBacklog, 1),
    (ReconcileTask::SweepWorkers, 5),
    (ReconcileTask::TrimRetention, 60),
];

/// Calls every [`ReconcileTask`] of the backend again and again.
///
/// Any number of processes may run one at any time. A task that the backend does not have is left out.
pub struct Supervisor {
    backend: Arc<dyn EngineBackend>,
    interval: Duration,
    limit: u32,
}

impl Supervisor {
    /// A supervisor that looks about once a second.
    pub fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self { backend, interval: DEFAULT_INTERVAL, limit: DEFAULT_LIMIT }
    }

    /// Time between two rounds of the frequent tasks, at least 1 ms; the registry is swept at every fifth
    /// and retention trimmed at every sixtieth. Rounds come up to half an interval early, so that
    /// processes do not work in step, and later after errors.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Rows that one round acts on at most, from 1 to [`RECONCILE_MAX_LIMIT`]. A full round is followed
    /// by another at once, unless it promotes: claims do not wait for that.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit.clamp(1, RECONCILE_MAX_LIMIT);
        self
    }

    /// Works until `stop` is ready.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) {
        let token = CancellationToken::new();
        let seed = AttemptId::new().to_string();
        let tasks = ROTA.iter().map(|(task, every)| {
            let rounds = Rounds {
                service: task.as_str(),
                interval: self.interval.saturating_mul(*every),
                error_cap: ERROR_CAP,
                seed: seed.clone(),
            };
            rounds.run(token.clone(), || reconcile(&*self.backend, *task, self.limit))
        });
        tokio::select! {
            () = stop => {}
            // With every task left out there is still nothing to do but to wait.
            () = async { join_all(tasks).await; std::future::pending().await } => {}
        }
    }
}

async fn reconcile(
    backend: &dyn EngineBackend,
    task: ReconcileTask,
    limit: u32,
) -> Result<Round, EngineError> {
    let report = backend.reconcile(task, limit).await?;
    if report.errors > 0 {
        warn!(%task, errors = report.errors, "rows are corrupt and were left as they are");
    }
    if report.processed > 0 {
        debug!(%task, processed = report.processed, "time made executions due");
    }
    // Claims do not wait for what is promoted, and would soon have taken much of it as it is.
    let can_wait = task == ReconcileTask::PromoteDue;
    Ok(if report.processed >= limit && !can_wait { Round::More } else { Round::Done })
}
