mod cancel;
mod foreign;
mod header;
mod members;
mod race;
mod wait;

use std::collections::HashMap;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Handle};
use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CancelFlowResult, CreateFlowArgs,
    CreateFlowResult, FlowSnapshot,
};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, Namespace};

use crate::cx::Cx;

pub(crate) use cancel::*;
pub(crate) use foreign::*;
pub(crate) use header::*;
pub(crate) use members::*;
pub(crate) use race::*;
pub(crate) use wait::*;

fn flow_args(cx: &Cx, flow_id: FlowId) -> CreateFlowArgs {
    CreateFlowArgs {
        flow_id,
        flow_kind: "import".to_owned(),
        namespace: Namespace::new("default"),
        tags: HashMap::new(),
        now: cx.now(),
    }
}

pub(crate) async fn given_flow(cx: &Cx) -> FlowId {
    let flow_id = FlowId::new();
    let created = cx.backend.create_flow(flow_args(cx, flow_id)).await.unwrap();
    assert_eq!(created, CreateFlowResult::Created { flow_id });
    flow_id
}

/// An id where the store keeps the members of the flow.
pub(crate) fn member_id(cx: &Cx, flow_id: &FlowId) -> ExecutionId {
    ExecutionId::for_flow(flow_id, &cx.backend.partition_config())
}

/// An execution that may be added to the flow.
async fn given_candidate(cx: &Cx, flow_id: &FlowId) -> ExecutionId {
    cx.create(|args| args.execution_id = member_id(cx, flow_id)).await
}

fn addition(cx: &Cx, flow_id: &FlowId, id: &ExecutionId) -> AddExecutionToFlowArgs {
    AddExecutionToFlowArgs { flow_id: *flow_id, execution_id: id.clone(), now: cx.now() }
}

async fn add(cx: &Cx, flow_id: &FlowId, id: &ExecutionId) -> u64 {
    let added = cx.backend.add_execution_to_flow(addition(cx, flow_id, id)).await.unwrap();
    let AddExecutionToFlowResult::Added { graph_revision } = added else {
        unreachable!("it was a member before: {added:?}");
    };
    graph_revision
}

/// A member that waits.
pub(crate) async fn given_member(cx: &Cx, flow_id: &FlowId) -> ExecutionId {
    let id = given_candidate(cx, flow_id).await;
    add(cx, flow_id, &id).await;
    id
}

/// A member that worker `worker` holds.
pub(crate) async fn given_held_member(cx: &Cx, flow_id: &FlowId) -> Handle {
    let id = given_member(cx, flow_id).await;
    let handle = cx.claim().await;
    assert_eq!(handle.execution_id(), &id);
    handle
}

async fn flow_of(cx: &Cx, flow_id: &FlowId) -> FlowSnapshot {
    cx.backend.describe_flow(flow_id).await.unwrap().unwrap()
}

/// Cancels without waiting and answers the members that were cancelled.
async fn cancel_flow(cx: &Cx, flow_id: &FlowId, policy: CancelFlowPolicy) -> Vec<String> {
    let answer = cx.backend.cancel_flow(flow_id, policy, CancelFlowWait::NoWait).await.unwrap();
    let CancelFlowResult::Cancelled { cancellation_policy, member_execution_ids } = answer else {
        unreachable!("not all were cancelled: {answer:?}");
    };
    assert_eq!(cancellation_policy, policy.as_str());
    member_execution_ids
}

/// The texts of ids, in the order of members.
fn texts(mut ids: Vec<&ExecutionId>) -> Vec<String> {
    ids.sort_by_key(|id| (id.uuid(), id.partition()));
    ids.into_iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_no_flow(error: EngineError) {
    assert!(matches!(error, EngineError::NotFound { entity: "flow" }), "{error:?}");
}

#[track_caller]
fn assert_flow_finished(error: EngineError) {
    use ff_core::engine_error::StateKind::FlowAlreadyTerminal;
    assert!(matches!(error, EngineError::State(FlowAlreadyTerminal)), "{error:?}");
}
