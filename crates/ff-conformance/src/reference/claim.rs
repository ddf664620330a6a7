//! Claiming, and waiting for work.

use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::caps;
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution};
use ff_core::engine_error::EngineError;
use ff_core::rules::claim::{QueuePosition, grant, is_claimable, queue_position};
use ff_core::rules::input;
use ff_core::types::{ExecutionId, LaneId, TimestampMs};
use tokio::time::timeout;

use super::store::{Record, State};
use super::{LABEL, ReferenceBackend};

/// How long a waiting claim sleeps when nothing wakes it: time alone makes work claimable too.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl ReferenceBackend {
    pub(super) async fn claim_one(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Result<Option<Handle>, EngineError> {
        let (lanes, capabilities) = (vec![lane.clone()], capabilities.clone());
        let args = ClaimBatchArgs { lanes, capabilities, policy, max: 1 };
        let claimed = self.claim_several(args).await?;
        Ok(claimed.into_iter().next().map(|claimed| claimed.handle))
    }

    pub(super) async fn claim_several(
        &self,
        args: ClaimBatchArgs,
    ) -> Result<Vec<ClaimedExecution>, EngineError> {
        input::check_claim_batch(&args)?;
        match args.policy.max_wait {
            None => self.claim_now(&args),
            // What is claimed is answered in the same poll, so that a time-out loses no lease.
            Some(max_wait) => {
                timeout(max_wait, self.claim_when_there(&args)).await.unwrap_or(Ok(Vec::new()))
            }
        }
    }

    async fn claim_when_there(
        &self,
        args: &ClaimBatchArgs,
    ) -> Result<Vec<ClaimedExecution>, EngineError> {
        loop {
            let mut woken = Box::pin(self.store.work.notified());
            // Listens before it looks, so that what is created between the two wakes it.
            woken.as_mut().enable();
            let claimed = self.claim_now(args)?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
            let _ = timeout(POLL_INTERVAL, woken).await;
        }
    }

    fn claim_now(&self, args: &ClaimBatchArgs) -> Result<Vec<ClaimedExecution>, EngineError> {
        let now = self.clock_now();
        let mut state = self.lock()?;
        let mut claimed = Vec::new();
        for id in state.next_in_queue(args, now) {
            let decision = grant(&state.load(&id)?.execution()?, &args.policy, now)?;
            let lease = state.apply(&id, decision);
            let context = state.load(&id)?.context()?;
            claimed.push(ClaimedExecution::new(Handle::mint(LABEL, id, lease), context));
        }
        Ok(claimed)
    }
}

impl State {
    /// What a claim takes: the lanes' executions as one queue (CLAIM-1, CLAIM-4, CLAIM-6).
    fn next_in_queue(&self, args: &ClaimBatchArgs, now: TimestampMs) -> Vec<ExecutionId> {
        let mut queue: Vec<_> =
            self.records.values().filter_map(|record| self.candidate(record, args, now)).collect();
        queue.sort_by_key(|(position, _)| *position);
        queue.into_iter().take(args.max as usize).map(|(_, id)| id).collect()
    }

    /// An execution that cannot be read is passed by, so that it delays no other.
    fn candidate(
        &self,
        record: &Record,
        args: &ClaimBatchArgs,
        now: TimestampMs,
    ) -> Option<(QueuePosition, ExecutionId)> {
        let execution = record.execution().ok()?;
        let can_be_taken = args.lanes.contains(&execution.lane_id)
            && !self.is_paused(&execution.lane_id)
            && is_claimable(&execution, now)
            && caps::matches(&record.requirement, &args.capabilities);
        can_be_taken.then(|| (queue_position(&execution), execution.execution_id))
    }
}
