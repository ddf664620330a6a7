use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::CancelFlowResult;
use ff_core::state::{PublicFlowState, PublicState};
use ff_core::types::FlowId;

use super::{
    assert_flow_finished, cancel_flow, flow_of, given_flow, given_member, member_id, texts,
};
use crate::cx::{Cx, lane};
use crate::fixture::{AttemptKey, ForeignExecution};

/// FLOW-2, STATE-1. A flow and members that another program wrote, with the required columns only, are
/// cancelled like any other.
pub(crate) async fn a_flow_of_another_program_is_cancelled(cx: Cx) {
    let flow_id = FlowId::new();
    cx.probe().insert_foreign_flow(&flow_id, "open", cx.now()).await;
    let mut runnable = ForeignExecution::waiting(member_id(&cx, &flow_id), lane(), cx.now());
    runnable.lifecycle_phase = "runnable".to_owned();
    runnable.attempt_state = "initial".to_owned();
    runnable.public_state = "pending".to_owned();
    let mut leased = ForeignExecution::waiting(member_id(&cx, &flow_id), lane(), cx.now());
    leased.lifecycle_phase = "active".to_owned();
    leased.ownership_state = "leased".to_owned();
    leased.eligibility_state = "not_applicable".to_owned();
    leased.attempt_state = "running_attempt".to_owned();
    leased.public_state = "claimed".to_owned();
    let ids = [runnable.execution_id.clone(), leased.execution_id.clone()];
    cx.probe().insert_foreign_execution(runnable).await;
    cx.probe().insert_foreign_execution(leased).await;
    cx.probe().write_flow(&ids, &flow_id).await;
    assert_eq!(flow_of(&cx, &flow_id).await.public_flow_state, PublicFlowState::Open);

    let cancelled = cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    assert_eq!(cancelled, texts(ids.iter().collect()));
    for id in &ids {
        let words = cx.words(id).await;
        assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
        assert!(cx.attempts(id).await.is_empty());
    }
    assert_eq!(cx.events(&ids[0]).await, ["completion cancelled"]);
    assert_eq!(cx.events(&ids[1]).await, ["lease revoked", "completion cancelled"]);
    assert_eq!(flow_of(&cx, &flow_id).await.public_flow_state, PublicFlowState::Cancelled);
}

/// FLOW-2. A flow that has finished otherwise is not cancelled.
pub(crate) async fn a_flow_that_has_finished_is_not_cancelled(cx: Cx) {
    for state in ["completed", "failed"] {
        let flow_id = FlowId::new();
        cx.probe().insert_foreign_flow(&flow_id, state, cx.now()).await;
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);

        let error = cx.backend.cancel_flow(&flow_id, policy, wait).await.unwrap_err();

        assert_flow_finished(error);
        assert_eq!(flow_of(&cx, &flow_id).await.public_flow_state.as_str(), state);
    }
}

/// FLOW-2, SAFE-7. A member that cannot be read is named, and holds up no other.
pub(crate) async fn a_corrupt_member_holds_up_no_other(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let corrupt = given_member(&cx, &flow_id).await;
    let sound = given_member(&cx, &flow_id).await;
    cx.probe().write_word(&corrupt, "ownership_state", "lost").await;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);

    let answer = cx.backend.cancel_flow(&flow_id, policy, wait).await.unwrap();

    let CancelFlowResult::PartiallyCancelled {
        member_execution_ids,
        failed_member_execution_ids,
        ..
    } = answer
    else {
        unreachable!("the corrupt member is not named: {answer:?}");
    };
    assert_eq!(member_execution_ids, [sound.to_string()]);
    assert_eq!(failed_member_execution_ids, [corrupt]);
    assert_eq!(cx.describe(&sound).await.public_state, PublicState::Cancelled);
}

/// SAFE-7. A flow whose state is no word is corrupt, and is named.
pub(crate) async fn a_flow_in_no_known_state_is_corrupt(cx: Cx) {
    use ff_core::engine_error::{EngineError, ValidationKind};
    let flow_id = FlowId::new();
    cx.probe().insert_foreign_flow(&flow_id, "opened", cx.now()).await;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);

    let errors = [
        cx.backend.describe_flow(&flow_id).await.unwrap_err(),
        cx.backend.cancel_flow(&flow_id, policy, wait).await.unwrap_err(),
    ];

    for error in errors {
        let EngineError::Validation { kind: ValidationKind::Corruption, detail } = error else {
            unreachable!("not a corruption: {error:?}");
        };
        assert!(detail.contains("public_flow_state"), "{detail}");
        assert!(detail.contains(&flow_id.to_string()), "{detail}");
    }
}

/// FLOW-2. A lease that another program wrote with its attempt's key only is revoked with its flow.
pub(crate) async fn a_bare_attempt_is_cancelled_with_its_flow(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = given_member(&cx, &flow_id).await;
    let attempt_index = ff_core::types::AttemptIndex::new(0);
    let at = AttemptKey { execution_id: &id, attempt_index };
    cx.probe().insert_foreign_attempt(at).await;
    for (column, word) in [("lifecycle_phase", "active"), ("ownership_state", "leased")] {
        cx.probe().write_word(&id, column, word).await;
    }

    cancel_flow(&cx, &flow_id, CancelFlowPolicy::CancelAll).await;

    let words = cx.words(&id).await;
    assert_eq!(words, "cancelled unowned not_applicable attempt_terminal cancelled");
    assert_eq!(cx.events(&id).await, ["lease revoked", "completion cancelled"]);
}
