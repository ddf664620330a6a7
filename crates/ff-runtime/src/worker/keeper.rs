//! Renews the leases of this process, and learns which of them it has lost.

use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::Handle;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::WorkerInstanceId;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::leases::{HeldLease, Leases};
use crate::clock::{monotonic, within};
use crate::rounds::{Round, Rounds};

/// A handler whose execution was cancelled, or whose lease was revoked, hears of it within a second (FLOW-7).
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Leases that were claimed or renewed since then are left to the next check: a busy worker's end before it.
const CHECK_AGE: Duration = Duration::from_millis(250);
/// Between two checks after errors, at most.
const CHECK_ERROR_CAP: Duration = Duration::from_secs(2);
/// How long a check may take before it is given up for the next one.
const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// Looks after the leases in three ways: a renewal when a third of their time has passed, a check twice a
/// second whether somebody has ended them, and a clock of its own for when the store is away.
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
        let checks = Rounds {
            service: "lease_check",
            interval: CHECK_INTERVAL,
            error_cap: CHECK_ERROR_CAP,
            seed: self.seed.clone(),
        };
        let check = async {
            checks.run(stop.clone(), || self.check()).await;
            // Renewals tell where the backend has no checks.
            stop.cancelled().await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = check => {}
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
        match self.backend.renew_batch(&handles(&leases)).await {
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

    /// Asks in one call whether the leases still hold.
    async fn check(&self) -> Result<Round, EngineError> {
        let leases = self.leases.older_than(CHECK_AGE, monotonic());
        if leases.is_empty() {
            return Ok(Round::Done);
        }
        let handles = handles(&leases);
        let call = self.backend.check_leases(&handles);
        let answers = within(CHECK_PATIENCE, "check_leases", call).await?;
        for (lease, answer) in leases.iter().zip(answers) {
            if let Err(error) = answer {
                self.note_check(lease, &error);
            }
        }
        Ok(Round::Done)
    }

    /// Whoever holds the lease tells of its loss: it may have been ended by this process in the meantime.
    fn note_check(&self, lease: &HeldLease, error: &EngineError) {
        let execution_id = lease.handle.execution_id();
        if error.is_lease_lost() {
            debug!(%execution_id, %error, "a check found the lease ended");
            self.leases.lose(lease.key);
        } else {
            debug!(%execution_id, %error, "the lease was not checked; it is tried again");
        }
    }
}

fn handles(leases: &[HeldLease]) -> Vec<Handle> {
    leases.iter().map(|lease| lease.handle.clone()).collect()
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
