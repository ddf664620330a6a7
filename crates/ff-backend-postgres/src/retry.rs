//! The one place that runs an operation again.
//!
//! What the server has undone by itself (a serialization failure, a deadlock, an idempotency key that
//! another creation took at the same time) is run again: nothing of it is stored. When the connection was
//! lost, the operation may be done: it is run again only where that is safe, and what it finds then is the
//! reading back.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ff_core::engine_error::{ContentionKind, EngineError};
use tokio::time::sleep;

use crate::PostgresBackend;
use crate::error;
use crate::pool::Losses;
use crate::tx::Tx;

/// Tries after the first, when the server has undone the ones before.
const UNDONE_MAX: u32 = 8;
/// Tries after the first, when the answers to the ones before were lost.
const LOST_MAX: u32 = 3;
/// Before the second try; doubled before each one after.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// As `FIRST_PAUSE`, when the connection was lost.
const FIRST_PAUSE_LOST: Duration = Duration::from_millis(50);

/// What became of the tries before this one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    pub(crate) undone: u32,
    /// Tries that may be done, because their answers were lost.
    pub(crate) lost: u32,
}

/// Runs an operation that may be repeated whatever became of it.
pub(crate) async fn repeat<T, F>(
    backend: &PostgresBackend,
    operation: impl Fn(Before) -> F,
) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    run(&backend.connections.losses, operation, LOST_MAX).await
}

/// Runs an operation that is not repeated when its answer was lost, such as a claim: what it took would
/// stay taken beside what the next try takes.
pub(crate) async fn repeat_undone<T, F>(
    backend: &PostgresBackend,
    operation: impl Fn() -> F,
) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    run(&backend.connections.losses, |_| operation(), 0).await
}

async fn run<T, F>(
    losses: &Losses,
    operation: impl Fn(Before) -> F,
    lost_max: u32,
) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let mut before = Before::default();
    loop {
        let error = match operation(before).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_lost = error::lost_answer(&error);
        if is_lost {
            losses.note();
        }
        if error::was_undone(&error) {
            if before.undone == UNDONE_MAX {
                return Err(EngineError::Contention(ContentionKind::StoreBusy));
            }
            sleep(FIRST_PAUSE * 2_u32.pow(before.undone)).await;
            before.undone += 1;
        } else if is_lost && before.lost < lost_max {
            tracing::debug!(%error, "the connection was lost; trying again");
            sleep(FIRST_PAUSE_LOST * 2_u32.pow(before.lost)).await;
            before.lost += 1;
        } else {
            return Err(error);
        }
    }
}

/// The tries at an operation that would answer otherwise once it is done, such as a replay. Each try tells its
/// answer before it commits; when the server's own word is lost, the next try asks what became of it.
pub(crate) struct Tries<T>(Mutex<Option<(i64, T)>>);

impl<T> Default for Tries<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Tries<T> {
    /// Keeps what was done in the transaction of this id and answered so, unless the try before was done after
    /// all: then it keeps nothing, and the answer is that of the try before.
    pub(crate) async fn commit(
        &self,
        (mut tx, id): (Tx<'_>, i64),
        answer: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if let Some((before, answer_before)) = self.last() {
            // The locks that were had since are those that the try before had: it is over.
            match tx.has_committed(before).await {
                Ok(true) => {
                    tx.roll_back().await;
                    return Ok(answer_before);
                }
                // A statement that fails undoes the transaction, whose commit would then keep nothing.
                Err(error) if answer.is_ok() || error::lost_answer(&error) => {
                    tx.roll_back().await;
                    return Err(error);
                }
                Ok(false) | Err(_) => {}
            }
        }
        let answer = match answer {
            Ok(answer) => answer,
            // Whoever is told the error may go on at once: no lock of this try shall be in the way then.
            Err(error) => {
                tx.roll_back().await;
                return Err(error);
            }
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, answer.clone()));
        tx.commit().await?;
        Ok(answer)
    }

    fn last(&self) -> Option<(i64, T)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;
    use crate::error::transport;

    fn cut() -> EngineError {
        transport(sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_asked_for_again_and_the_try_is_told() {
        let tries = Cell::new(0);
        let losses = Losses::default();
        let answer = run(
            &losses,
            |before| {
                tries.set(tries.get() + 1);
                async move { if before.lost < 2 { Err(cut()) } else { Ok(before.lost) } }
            },
            LOST_MAX,
        );
        assert_eq!(answer.await.unwrap(), 2);
        assert_eq!(tries.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_lost_is_told() {
        let tries = Cell::new(0);
        let answer: Result<(), _> = run(
            &Losses::default(),
            |_| {
                tries.set(tries.get() + 1);
                async { Err(cut()) }
            },
            LOST_MAX,
        )
        .await;
        assert!(matches!(answer, Err(EngineError::Transport { .. })));
        assert_eq!(tries.get(), 1 + LOST_MAX);
    }

    #[tokio::test]
    async fn a_claim_whose_answer_was_lost_is_not_run_again() {
        let tries = Cell::new(0);
        let answer: Result<(), _> = run(
            &Losses::default(),
            |_| {
                tries.set(tries.get() + 1);
                async { Err(cut()) }
            },
            0,
        )
        .await;
        assert!(answer.is_err());
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test]
    async fn what_the_operation_itself_refuses_is_not_run_again() {
        let tries = Cell::new(0);
        let answer: Result<(), _> = run(
            &Losses::default(),
            |_| {
                tries.set(tries.get() + 1);
                async { Err(EngineError::execution_not_found()) }
            },
            LOST_MAX,
        )
        .await;
        assert!(matches!(answer, Err(EngineError::NotFound { .. })));
        assert_eq!(tries.get(), 1);
    }
}
