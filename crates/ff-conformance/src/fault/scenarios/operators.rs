//! What operators do to executions.

use std::time::Duration;

use ff_core::backend::{FailureClass, Handle};
use ff_core::contracts::{
    CancelExecutionArgs, CancelExecutionResult, ChangePriorityArgs, ReconcileTask,
    ReplayExecutionArgs, ReplayExecutionResult, RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::types::{CancelSource, ExecutionId};

use crate::fault::caller::{Caller, said};

pub(super) async fn cancel(caller: &mut Caller) {
    let id = caller.create().await;
    let handle = caller.claim().await;
    cancel_as(caller, &id, Some(&handle)).await;
    let refused = caller.ask(async |backend| backend.renew(&handle).await).await;
    caller.tell("renew", said(refused));
    cancel_as(caller, &id, None).await;
}

/// By the lease's holder, or else by an operator.
async fn cancel_as(caller: &mut Caller, id: &ExecutionId, holder: Option<&Handle>) {
    let source = holder.map_or(CancelSource::OperatorOverride, |_| CancelSource::LeaseHolder);
    let args = CancelExecutionArgs {
        execution_id: id.clone(),
        reason: "not wanted".to_owned(),
        source,
        lease_id: holder.map(Handle::lease_id),
        lease_epoch: holder.map(Handle::lease_epoch),
        attempt_id: None,
        now: caller.now(),
    };
    let cancelled = caller.ask(async |backend| backend.cancel_execution(args.clone()).await).await;
    let CancelExecutionResult::Cancelled { execution_id, public_state } = cancelled.unwrap();
    assert_eq!(&execution_id, id);
    caller.tell("cancel_execution", public_state);
}

pub(super) async fn replay(caller: &mut Caller) {
    let execution_id = caller.create().await;
    let mut handle = caller.claim().await;
    caller.fail(&mut handle, FailureClass::Permanent).await;
    let args = ReplayExecutionArgs { execution_id, now: caller.now() };
    let replayed = caller.ask(async |backend| backend.replay_execution(args.clone()).await).await;
    let answer = match replayed {
        Ok(ReplayExecutionResult::Replayed { public_state }) => public_state.to_string(),
        Err(error) => error.to_string(),
    };
    caller.tell("replay_execution", answer);
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn revoke(caller: &mut Caller) {
    let execution_id = caller.create().await;
    let stale = caller.claim().await;
    let args = RevokeLeaseArgs {
        execution_id,
        expected_lease_id: Some(stale.lease_id()),
        worker_instance_id: caller.instance(),
        reason: "it is slow".to_owned(),
    };
    let revoked = caller.ask(async |backend| backend.revoke_lease(args.clone()).await).await;
    let answer = match revoked.unwrap() {
        RevokeLeaseResult::Revoked { lease_id, .. } => {
            assert_eq!(lease_id, stale.lease_id());
            "revoked".to_owned()
        }
        RevokeLeaseResult::AlreadySatisfied { reason } => reason,
    };
    caller.tell("revoke_lease", answer);
    let refused = caller.ask(async |backend| backend.complete(&stale, None).await).await;
    caller.tell("complete", said(refused));
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn reorder(caller: &mut Caller) {
    let execution_id = caller.create().await;
    caller.advance(Duration::from_secs(2));
    caller.reconcile(ReconcileTask::PromoteDue).await;
    let (lane_id, now) = (caller.lane(), caller.now());
    let args = ChangePriorityArgs { execution_id, new_priority: 7, lane_id, now };
    let changed = caller.ask(async |backend| backend.change_priority(args.clone()).await).await;
    caller.tell("change_priority", said(changed));
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}
