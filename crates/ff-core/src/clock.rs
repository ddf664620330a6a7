//! Time, and the ids that are minted from it: the only place that reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::types::TimestampMs;

/// Where a backend takes the time from when an operation's arguments do not carry it.
///
/// ```
/// use std::time::Duration;
/// use ff_core::clock::{Clock, ManualClock};
/// use ff_core::types::TimestampMs;
///
/// let clock = ManualClock::starting_at(TimestampMs::from_millis(1_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), TimestampMs::from_millis(3_000));
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> TimestampMs;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> TimestampMs {
        system_now()
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `time`.
    pub fn starting_at(time: TimestampMs) -> Self {
        Self { millis: AtomicI64::new(time.0) }
    }

    /// Moves the clock forward by `duration`, in whole milliseconds.
    pub fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, time: TimestampMs) {
        self.millis.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(self.millis.load(Ordering::SeqCst))
    }
}

pub(crate) fn system_now() -> TimestampMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

pub(crate) fn mint_uuid() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_rise_within_a_process() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| mint_uuid()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_manual_clock_can_go_back() {
        let clock = ManualClock::starting_at(TimestampMs(5));
        clock.set(TimestampMs(-1));
        assert_eq!(clock.now(), TimestampMs(-1));
    }
}
