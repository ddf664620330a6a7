use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{AddExecutionToFlowResult, CancelFlowHeader, CancelFlowResult};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::state::PublicState;

use super::header::header;
use super::{addition, given_candidate, given_flow, given_held_member, given_member};
use crate::cases::at_once;
use crate::cx::Cx;

const ALL: CancelFlowPolicy = CancelFlowPolicy::CancelAll;
const NO_WAIT: CancelFlowWait = CancelFlowWait::NoWait;
const ROUNDS: usize = 10;

/// OP-7, SAFE-4. Of many cancellations of a flow at once, one acts and all are answered the same.
pub(crate) async fn concurrent_cancellations_of_a_flow_act_once(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let held = given_held_member(&cx, &flow_id).await;
    given_member(&cx, &flow_id).await;

    let answers = at_once(8, &cx.backend, |backend, _| async move {
        backend.cancel_flow(&flow_id, ALL, NO_WAIT).await.unwrap()
    })
    .await;

    let CancelFlowResult::Cancelled { member_execution_ids, .. } = &answers[0] else {
        unreachable!("{answers:?}");
    };
    assert_eq!(member_execution_ids.len(), 2);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let events = cx.events(held.execution_id()).await;
    assert_eq!(events, ["lease acquired", "lease revoked", "completion cancelled"]);
}

/// FLOW-5, OP-7. Of many cancellations by name at once, one acts and the others find the flow cancelled.
pub(crate) async fn concurrent_cancellations_by_name_act_once(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    given_member(&cx, &flow_id).await;
    let args = header(&cx, &flow_id, "cancel_all");

    let answers = at_once(8, &cx.backend, |backend, _| {
        let args = args.clone();
        async move { backend.cancel_flow_header(args).await.unwrap() }
    })
    .await;

    let acted = answers.iter().filter(|it| matches!(it, CancelFlowHeader::Cancelled { .. }));
    assert_eq!(acted.count(), 1);
}

/// FLOW-2, SAFE-4, SAFE-5. Members that finish while their flow is cancelled end once, one way or the other.
pub(crate) async fn members_that_finish_meanwhile_end_once(cx: Cx) {
    for _ in 0..ROUNDS {
        let flow_id = given_flow(&cx).await;
        let mut handles = Vec::new();
        for _ in 0..4 {
            handles.push(given_held_member(&cx, &flow_id).await);
        }
        let canceller = cx.backend.clone();
        let cancelling =
            tokio::spawn(async move { canceller.cancel_flow(&flow_id, ALL, NO_WAIT).await });

        let completed = at_once(handles.len(), &cx.backend, |backend, number| {
            let handle = handles[number].clone();
            async move { backend.complete(&handle, None).await.is_ok() }
        })
        .await;

        let answer = cancelling.await.unwrap().unwrap();
        let CancelFlowResult::Cancelled { member_execution_ids, .. } = answer else {
            unreachable!("{answer:?}");
        };
        for (handle, completed) in handles.iter().zip(completed) {
            let id = handle.execution_id();
            let expected = if completed { PublicState::Completed } else { PublicState::Cancelled };
            assert_eq!(cx.describe(id).await.public_state, expected);
            assert_eq!(member_execution_ids.contains(&id.to_string()), !completed);
            assert_eq!(cx.completions(id).await, 1);
        }
    }
}

/// FLOW-4, SAFE-4. An execution that is added while its flow is cancelled is cancelled with it, or no member.
pub(crate) async fn an_addition_meanwhile_is_cancelled_or_refused(cx: Cx) {
    for _ in 0..ROUNDS {
        let flow_id = given_flow(&cx).await;
        let id = given_candidate(&cx, &flow_id).await;
        let args = addition(&cx, &flow_id, &id);
        let (adder, canceller) = (cx.backend.clone(), cx.backend.clone());

        let (added, cancelled) = tokio::join!(
            tokio::spawn(async move { adder.add_execution_to_flow(args).await }),
            tokio::spawn(async move { canceller.cancel_flow(&flow_id, ALL, NO_WAIT).await }),
        );

        cancelled.unwrap().unwrap();
        let execution = cx.describe(&id).await;
        match added.unwrap() {
            Ok(AddExecutionToFlowResult::Added { .. }) => {
                assert_eq!(execution.flow_id, Some(flow_id));
                assert_eq!(execution.public_state, PublicState::Cancelled);
            }
            Err(EngineError::State(StateKind::FlowAlreadyTerminal)) => {
                assert_eq!(execution.flow_id, None);
                assert_eq!(execution.public_state, PublicState::Waiting);
            }
            other => unreachable!("{other:?}"),
        }
    }
}
