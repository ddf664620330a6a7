//! Renews the leases of this process, and learns which of them it has lost.

use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::Handle;
use ff_core::contracts::ExecutionOutcome;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, WorkerInstanceId};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::leases::{HeldLease, Leases};
use crate::clock::monotonic;
use crate::rounds::{Round, Rounds};

/// An execution that is cancelled stops running within a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(750);

/// Looks after the leases in three ways: a renewal when a third of their time has passed, a look at what
/// became of their executions about once a second, and a clock of its own for when the store is away.
pub(super) struct Keeper {
    backend: Arc<dyn EngineBackend>,
    leases: Arc<Leases>,
    seed: String,
}

impl Keeper {
    pub(super) fn new(
        backend: Arc<dyn EngineBackend>,
        leases: Arc<Leases>,
        instance_id: &WorkerInstanceId,
    ) -> Self {
        Self { backend, leases, seed: instance_id.to_string() }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let looks =
            Rounds { service: "lease_look", interval: LOOK_INTERVAL, seed: self.seed.clone() };
        let look = async {
            looks.run(stop.clone(), || self.look()).await;
            // A backend that cannot be looked at still has its leases renewed.
            stop.cancelled().await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = look => {}
            () = self.renew_in_time() => {}
            () = self.give_up_in_time() => {}
        }
    }

    /// A renewal that fails is tried again every twelfth of a lease's time.
    async fn renew_in_time(&self) {
        let ttl = self.leases.ttl();
        let (tick, limit) = (tick(ttl), (ttl / 3).max(Duration::from_millis(1)));
        let age = limit.saturating_sub(tick);
        loop {
            let planned = monotonic() + tick;
            sleep_until(planned).await;
            note_lateness(planned, limit);
            let due = self.leases.older_than(age, monotonic());
            if timeout(limit, self.renew(due)).await.is_err() {
                warn!("renewing leases takes too long and is tried again");
            }
        }
    }

    /// Treats a lease as lost when it cannot be known to last until the next look at it.
    async fn give_up_in_time(&self) {
        let ttl = self.leases.ttl();
        let tick = tick(ttl);
        let age = ttl.saturating_sub(tick);
        loop {
            sleep(tick).await;
            for lease in self.leases.older_than(age, monotonic()) {
                if self.leases.lose(lease.key) {
                    let execution_id = lease.handle.execution_id();
                    warn!(%execution_id, "the lease could not be renewed in time and is lost");
                }
            }
        }
    }

    async fn renew(&self, leases: Vec<HeldLease>) {
        if leases.is_empty() {
            return;
        }
        let asked_at = monotonic();
        let handles: Vec<Handle> = leases.iter().map(|lease| lease.handle.clone()).collect();
        match self.backend.renew_batch(&handles).await {
            Ok(answers) => {
                for (lease, answer) in leases.iter().zip(answers) {
                    match answer {
                        Ok(_) => self.leases.renewed(lease.key, asked_at),
                        Err(error) => self.note_refusal(lease, &error),
                    }
                }
            }
            Err(error) => {
                warn!(leases = leases.len(), %error, "leases were not renewed; it is tried again");
            }
        }
    }

    fn note_refusal(&self, lease: &HeldLease, error: &EngineError) {
        let execution_id = lease.handle.execution_id();
        if !error.is_lease_lost() {
            warn!(%execution_id, %error, "the lease was not renewed; it is tried again");
        } else if self.leases.lose(lease.key) {
            info!(%execution_id, %error, "the lease is lost");
        }
    }

    /// Renews at once what seems to run no more: the answer says whether the lease is lost.
    async fn look(&self) -> Result<Round, EngineError> {
        let leases = self.leases.all();
        if leases.is_empty() {
            return Ok(Round::Done);
        }
        let ids: Vec<ExecutionId> =
            leases.iter().map(|lease| lease.handle.execution_id().clone()).collect();
        let outcomes = self.backend.read_outcomes(&ids).await?;
        let stopped = leases.into_iter().zip(outcomes);
        let stopped = stopped.filter(|(_, outcome)| !runs(outcome.as_ref()));
        self.renew(stopped.map(|(lease, _)| lease).collect()).await;
        Ok(Round::Done)
    }
}

/// Timers that fire this late mean that nothing else ran in between.
fn note_lateness(planned: Instant, limit: Duration) {
    let late = monotonic().saturating_duration_since(planned);
    if late > limit {
        error!(
            ?late,
            "the runtime's threads are blocked: leases are renewed late; move blocking work to \
             spawn_blocking"
        );
    }
}

fn tick(ttl: Duration) -> Duration {
    (ttl / 12).max(Duration::from_millis(1))
}

fn runs(outcome: Option<&ExecutionOutcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.public_state == PublicState::Running)
}
