//! Time, and the ids that are minted from it: the only place that reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// A clock that follows another machine's, so that the machines of a fleet agree on when a lease ends
/// whatever their own clocks say. Between two looks at the other clock it advances by this machine's
/// monotonic one, which nobody sets.
///
/// ```
/// use std::time::Duration;
/// use ff_core::clock::{Clock, FollowedClock};
/// use ff_core::types::TimestampMs;
///
/// let clock = FollowedClock::default();
/// assert!(clock.is_older_than(Duration::ZERO));
/// let look = clock.look();
/// let there = TimestampMs::from_millis(5_000_000); // asked of the other machine
/// clock.follow(look, there);
/// assert!(clock.now() >= there);
/// ```
#[derive(Debug, Default)]
pub struct FollowedClock {
    last: RwLock<Option<Reading>>,
}

/// The other clock as it was last read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    there: TimestampMs,
    at: Instant,
}

/// A look at the other clock that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Look(Instant);

impl FollowedClock {
    /// Begins a look: call it before the other machine is asked.
    pub fn look(&self) -> Look {
        Look(Instant::now())
    }

    /// Ends a look with the answer, which was true about half-way between the two.
    pub fn follow(&self, look: Look, there: TimestampMs) {
        let reading = Reading { there, at: look.0 + look.0.elapsed() / 2 };
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }

    /// Whether the other clock was read longer ago than `age`, or never.
    pub fn is_older_than(&self, age: Duration) -> bool {
        self.reading().is_none_or(|reading| reading.at.elapsed() >= age)
    }

    fn reading(&self) -> Option<Reading> {
        *self.last.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FollowedClock {
    /// This machine's time until the other clock has been read.
    fn now(&self) -> TimestampMs {
        self.reading().map_or_else(system_now, |reading| {
            let elapsed = u64::try_from(reading.at.elapsed().as_millis()).unwrap_or(u64::MAX);
            reading.there.saturating_add_millis(elapsed)
        })
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
    fn a_followed_clock_shows_the_other_ones_time_and_goes_on() {
        let clock = FollowedClock::default();
        assert!(clock.now() >= TimestampMs(1_600_000_000_000));
        let look = clock.look();
        clock.follow(look, TimestampMs(7_000));
        let now = clock.now();
        assert!(now >= TimestampMs(7_000) && now < TimestampMs(60_000), "{now}");
        assert!(!clock.is_older_than(Duration::from_secs(3_600)));
    }

    #[test]
    fn a_manual_clock_can_go_back() {
        let clock = ManualClock::starting_at(TimestampMs(5));
        clock.set(TimestampMs(-1));
        assert_eq!(clock.now(), TimestampMs(-1));
    }
}
