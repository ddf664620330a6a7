//! Claims executions in batches and starts them as slots become free.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ff_core::contracts::{CLAIM_BATCH_MAX, ClaimedExecution};
use ff_core::engine_error::{EngineError, ValidationKind};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

use super::finisher::{Ending, Finished};
use super::leases::Leases;
use super::pace::Pace;
use super::run::{Claimed, Desk};
use super::{Settings, all_ended};
use crate::backoff::Backoff;
use crate::clock::{monotonic, within};

const IDLE_FIRST: Duration = Duration::from_millis(10);
const IDLE_CAP: Duration = Duration::from_secs(1);
const ERROR_FIRST: Duration = Duration::from_millis(50);
const ERROR_CAP: Duration = Duration::from_secs(5);
/// How long what is claimed ahead waits for a slot before another worker may have it.
const QUEUE_PATIENCE: Duration = Duration::from_secs(2);
/// How long a claim may take beyond its wait when the worker stops.
const CLAIM_PATIENCE: Duration = Duration::from_secs(5);
/// How long handlers that were dropped may take to be gone: only one that blocks its thread takes any.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// What a claim answered.
type Answer = Result<Vec<ClaimedExecution>, EngineError>;

/// Everything that a claim and a job leave behind is in its fields, so that dropping
/// [`run`](Self::run) at any await loses nothing.
pub(super) struct Dispatcher {
    desk: Arc<Desk>,
    leases: Arc<Leases>,
    settings: Arc<Settings>,
    claim: Option<Claim>,
    claim_from: Instant,
    ready: VecDeque<Claimed>,
    jobs: JoinSet<Duration>,
    pace: Pace,
    idle: Backoff,
    trouble: Backoff,
}

struct Claim {
    asked_at: Instant,
    answer: BoxFuture<'static, Answer>,
}

/// What the dispatcher waits for.
enum Event {
    JobEnded(Result<Duration, JoinError>),
    ClaimAnswered(Instant, Answer),
    MayClaim,
    QueueTooOld,
}

impl Dispatcher {
    pub(super) fn new(desk: Arc<Desk>, leases: Arc<Leases>, settings: Arc<Settings>) -> Self {
        let seed = settings.instance_id.as_str();
        Self {
            idle: Backoff::new(IDLE_FIRST, IDLE_CAP, ("idle", seed)),
            trouble: Backoff::new(ERROR_FIRST, ERROR_CAP, ("claim", seed)),
            desk,
            leases,
            settings,
            claim: None,
            claim_from: monotonic(),
            ready: VecDeque::new(),
            jobs: JoinSet::new(),
            pace: Pace::default(),
        }
    }

