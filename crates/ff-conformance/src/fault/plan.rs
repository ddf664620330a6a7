//! Which call meets which fault.

use std::time::Duration;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives: nothing is done, and the caller is told that the way to the store failed.
    Before,
    /// It is done and its answer is lost: the caller is told the same.
    After,
    /// It arrives twice, and the second answer goes nowhere.
    Duplicate,
    /// It arrives when this much time has passed, by the store's clock.
    Delay(Duration),
}

/// Which of a backend's calls meet a fault. Calls are numbered from 0 in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPlan {
    /// None.
    Never,
    /// One.
    At {
        /// The call's number.
        call: u64,
        /// What happens to it.
        fault: Fault,
    },
    /// About one in so many, drawn by a seed: the same seed draws the same.
    Seeded {
        /// The seed.
        seed: u64,
        /// Calls for each fault, on average; at least 1.
        one_in: u64,
        /// How late a call is that is delayed.
        delay: Duration,
    },
}

impl FaultPlan {
    /// What happens to the call of this number.
    pub fn fault(&self, number: u64) -> Option<Fault> {
        match *self {
            Self::Never => None,
            Self::At { call, fault } => (call == number).then_some(fault),
            Self::Seeded { seed, one_in, delay } => {
                let drawn = mix(seed ^ mix(number));
                let faults = [Fault::Before, Fault::After, Fault::Duplicate, Fault::Delay(delay)];
                // The number's low part says whether, and its high part says which.
                let which = usize::try_from(drawn >> 32).unwrap_or_default() % faults.len();
                (drawn & 0xffff_ffff).is_multiple_of(one_in.max(1)).then(|| faults[which])
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(1);

    fn drawn(seed: u64) -> Vec<Option<Fault>> {
        let plan = FaultPlan::Seeded { seed, one_in: 4, delay: DELAY };
        (0..1_000).map(|number| plan.fault(number)).collect()
    }

    #[test]
    fn one_call_is_met() {
        let plan = FaultPlan::At { call: 2, fault: Fault::After };
        let faults: Vec<_> = (0..4).map(|number| plan.fault(number)).collect();
        assert_eq!(faults, [None, None, Some(Fault::After), None]);
        assert_eq!(FaultPlan::Never.fault(0), None);
    }

    #[test]
    fn a_seed_draws_about_as_many_as_it_is_told_and_of_every_kind() {
        let faults = drawn(7);
        let count = |wanted| faults.iter().filter(|fault| **fault == Some(wanted)).count();
        for kind in [Fault::Before, Fault::After, Fault::Duplicate, Fault::Delay(DELAY)] {
            assert!((40..=85).contains(&count(kind)), "{kind:?}: {}", count(kind));
        }
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_one_does_not() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }
}
