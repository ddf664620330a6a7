//! Goes on while the store is away, as while its server starts again.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowfabric::ClientError;
use flowfabric::core::engine_error::EngineError;
use tokio::time::{Instant, sleep};

use crate::output::{Failure, Output};

/// How long the store may be away before the command gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before the second try; doubled before each one after, up to the cap.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_CAP: Duration = Duration::from_secs(2);

/// Asks the store again and again, and tells the user once that it is away.
pub(super) struct Patience<'o> {
    output: &'o Output,
    has_told: AtomicBool,
}

impl<'o> Patience<'o> {
    pub(super) fn new(output: &'o Output) -> Self {
        Self { output, has_told: AtomicBool::new(false) }
    }

    /// Makes a call that is safe to repeat until it is answered or refused, or the store has been away
    /// for too long.
    pub(super) async fn ask<T, E, F>(&self, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<ClientError>,
    {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error: ClientError = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error.into(),
            };
            if !is_retryable(&error) || begun.elapsed() >= PATIENCE {
                return Err(error.into());
            }
            self.tell(&error);
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_CAP);
        }
    }

    fn tell(&self, error: &ClientError) {
        if !self.has_told.swap(true, Ordering::Relaxed) {
            let patience = PATIENCE.as_secs();
            self.output.note(&format!("ff: {error}; trying again for up to {patience} s"));
        }
    }
}

fn is_retryable(error: &ClientError) -> bool {
    matches!(error, ClientError::Engine(error) if EngineError::is_retryable(error))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use flowfabric::core::engine_error::ContentionKind;

    use super::*;

    fn busy() -> EngineError {
        EngineError::Contention(ContentionKind::StoreBusy)
    }

    /// Asks a store that answers so, and counts the tries.
    async fn ask(answer: impl Fn(u32) -> Result<(), EngineError>) -> (Result<(), Failure>, u32) {
        let output = Output::new(false);
        let (patience, tries) = (Patience::new(&output), Cell::new(0));
        let asked = patience.ask(async || {
            tries.set(tries.get() + 1);
            answer(tries.get())
        });
        (asked.await, tries.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_comes_back_is_asked_again() {
        let (answer, tries) = ask(|tries| if tries < 6 { Err(busy()) } else { Ok(()) }).await;
        assert!(answer.is_ok());
        assert_eq!(tries, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_stays_away_is_given_up() {
        let begun = Instant::now();
        let (answer, _) = ask(|_| Err(busy())).await;
        assert!(answer.is_err());
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn a_refusal_is_not_asked_again() {
        let (answer, tries) = ask(|_| Err(EngineError::execution_not_found())).await;
        assert!(answer.is_err());
        assert_eq!(tries, 1);
    }
}