    /// Claims and starts jobs until a claim is refused for good; returns why.
    pub(super) async fn run(&mut self) -> EngineError {
        loop {
            self.start_ready().await;
            match self.next_event().await {
                Event::JobEnded(ended) => self.note_end(ended),
                Event::ClaimAnswered(asked_at, Ok(claimed)) => self.take(asked_at, claimed),
                Event::ClaimAnswered(_, Err(error)) if is_fatal(&error) => return error,
                Event::ClaimAnswered(_, Err(error)) => self.back_off(&error),
                Event::MayClaim => self.claim = Some(self.ask()),
                Event::QueueTooOld => self.give_back_ready().await,
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let may_claim = self.claim.is_none() && self.wants_more();
        let oldest = self.ready.front().map(|claimed| claimed.claimed_at + QUEUE_PATIENCE);
        tokio::select! {
            biased;
            (asked_at, answer) = answered(&mut self.claim) => Event::ClaimAnswered(asked_at, answer),
            // Before the jobs: where they are short, one has always ended, and the store would wait for all.
            () = sleep_until(self.claim_from), if may_claim => Event::MayClaim,
            Some(ended) = self.jobs.join_next() => Event::JobEnded(ended),
            () = reached(oldest) => Event::QueueTooOld,
        }
    }

    async fn start_ready(&mut self) {
        while self.jobs.len() < self.settings.concurrency {
            let Some(next) = self.ready.front() else { return };
            if next.is_stale() {
                // Started now, it could run out of time through no fault of its own.
                self.pace.slow_down(QUEUE_PATIENCE);
                if !self.give_back_next().await {
                    return;
                }
            } else if let Some(claimed) = self.ready.pop_front() {
                self.jobs.spawn(Arc::clone(&self.desk).run(claimed));
            }
        }
    }

    /// Whether there is a free slot, or what was claimed ahead is half used up.
    fn wants_more(&self) -> bool {
        self.room() > 0 && self.ready.len() <= self.pace.ahead(self.settings.concurrency) / 2
    }

    fn room(&self) -> usize {
        let slots = self.settings.concurrency;
        (slots + self.pace.ahead(slots)).saturating_sub(self.jobs.len() + self.ready.len())
    }

    fn ask(&self) -> Claim {
        let max = u32::try_from(self.room()).unwrap_or(CLAIM_BATCH_MAX).min(CLAIM_BATCH_MAX);
        let args = self.settings.claim(max);
        let backend = Arc::clone(&self.desk.backend);
        // What a later answer has taken would have run out by then.
        let limit = self.settings.claim_wait + self.settings.lease_ttl;
        let answer =
            async move { within(limit, "claim_batch", backend.claim_batch(args)).await }.boxed();
        Claim { asked_at: monotonic(), answer }
    }

    fn take(&mut self, asked_at: Instant, claimed: Vec<ClaimedExecution>) {
        let now = monotonic();
        self.trouble.reset();
        if !claimed.is_empty() {
            self.idle.reset();
        } else if now.saturating_duration_since(asked_at) < self.settings.claim_wait / 2 {
            // This backend does not wait for work: it is asked less and less often.
            self.claim_from = now + self.idle.next();
        }
        self.hold(asked_at, claimed);
    }

    fn hold(&mut self, asked_at: Instant, claimed: Vec<ClaimedExecution>) {
        let claimed_at = monotonic();
        for execution in claimed {
            let lease = self.leases.hold(execution.handle.clone(), asked_at);
            self.ready.push_back(Claimed::new(execution, lease, claimed_at));
        }
    }

    fn back_off(&mut self, error: &EngineError) {
        let earlier = self.trouble.tries();
        if error.is_retryable() {
            warn!(%error, earlier, "the claim failed and is tried again");
        } else {
            error!(%error, earlier, "the claim failed and is tried again");
        }
        self.claim_from = monotonic() + self.trouble.next();
    }

    fn note_end(&mut self, ended: Result<Duration, JoinError>) {
        match ended {
            Ok(ran) => self.pace.note(ran),
            Err(error) => error!(%error, "a job ended without its ending; its lease runs out"),
        }
    }

    async fn give_back_ready(&mut self) {
        self.pace.slow_down(QUEUE_PATIENCE);
        while !self.ready.is_empty() && self.give_back_next().await {}
    }

    /// False when the finisher is gone.
    async fn give_back_next(&mut self) -> bool {
        let Some(place) = self.desk.place_at_finisher().await else { return false };
        if let Some(Claimed { lease, .. }) = self.ready.pop_front() {
            place.send(Finished { lease, ending: Ending::GiveBack(Duration::ZERO) });
        }
        true
    }

    /// Gives back what has not started, waits for the handlers, and gives back what they have not finished
    /// when the grace time is up or `hurry` is ready.
    pub(super) async fn drain(&mut self, hurry: impl Future<Output = ()>) {
        tokio::select! {
            () = self.wind_down() => {}
            () = hurry => {}
        }
        if self.claim.take().is_some() {
            warn!("the last claim was not answered; what it took runs out");
        }
        if self.jobs.is_empty() && self.ready.is_empty() {
            return;
        }
        info!(jobs = self.jobs.len(), "the grace time is up");
        self.desk.give_back_all();
        if timeout(DROP_PATIENCE, self.give_back_ready()).await.is_err() {
            warn!(executions = self.ready.len(), "giving back takes too long; the leases run out");
        }
        if timeout(DROP_PATIENCE, all_ended(&mut self.jobs)).await.is_err() {
            error!(jobs = self.jobs.len(), "handlers block their threads; their leases run out");
        }
    }

    async fn wind_down(&mut self) {
        let mut grace = pin!(sleep(self.settings.grace));
        self.take_last_claim().await;
        self.give_back_ready().await;
        tokio::select! {
            () = all_ended(&mut self.jobs) => {}
            () = &mut grace => {}
        }
    }

    /// A claim that is dropped may have taken leases that nobody would know of.
    async fn take_last_claim(&mut self) {
        if self.claim.is_none() {
            return;
        }
        let patience = self.settings.claim_wait + CLAIM_PATIENCE;
        match timeout(patience, answered(&mut self.claim)).await {
            Ok((asked_at, Ok(claimed))) => self.hold(asked_at, claimed),
            Ok((_, Err(error))) => warn!(%error, "the last claim failed"),
            // It stays where it is, for whoever ends the draining to speak of.
            Err(_) => {}
        }
    }
}

async fn answered(claim: &mut Option<Claim>) -> (Instant, Answer) {
    let Some(asked) = claim else { return std::future::pending().await };
    let answer = asked.answer.as_mut().await;
    let asked_at = asked.asked_at;
    *claim = None;
    (asked_at, answer)
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// A corrupt row is the store's trouble and not the claim's.
fn is_fatal(error: &EngineError) -> bool {
    let is_corruption =
        matches!(error, EngineError::Validation { kind: ValidationKind::Corruption, .. });
    !error.is_retryable() && !is_corruption
}
