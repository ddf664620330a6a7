//! Draws, each the same again for the same seed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// A seed for a run that was given none.
pub(crate) fn seed() -> u64 {
    // Short, so that it is easily given again.
    RandomState::new().build_hasher().finish() % 1_000_000
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Draws that are this seed's, and this purpose's.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mix = |seed: u64, byte: u8| Self(seed ^ u64::from(byte)).word();
        Self(purpose.bytes().fold(seed, mix))
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.word() % end.max(1)
    }

    /// A time of whole milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to.saturating_sub(from) + 1))
    }

    /// A place in something of this length.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.place(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            [random.word(), random.word()]
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn a_shuffled_deck_has_the_same_cards() {
        let mut cards: Vec<u32> = (0..50).collect();
        Random::new(7, "").shuffle(&mut cards);
        assert_ne!(cards, (0..50).collect::<Vec<_>>());
        cards.sort_unstable();
        assert_eq!(cards, (0..50).collect::<Vec<_>>());
    }
}
