//! Time: the store's for what is stored, and a monotonic one for how long this process waits.

use std::future::Future;
use std::time::Duration;

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::TimestampMs;
use tokio::time::{Instant, timeout};

/// The monotonic clock that this process waits by.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// The store's time, or this machine's where the backend does not tell its own.
pub(crate) async fn store_now(backend: &dyn EngineBackend) -> Result<TimestampMs, EngineError> {
    match backend.now().await {
        Err(EngineError::Unavailable { .. }) => Ok(TimestampMs::now()),
        answer => answer,
    }
}

/// Whole milliseconds, the largest number of them for what is longer.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Gives a call up after a time: every operation of a backend may be dropped at any await, and repeated.
pub(crate) async fn within<T>(
    limit: Duration,
    op: &'static str,
    call: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    timeout(limit, call).await.unwrap_or(Err(EngineError::Timeout { op, elapsed: limit }))
}
