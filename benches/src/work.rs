//! The work that is measured, a file an area.

mod claim;
mod event;
mod execution;
mod flow;
mod lease;
mod worker;

use std::collections::HashMap;
use std::time::Duration;

use ff_core::backend::ClaimPolicy;
use ff_core::contracts::CreateExecutionArgs;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};

use crate::Bench;

/// Longer than any bench runs, so that no lease is renewed or runs out.
const LEASE_TTL_MS: u32 = 3_600_000;
/// What executions are created in when that is not measured.
pub const LOAD: u64 = 1_000;
/// Where the work of ours is; the floor's own is in another lane.
pub const LANE: &str = "bench";
/// The kind of all executions.
pub(crate) const KIND: &str = "bench";
/// What their handler is given.
pub(crate) const PAYLOAD: &[u8] = b"{\"n\":1}";

/// What single ones took.
pub type Latencies = Vec<Duration>;

impl Bench {
    fn args(&self) -> CreateExecutionArgs {
        let lane_id = lane();
        let execution_id = ExecutionId::solo(&lane_id, &self.backend.partition_config());
        CreateExecutionArgs {
            partition_id: execution_id.partition(),
            execution_id,
            namespace: Namespace::new("default"),
            lane_id,
            execution_kind: KIND.to_owned(),
            input_payload: PAYLOAD.to_vec(),
            payload_encoding: Some("json".to_owned()),
            priority: 0,
            creator_identity: String::new(),
            idempotency_key: None,
            tags: HashMap::new(),
            policy: None,
            delay_until: None,
            execution_deadline_at: None,
            now: TimestampMs::from_millis(0),
        }
    }
}

fn lane() -> LaneId {
    LaneId::new(LANE)
}

fn policy(worker: u64) -> ClaimPolicy {
    let instance = WorkerInstanceId::new(format!("bench-{worker}"));
    ClaimPolicy::new(WorkerId::new("bench"), instance, LEASE_TTL_MS, None)
}

/// What one of several takes of the whole, the first ones the rest.
pub(crate) fn share(whole: u64, parts: u64, part: u64) -> u64 {
    whole / parts + u64::from(part < whole % parts)
}

/// The sizes of batches that together are the whole.
pub(crate) fn batches(whole: u64, size: u64) -> impl Iterator<Item = u64> {
    let full = std::iter::repeat_n(size, usize::try_from(whole / size).unwrap_or(usize::MAX));
    full.chain((!whole.is_multiple_of(size)).then_some(whole % size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_batches_add_up() {
        for whole in 0..20 {
            assert_eq!((0..7).map(|part| share(whole, 7, part)).sum::<u64>(), whole);
            assert_eq!(batches(whole, 7).sum::<u64>(), whole);
            assert!(batches(whole, 7).all(|batch| (1..=7).contains(&batch)));
        }
    }
}
