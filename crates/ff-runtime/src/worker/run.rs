//! One job, from its claim to its ending.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ff_core::contracts::{ClaimedExecution, ExecutionContext};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::AttemptIndex;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, info, info_span, warn};

use super::finisher::{Ending, Finished};
use super::leases::Lease;
use crate::clock::monotonic;
use crate::handler::{Handled, HandlerError, Handlers};
use crate::job::{JobFacts, JobParts};

/// How long an execution whose kind has no handler here is left to other workers: twice as long after each
/// attempt, up to the cap.
const NO_HANDLER_FIRST: Duration = Duration::from_secs(1);
const NO_HANDLER_CAP: Duration = Duration::from_secs(60);

/// What all jobs of a worker share.
pub(super) struct Desk {
    pub(super) backend: Arc<dyn EngineBackend>,
    handlers: Handlers,
    finish: mpsc::Sender<Finished>,
    give_back: CancellationToken,
}

/// An execution that was claimed and waits for its slot.
pub(super) struct Claimed {
    pub(super) context: ExecutionContext,
    pub(super) lease: Lease,
    pub(super) claimed_at: Instant,
}

/// How a run came to its end.
enum Verdict {
    Handled(Handled),
    Panicked(String),
    TimedOut(Duration),
    LeaseLost,
    GiveBack(Duration),
}

impl Desk {
    pub(super) fn new(
        backend: Arc<dyn EngineBackend>,
        handlers: Handlers,
        finish: mpsc::Sender<Finished>,
    ) -> Arc<Self> {
        Arc::new(Self { backend, handlers, finish, give_back: CancellationToken::new() })
    }

    /// Makes every run stop and give its execution back.
    pub(super) fn give_back_all(&self) {
        self.give_back.cancel();
    }

    /// Waits for a place in the finisher's queue; `None` when the finisher is gone.
    pub(super) async fn place_at_finisher(&self) -> Option<mpsc::Permit<'_, Finished>> {
        self.finish.reserve().await.ok()
    }

    /// Runs a claimed execution and hands its ending over. Returns how long its handler ran.
    pub(super) async fn run(self: Arc<Self>, claimed: Claimed) -> Duration {
        let span = span_of(&claimed);
        self.run_in_span(claimed).instrument(span).await
    }

    async fn run_in_span(&self, claimed: Claimed) -> Duration {
        let Claimed { context, lease, claimed_at } = claimed;
        let started_at = monotonic();
        let limit = attempt_timeout(&context);
        let verdict = match self.start(context, &lease) {
            Ok(work) => self.watch(work, &lease, limit.map(|limit| (claimed_at, limit))).await,
            Err(verdict) => verdict,
        };
        let ran = monotonic().saturating_duration_since(started_at);
        let ending = ending_of(verdict);
        // Without a finisher the lease is dropped here, and runs out.
        if let Some(place) = self.place_at_finisher().await {
            place.send(Finished { lease, ending });
        }
        ran
    }

    /// The handler's future and the token that its job was given.
    fn start(&self, context: ExecutionContext, lease: &Lease) -> Result<Work, Verdict> {
        let kind = context.execution_kind;
        let Some(handler) = self.handlers.get(&kind) else {
            let wait = wait_for_handler(lease.handle().attempt_index());
            let execution_id = lease.handle().execution_id();
            warn!(%execution_id, kind, ?wait, "this worker has no handler of the execution's kind");
            return Err(Verdict::GiveBack(wait));
        };
        let cancelled = lease.lost().child_token();
        let facts = JobFacts {
            handle: lease.handle().clone(),
            kind,
            lane: context.lane_id,
            namespace: context.namespace,
            tags: context.tags,
        };
        let parts = JobParts {
            facts: Arc::new(facts),
            backend: Arc::clone(&self.backend),
            cancelled: cancelled.clone(),
            lost: lease.lost().clone(),
        };
        Ok(Work { future: handler(parts, context.input_payload), cancelled })
    }

    async fn watch(
        &self,
        mut work: Work,
        lease: &Lease,
        limit: Option<(Instant, Duration)>,
    ) -> Verdict {
        let verdict = tokio::select! {
            biased;
            () = lease.lost().cancelled() => Verdict::LeaseLost,
            handled = AssertUnwindSafe(&mut work.future).catch_unwind() => match handled {
                Ok(handled) => Verdict::Handled(handled),
                Err(panic) => Verdict::Panicked(panic_message(&*panic)),
            },
            limit = time_up(limit) => Verdict::TimedOut(limit),
            () = self.give_back.cancelled() => Verdict::GiveBack(Duration::ZERO),
        };
        // Whatever the handler has spawned hears of it before the handler's own future goes.
        work.cancelled.cancel();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(work))) {
            return match verdict {
                Verdict::Handled(Ok(_)) => Verdict::Panicked(panic_message(&*panic)),
                other => other,
            };
        }
        verdict
    }
}

