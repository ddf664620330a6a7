//! The end of a workload: what it left unfinished is finished.

use std::sync::Arc;
use std::time::Duration;

use ff_core::clock::ManualClock;
use ff_core::contracts::{ExecutionFilter, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::LaneId;

use super::client::{LANE, SWEEP, policy};
use super::log::Log;
use super::record::Answer;
use super::recorder::Recorder;

/// How long one claim waits for work, where time passes by itself.
const WAIT: Duration = Duration::from_millis(10);
/// How far the clock moves between two claims, where it does not.
const STEP: Duration = Duration::from_millis(100);
/// Milliseconds for which the leases of this last worker hold: it loses none.
const LEASE_TTL_MS: u32 = 60_000;
/// Rounds after which what has not finished never will.
const ENOUGH: usize = 3_000;

/// Sweeps, claims and completes until every execution has finished, or some never will, which
/// [`check`](super::check()) tells. With a clock, moves it.
pub async fn drain(
    backend: &Arc<dyn EngineBackend>,
    log: &Arc<Log>,
    clock: Option<&Arc<ManualClock>>,
) {
    let recorder = Recorder::new(Arc::clone(backend), Arc::clone(log), "drain".to_owned());
    let policy = policy(recorder.client(), LEASE_TTL_MS, clock.is_none().then_some(WAIT));
    for _ in 0..ENOUGH {
        for task in [ReconcileTask::ExpireLeases, ReconcileTask::ExpireDeadlines] {
            recorder.reconcile(task, SWEEP).await;
        }
        let lane = LaneId::new(LANE);
        if let Answer::Claimed(handles) = recorder.claim_batch(&lane, policy.clone(), SWEEP).await {
            let batch = handles.into_iter().map(|handle| (handle, "drained".to_owned()));
            recorder.complete_batch(batch.collect()).await;
        }
        if unfinished(backend).await == Some(0) {
            return;
        }
        if let Some(clock) = clock {
            clock.advance(STEP);
        }
    }
}

/// How many executions have not finished; `None` when the store does not tell.
async fn unfinished(backend: &Arc<dyn EngineBackend>) -> Option<u64> {
    let counts = backend.count_executions(&ExecutionFilter::default()).await.ok()?;
    let open = counts.iter().filter(|count| !count.public_state.is_finished());
    Some(open.map(|count| count.count).sum())
}
