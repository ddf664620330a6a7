//! Where queues begin, for as long as that took long to find out.
//!
//! What was claimed stays in the index until the table is vacuumed, and a session with an old snapshot puts that
//! off. A claim that looks for the first of a queue walks past all of it. Where that takes a while, the claims
//! after it begin at the place that it found, for a time in proportion to what it took. Whatever becomes
//! claimable before that place meanwhile, such as by a higher priority, waits that long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ff_core::contracts::ClaimBatchArgs;
use ff_core::types::LaneId;
use uuid::Uuid;

/// How many times as long as it took to find them heads are gone by.
const WORTH: u32 = 20;
/// The longest that heads are gone by.
const KEPT_MAX: Duration = Duration::from_secs(5);
/// Kinds of claims whose heads are kept.
const ASKED_MAX: usize = 64;

/// A part of a lane whose executions require the same capabilities, and the first that waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueHead {
    pub(crate) lane_id: String,
    pub(crate) required_set: i64,
    /// The negated priority.
    pub(crate) rank: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) execution_id: Uuid,
}

/// The heads that claims have found, by what the claims asked for.
#[derive(Debug, Default)]
pub(crate) struct QueueHeads(Mutex<HashMap<Asked, Known>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    lanes: Vec<LaneId>,
    capabilities: Vec<String>,
}

#[derive(Debug)]
struct Known {
    heads: Vec<QueueHead>,
    until: Instant,
}

impl QueueHeads {
    /// The heads to begin at, if they are still worth it.
    pub(crate) fn known(&self, args: &ClaimBatchArgs) -> Option<Vec<QueueHead>> {
        let mut kept = self.kept();
        if kept.is_empty() {
            return None;
        }
        let asked = Asked::by(args);
        if kept.get(&asked)?.until <= Instant::now() {
            kept.remove(&asked);
            return None;
        }
        kept.get(&asked).map(|known| known.heads.clone())
    }

    /// Keeps what was found in this time.
    pub(crate) fn keep(&self, args: &ClaimBatchArgs, heads: Vec<QueueHead>, searched: Duration) {
        let until = Instant::now() + (searched * WORTH).min(KEPT_MAX);
        let mut kept = self.kept();
        if kept.len() >= ASKED_MAX {
            kept.clear();
        }
        kept.insert(Asked::by(args), Known { heads, until });
    }

    /// Nothing is left there.
    pub(crate) fn forget(&self, args: &ClaimBatchArgs) {
        self.kept().remove(&Asked::by(args));
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Asked, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn by(args: &ClaimBatchArgs) -> Self {
        let capabilities = args.capabilities.iter().map(str::to_owned).collect();
        Self { lanes: args.lanes.clone(), capabilities }
    }
}

#[cfg(test)]
mod tests {
    use ff_core::backend::{CapabilitySet, ClaimPolicy};
    use ff_core::types::{WorkerId, WorkerInstanceId};

    use super::*;

    fn args(capability: &str) -> ClaimBatchArgs {
        ClaimBatchArgs {
            lanes: vec![LaneId::new("mail")],
            capabilities: CapabilitySet::new([capability]),
            policy: ClaimPolicy::new(WorkerId::new("w"), WorkerInstanceId::new("i"), 1, None),
            max: 1,
        }
    }

    fn head(rank: i64) -> QueueHead {
        let (created_at_ms, execution_id) = (1, Uuid::nil());
        QueueHead { lane_id: "mail".to_owned(), required_set: 0, rank, created_at_ms, execution_id }
    }

    #[test]
    fn heads_are_kept_for_whoever_asks_the_same_until_they_are_forgotten() {
        let heads = QueueHeads::default();
        heads.keep(&args("gpu"), vec![head(0)], Duration::from_secs(1));
        assert_eq!(heads.known(&args("gpu")), Some(vec![head(0)]));
        assert_eq!(heads.known(&args("cpu")), None);
        heads.forget(&args("gpu"));
        assert_eq!(heads.known(&args("gpu")), None);
    }

    #[test]
    fn what_took_no_time_to_find_is_not_kept() {
        let heads = QueueHeads::default();
        heads.keep(&args("gpu"), vec![head(0)], Duration::ZERO);
        assert_eq!(heads.known(&args("gpu")), None);
    }

    #[test]
    fn few_are_kept() {
        let heads = QueueHeads::default();
        for number in 0..=ASKED_MAX {
            heads.keep(&args(&number.to_string()), Vec::new(), Duration::from_secs(1));
        }
        assert!(heads.kept().len() <= ASKED_MAX);
    }
}