struct Work {
    future: BoxFuture<'static, Handled>,
    cancelled: CancellationToken,
}

impl Claimed {
    pub(super) fn new(claimed: ClaimedExecution, lease: Lease, claimed_at: Instant) -> Self {
        Self { context: claimed.context, lease, claimed_at }
    }

    /// Whether waiting for a slot has used up more than a tenth of the attempt's time.
    pub(super) fn is_stale(&self) -> bool {
        let waited = monotonic().saturating_duration_since(self.claimed_at);
        attempt_timeout(&self.context).is_some_and(|limit| waited > limit / 10)
    }
}

fn span_of(claimed: &Claimed) -> Span {
    let handle = claimed.lease.handle();
    info_span!(
        "execution",
        execution_id = %handle.execution_id(),
        kind = claimed.context.execution_kind,
        attempt = handle.attempt_index().0.saturating_add(1),
    )
}

fn attempt_timeout(context: &ExecutionContext) -> Option<Duration> {
    let timeouts = context.policy.as_ref()?.timeout_policy.as_ref()?;
    timeouts.attempt_timeout_ms.map(Duration::from_millis)
}

fn wait_for_handler(attempt: AttemptIndex) -> Duration {
    let factor = 1_u32.checked_shl(attempt.0).unwrap_or(u32::MAX);
    NO_HANDLER_FIRST.saturating_mul(factor).min(NO_HANDLER_CAP)
}

/// Ready when the attempt has run for its limit; never without one, or when it is beyond all time.
async fn time_up(limit: Option<(Instant, Duration)>) -> Duration {
    let deadline = limit.and_then(|(from, limit)| Some((from.checked_add(limit)?, limit)));
    let Some((at, limit)) = deadline else { return std::future::pending().await };
    sleep_until(at).await;
    limit
}

fn ending_of(verdict: Verdict) -> Ending {
    let error = match verdict {
        Verdict::Handled(Ok(result)) => {
            debug!("the handler succeeded");
            return Ending::Complete(result);
        }
        Verdict::Handled(Err(error)) => error,
        Verdict::Panicked(message) => {
            HandlerError::transient(format!("the handler panicked: {message}"))
        }
        Verdict::TimedOut(limit) => {
            HandlerError::timeout(format!("the attempt ran longer than {limit:?}"))
        }
        Verdict::GiveBack(wait) => {
            info!("the execution is given back");
            return Ending::GiveBack(wait);
        }
        Verdict::LeaseLost => {
            info!("the handler was dropped: its lease is lost");
            return Ending::LetGo;
        }
    };
    // The message may hold a part of the payload: it is stored, and not logged.
    info!(class = %error.class(), "the attempt failed");
    Ending::from(error)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_without_a_handler_is_left_to_others_for_longer_and_longer() {
        let waits = [0, 1, 5, 6, 31, 32, u32::MAX]
            .map(|attempt| wait_for_handler(AttemptIndex::new(attempt)).as_secs());
        assert_eq!(waits, [1, 2, 32, 60, 60, 60, 60]);
    }
}
