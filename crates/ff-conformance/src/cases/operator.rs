mod cancel;
mod priority;
mod race;
mod replay;
mod revoke;

use ff_core::backend::Handle;
use ff_core::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ReplayExecutionArgs,
    RevokeLeaseArgs,
};
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use ff_core::types::{CancelSource, ExecutionId, LaneId, WorkerInstanceId};

use crate::cx::Cx;
use crate::fixture::AttemptKey;

pub(crate) use cancel::*;
pub(crate) use priority::*;
pub(crate) use race::*;
pub(crate) use replay::*;
pub(crate) use revoke::*;

/// What an operator asks for to cancel an execution.
pub(crate) fn cancellation(cx: &Cx, id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        reason: "not wanted".to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: cx.now(),
    }
}

/// Cancels as an operator and expects it to be done.
pub(crate) async fn cancel(cx: &Cx, id: &ExecutionId) {
    let answer = cx.backend.cancel_execution(cancellation(cx, id)).await.unwrap();
    assert_cancelled(answer, id);
}

#[track_caller]
pub(crate) fn assert_cancelled(answer: CancelExecutionResult, id: &ExecutionId) {
    let CancelExecutionResult::Cancelled { execution_id, public_state } = answer;
    assert_eq!((&execution_id, public_state), (id, PublicState::Cancelled));
}

fn revocation(handle: &Handle) -> RevokeLeaseArgs {
    RevokeLeaseArgs {
        execution_id: handle.execution_id().clone(),
        expected_lease_id: None,
        worker_instance_id: handle.worker_instance_id().clone(),
        reason: "stuck".to_owned(),
    }
}

fn revocation_of(id: &ExecutionId, instance: &str) -> RevokeLeaseArgs {
    RevokeLeaseArgs {
        execution_id: id.clone(),
        expected_lease_id: None,
        worker_instance_id: WorkerInstanceId::new(instance),
        reason: "stuck".to_owned(),
    }
}

fn new_priority(cx: &Cx, id: &ExecutionId, new_priority: i32) -> ChangePriorityArgs {
    let lane_id = LaneId::new("ignored");
    ChangePriorityArgs { execution_id: id.clone(), new_priority, lane_id, now: cx.now() }
}

pub(crate) fn replay_of(cx: &Cx, id: &ExecutionId) -> ReplayExecutionArgs {
    ReplayExecutionArgs { execution_id: id.clone(), now: cx.now() }
}

/// Gives the attempt that a worker runs the outcome of a failure before, as a program leaves it that claims
/// an attempt and does not clear it.
pub(crate) async fn write_stale_outcome(cx: &Cx, handle: &Handle) {
    let (execution_id, attempt_index) = (handle.execution_id(), handle.attempt_index());
    let at = AttemptKey { execution_id, attempt_index };
    cx.probe().write_attempt_text(at, "outcome", Some("retry")).await;
}

/// Every call by the handle fails as one whose lease is somebody else's.
pub(crate) async fn assert_lost(cx: &Cx, handle: &Handle) {
    use crate::assertions::assert_lease_conflict;
    use ff_core::backend::FailureClass;
    assert_lease_conflict(cx.backend.renew(handle).await.unwrap_err());
    assert_lease_conflict(cx.backend.complete(handle, None).await.unwrap_err());
    assert_lease_conflict(cx.fail(handle, FailureClass::Permanent).await.unwrap_err());
    let mut checked = cx.backend.check_leases(std::slice::from_ref(handle)).await.unwrap();
    assert_lease_conflict(checked.pop().unwrap().unwrap_err());
}

#[track_caller]
fn assert_not_eligible(error: EngineError) {
    use ff_core::engine_error::ContentionKind::ExecutionNotEligible;
    let is_it = matches!(error, EngineError::Contention(ExecutionNotEligible));
    assert!(is_it, "not an execution that is not eligible: {error:?}");
}
