use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CancelFlowResult, ReconcileTask};
use ff_core::engine_error::EngineError;
use ff_core::state::PublicFlowState;

use super::header::header;
use super::{flow_of, given_flow, given_held_member, given_member};
use crate::cx::Cx;

const ALL: CancelFlowPolicy = CancelFlowPolicy::CancelAll;
/// Longer than a case may run.
const LONG: CancelFlowWait = CancelFlowWait::WaitTimeout(Duration::from_secs(600));
const SHORT: CancelFlowWait = CancelFlowWait::WaitTimeout(Duration::from_millis(20));

#[track_caller]
fn assert_cancelled(answer: CancelFlowResult, members: usize) {
    let CancelFlowResult::Cancelled { member_execution_ids, .. } = answer else {
        unreachable!("{answer:?}");
    };
    assert_eq!(member_execution_ids.len(), members);
}

/// FLOW-8. A flow whose members nobody holds is waited for only while it is cancelled.
pub(crate) async fn nothing_held_is_nothing_to_wait_for(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    given_member(&cx, &flow_id).await;

    let answer = cx.backend.cancel_flow(&flow_id, ALL, CancelFlowWait::WaitIndefinite).await;

    assert_cancelled(answer.unwrap(), 1);
}

/// FLOW-8. A wait ends when every worker has let go.
pub(crate) async fn a_wait_ends_when_every_worker_has_let_go(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = [given_held_member(&cx, &flow_id).await, given_held_member(&cx, &flow_id).await];
    let backend = cx.backend.clone();

    let waiting = tokio::spawn(async move { backend.cancel_flow(&flow_id, ALL, LONG).await });
    for handle in &held {
        // The lease is lost as soon as the flow is cancelled; only then does a worker let go.
        while cx.backend.renew(handle).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        cx.backend.ack_cancel_member(&flow_id, handle.execution_id()).await.unwrap();
    }

    assert_cancelled(waiting.await.unwrap().unwrap(), 2);
}

/// FLOW-8. A wait that is over is a time-out, and the flow is cancelled all the same.
pub(crate) async fn a_wait_that_is_over_is_a_time_out(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;

    let error = cx.backend.cancel_flow(&flow_id, ALL, SHORT).await.unwrap_err();

    assert!(matches!(error, EngineError::Timeout { op: "cancel_flow", .. }), "{error:?}");
    assert!(error.is_retryable());
    assert_eq!(flow_of(&cx, &flow_id).await.public_flow_state, PublicFlowState::Cancelled);
    cx.backend.ack_cancel_member(&flow_id, held.execution_id()).await.unwrap();
    assert_cancelled(cx.backend.cancel_flow(&flow_id, ALL, SHORT).await.unwrap(), 1);
}

/// FLOW-8, TIME-6. A wait ends when the workers that have not let go are gone.
pub(crate) async fn a_wait_ends_when_the_workers_are_gone(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    given_held_member(&cx, &flow_id).await;
    let error = cx.backend.cancel_flow(&flow_id, ALL, SHORT).await.unwrap_err();
    assert!(matches!(error, EngineError::Timeout { .. }), "{error:?}");

    cx.reconcile(ReconcileTask::DrainCancelBacklog).await;

    let answer = cx.backend.cancel_flow(&flow_id, ALL, CancelFlowWait::WaitIndefinite).await;
    assert_cancelled(answer.unwrap(), 1);
}

/// FLOW-8, FLOW-5. A flow that was cancelled by name can be waited for too.
pub(crate) async fn a_cancellation_by_name_can_be_waited_for(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = given_member(&cx, &flow_id).await;
    cx.backend.cancel_flow_header(header(&cx, &flow_id, "cancel_all")).await.unwrap();

    let early = cx.backend.cancel_flow(&flow_id, ALL, SHORT).await;
    cx.backend.ack_cancel_member(&flow_id, &id).await.unwrap();
    let late = cx.backend.cancel_flow(&flow_id, ALL, LONG).await;

    assert!(matches!(early, Err(EngineError::Timeout { .. })), "{early:?}");
    assert_cancelled(late.unwrap(), 1);
}

/// FLOW-5, FLOW-8. Who does not wait leaves nothing to be let go.
pub(crate) async fn who_does_not_wait_leaves_no_backlog(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    given_held_member(&cx, &flow_id).await;

    super::cancel_flow(&cx, &flow_id, ALL).await;

    assert_eq!(cx.probe().read_cancel_backlog(&flow_id).await, None);
}
