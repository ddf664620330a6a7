//! How long to wait before the next try, spread so that processes do not try in step.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Numbers that differ between processes and calls. Not for secrets.
#[derive(Debug)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(crate) fn seeded_by(seed: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        Self { state: hasher.finish() }
    }

    /// A time from half of `whole` up to all of it.
    pub(crate) fn shorten(&mut self, whole: Duration) -> Duration {
        let half = whole / 2;
        half + half.mul_f64(self.share())
    }

    /// A time from nothing up to `whole`.
    pub(crate) fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.share())
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014), as a share of one.
    fn share(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        (word >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Waits that double up to a cap, each shortened by up to half.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
    jitter: Jitter,
}

impl Backoff {
    pub(crate) fn new(first: Duration, cap: Duration, seed: impl Hash) -> Self {
        Self { first, cap, tries: 0, jitter: Jitter::seeded_by(seed) }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.tries).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_add(1);
        self.jitter.shorten(self.first.saturating_mul(factor).min(self.cap))
    }

    /// Waits that were asked for since the start or the last reset.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_again() {
        let (first, cap) = (Duration::from_millis(10), Duration::from_millis(65));
        let mut backoff = Backoff::new(first, cap, "seed");
        for whole in [10, 20, 40, 65, 65] {
            let whole = Duration::from_millis(whole);
            let wait = backoff.next();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }

    #[test]
    fn a_long_run_of_failures_stays_at_the_cap() {
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(5), 7);
        for _ in 0..100 {
            assert!(backoff.next() <= Duration::from_secs(5));
        }
        assert!(backoff.next() >= Duration::from_millis(2_500));
    }

    #[test]
    fn shares_spread() {
        let mut jitter = Jitter::seeded_by("worker");
        let parts: std::collections::BTreeSet<_> =
            (0..100).map(|_| jitter.part_of(Duration::from_secs(1)).as_millis() / 100).collect();
        assert_eq!(parts.len(), 10);
    }
}
