//! Claims that are made at the same time: those that ask for the same are made as one.

use ff_core::backend::ClaimPolicy;
use ff_core::contracts::{CLAIM_BATCH_MAX, ClaimBatchArgs, ClaimedExecution};

/// Claims of the same lanes with the same capabilities.
#[derive(Clone, Debug)]
pub struct Claims<'a> {
    args: Vec<&'a ClaimBatchArgs>,
}

impl<'a> Claims<'a> {
    /// Claims that may be made as one, each with its place in the batch.
    pub fn gather(batch: &'a [ClaimBatchArgs]) -> Vec<(Vec<usize>, Self)> {
        let mut all: Vec<(Vec<usize>, Self)> = Vec::new();
        for (place, args) in batch.iter().enumerate() {
            match all.iter_mut().find(|(_, claims)| claims.may_take_in(args)) {
                Some((places, claims)) => {
                    places.push(place);
                    claims.args.push(args);
                }
                None => all.push((vec![place], Self { args: vec![args] })),
            }
        }
        all
    }

    fn may_take_in(&self, args: &ClaimBatchArgs) -> bool {
        let asks_the_same = self.first().is_some_and(|first| {
            first.lanes == args.lanes && first.capabilities == args.capabilities
        });
        asks_the_same && self.max().saturating_add(args.max) <= CLAIM_BATCH_MAX
    }

    /// One of them, whose lanes and capabilities are those of all.
    pub fn first(&self) -> Option<&'a ClaimBatchArgs> {
        self.args.first().copied()
    }

    /// The claim at this place among them.
    pub fn get(&self, place: usize) -> Option<&'a ClaimBatchArgs> {
        self.args.get(place).copied()
    }

    /// Who claims, and for how long.
    pub fn policies(&self) -> impl Iterator<Item = &'a ClaimPolicy> + Clone {
        self.args.iter().map(|args| &args.policy)
    }

    /// How many they take at most.
    pub fn max(&self) -> u32 {
        self.args.iter().fold(0, |max, args| max.saturating_add(args.max))
    }

    /// Counted from 1, which of those found is the first that the first claim does not get, then the first that
    /// the first two do not get, and so on.
    pub fn bounds(&self) -> Vec<i64> {
        let bound = |first: &mut i64, args: &&ClaimBatchArgs| {
            *first += i64::from(args.max);
            Some(*first)
        };
        self.args.iter().scan(1, bound).collect()
    }

    /// The place of the claim that gets each of this many found.
    pub fn places(&self, found: usize) -> Vec<usize> {
        let claims = self.args.iter().enumerate();
        claims.flat_map(|(place, args)| (0..args.max).map(move |_| place)).take(found).collect()
    }

    /// What was claimed, by who claims.
    pub fn share_out(&self, claimed: Vec<(usize, ClaimedExecution)>) -> Vec<Vec<ClaimedExecution>> {
        let mut shares: Vec<Vec<ClaimedExecution>> = self.args.iter().map(|_| Vec::new()).collect();
        for (place, claimed) in claimed {
            if let Some(share) = shares.get_mut(place) {
                share.push(claimed);
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use ff_core::backend::CapabilitySet;
    use ff_core::types::{LaneId, WorkerId, WorkerInstanceId};

    use super::*;

    fn args(lane: &str, max: u32) -> ClaimBatchArgs {
        ClaimBatchArgs {
            lanes: vec![LaneId::new(lane)],
            capabilities: CapabilitySet::default(),
            policy: ClaimPolicy::new(WorkerId::new("w"), WorkerInstanceId::new("i"), 1, None),
            max,
        }
    }

    #[test]
    fn claims_that_ask_for_the_same_are_one_as_far_as_one_may_take() {
        let batch = [args("a", 2), args("b", 1), args("a", 3), args("a", CLAIM_BATCH_MAX)];
        let gathered = Claims::gather(&batch);
        let places: Vec<_> = gathered.iter().map(|(places, _)| places.clone()).collect();
        assert_eq!(places, [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn each_claim_gets_as_many_as_it_asked_for_in_their_order() {
        let batch = [args("a", 2), args("a", 3)];
        let (_, claims) = Claims::gather(&batch).pop().unwrap();
        assert_eq!((claims.max(), claims.bounds()), (5, vec![3, 6]));
        assert_eq!(claims.places(4), [0, 0, 1, 1]);
        assert_eq!(claims.places(9), [0, 0, 1, 1, 1]);
    }
}
