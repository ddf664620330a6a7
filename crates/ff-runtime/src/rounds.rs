//! The loop under every periodic service: interval, jitter and the backoff on errors, once.

use std::future::Future;
use std::time::Duration;

use ff_core::engine_error::EngineError;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::backoff::{Backoff, Jitter};

/// What a round of a service found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// All that was due is done.
    Done,
    /// More is due at once.
    More,
}

/// A service that does a bounded amount of work again and again.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    pub(crate) service: &'static str,
    pub(crate) interval: Duration,
    /// The longest wait after a row of errors, where the interval is not longer.
    pub(crate) error_cap: Duration,
    /// What tells this process's rounds from those of others.
    pub(crate) seed: String,
}

impl Rounds {
    /// Runs rounds until `stop` fires or the backend does not have the operation.
    pub(crate) async fn run<F, Fut>(self, stop: CancellationToken, mut round: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Round, EngineError>>,
    {
        let mut jitter = Jitter::seeded_by((self.service, &self.seed));
        let cap = self.error_cap.max(self.interval);
        let mut breaker = Backoff::new(self.interval, cap, (self.service, &self.seed));
        let mut wait = jitter.part_of(self.interval);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            // Every operation of a backend may be dropped at any await.
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                answer = round() => answer,
            };
            wait = match answer {
                Ok(round) => {
                    self.note_recovery(&mut breaker);
                    if round == Round::More {
                        Duration::ZERO
                    } else {
                        jitter.shorten(self.interval)
                    }
                }
                Err(EngineError::Unavailable { op }) => {
                    debug!(service = self.service, op, "the backend does not have it");
                    return;
                }
                Err(error) => {
                    self.note_error(&error, breaker.tries());
                    breaker.next()
                }
            };
        }
    }

    fn note_recovery(&self, breaker: &mut Backoff) {
        if breaker.tries() > 0 {
            info!(service = self.service, errors = breaker.tries(), "the service works again");
            breaker.reset();
        }
    }

    fn note_error(&self, error: &EngineError, earlier: u32) {
        if !error.is_retryable() {
            error!(service = self.service, %error, "the service failed");
        } else if earlier == 0 {
            warn!(service = self.service, %error, "the service failed and is tried again");
        } else {
            debug!(service = self.service, %error, earlier, "the service failed again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ff_core::engine_error::ContentionKind;
    use std::cell::RefCell;
    use tokio::time::Instant;

    const INTERVAL: Duration = Duration::from_secs(1);
    const ERROR_CAP: Duration = Duration::from_secs(8);

    /// Runs the answers given, then stops; returns the time before each round.
    async fn times(answers: Vec<Result<Round, EngineError>>) -> Vec<Duration> {
        let stop = CancellationToken::new();
        let (answers, seen) = (RefCell::new(answers.into_iter()), RefCell::new(Vec::new()));
        let last = RefCell::new(Instant::now());
        let rounds = Rounds {
            service: "test",
            interval: INTERVAL,
            error_cap: ERROR_CAP,
            seed: "a".to_owned(),
        };
        rounds
            .run(stop.clone(), || {
                let now = Instant::now();
                seen.borrow_mut().push(now - last.replace(now));
                let answer = answers.borrow_mut().next().unwrap_or_else(|| {
                    stop.cancel();
                    Ok(Round::Done)
                });
                async { answer }
            })
            .await;
        seen.into_inner()
    }

    fn busy() -> Result<Round, EngineError> {
        Err(EngineError::Contention(ContentionKind::StoreBusy))
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_round_is_followed_at_once() {
        let times = times(vec![Ok(Round::Done), Ok(Round::More), Ok(Round::Done)]).await;
        assert!(times[1] >= INTERVAL / 2, "{times:?}");
        assert!(times[2] <= Duration::from_millis(2), "{times:?}");
        assert!(times[3] >= INTERVAL / 2, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn errors_stretch_the_interval_until_one_round_works() {
        let times = times(vec![busy(), busy(), busy(), busy(), Ok(Round::Done)]).await;
        assert!(times[4] >= 4 * INTERVAL, "{times:?}");
        assert!(times[5] <= INTERVAL + Duration::from_millis(2), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_row_of_errors_does_not_stretch_it_beyond_the_cap() {
        let times = times(std::iter::repeat_with(busy).take(20).collect()).await;
        let longest = times.iter().max().unwrap();
        assert!(*longest <= ERROR_CAP + Duration::from_millis(2), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_the_backend_lacks_ends_the_service() {
        let times = times(vec![Err(EngineError::Unavailable { op: "reconcile" }), busy()]).await;
        assert_eq!(times.len(), 1);
    }
}
