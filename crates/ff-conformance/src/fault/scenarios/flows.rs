//! Flows that are cancelled with their members.

use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CancelFlowArgs, CancelFlowHeader,
    CancelFlowResult, CreateExecutionArgs, CreateFlowArgs, CreateFlowResult, ListFlowsArgs,
    ReconcileTask,
};
use ff_core::types::{ExecutionId, FlowId, LaneId};

use crate::cx::LIMIT;
use crate::fault::caller::{Caller, said};

async fn create_flow(caller: &mut Caller) -> FlowId {
    let args = CreateFlowArgs {
        flow_id: FlowId::new(),
        flow_kind: "kind".to_owned(),
        namespace: caller.namespace(),
        tags: Default::default(),
        now: caller.now(),
    };
    let created = caller.ask(async |backend| backend.create_flow(args.clone()).await).await;
    let answer = match created.unwrap() {
        CreateFlowResult::Created { .. } => "created",
        CreateFlowResult::Duplicate { .. } => "a duplicate of itself",
    };
    caller.tell("create_flow", answer);
    caller.flows.push(args.flow_id);
    args.flow_id
}

/// A member of the flow, in this lane.
async fn create_member(caller: &mut Caller, flow_id: FlowId, lane_id: LaneId) -> ExecutionId {
    let config = caller.partition_config();
    let execution_id = ExecutionId::for_flow(&flow_id, &config);
    let args = CreateExecutionArgs { execution_id, lane_id, ..caller.args() };
    let execution_id = caller.create_from(args).await;
    let now = caller.now();
    let args = AddExecutionToFlowArgs { flow_id, execution_id: execution_id.clone(), now };
    let added = caller.ask(async |backend| backend.add_execution_to_flow(args.clone()).await).await;
    let answer = match added.unwrap() {
        AddExecutionToFlowResult::Added { graph_revision } => format!("added at {graph_revision}"),
        AddExecutionToFlowResult::AlreadyMember { graph_revision } => {
            format!("a member at {graph_revision}")
        }
    };
    caller.tell("add_execution_to_flow", answer);
    execution_id
}

/// A flow with a member that is held and one that waits in a lane of its own.
async fn given_flow(caller: &mut Caller) -> (FlowId, [ExecutionId; 2]) {
    let flow_id = create_flow(caller).await;
    let held = create_member(caller, flow_id, caller.lane()).await;
    let aside = LaneId::new(format!("{}-aside", caller.name));
    let waiting = create_member(caller, flow_id, aside).await;
    (flow_id, [held, waiting])
}

pub(super) async fn cancel_by_name(caller: &mut Caller) {
    let (flow_id, members) = given_flow(caller).await;
    let handle = caller.claim().await;
    let args = CancelFlowArgs {
        flow_id,
        reason: "not wanted".to_owned(),
        cancellation_policy: "cancel_all".to_owned(),
        now: caller.now(),
    };
    let header = caller.ask(async |backend| backend.cancel_flow_header(args.clone()).await).await;
    let (answer, named) = match header.unwrap() {
        CancelFlowHeader::Cancelled { member_execution_ids, .. } => {
            ("cancelled", member_execution_ids)
        }
        CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } => {
            ("cancelled before", member_execution_ids)
        }
    };
    caller.tell("cancel_flow_header", format!("{answer}, {} members", named.len()));
    let refused = caller.ask(async |backend| backend.complete(&handle, None).await).await;
    caller.tell("complete", said(refused));
    for member in &members {
        let acked = caller.ask(async |backend| backend.ack_cancel_member(&flow_id, member).await);
        let answer = said(acked.await);
        caller.tell("ack_cancel_member", answer);
    }
    read(caller, &flow_id).await;
}

async fn read(caller: &mut Caller, flow_id: &FlowId) {
    let flow = caller.ask(async |backend| backend.describe_flow(flow_id).await).await.unwrap();
    caller.tell("describe_flow", flow.unwrap().public_flow_state);
    let args = ListFlowsArgs { namespace: Some(caller.namespace()), ..ListFlowsArgs::default() };
    let flows = caller.ask(async |backend| backend.list_flows(args.clone()).await).await.unwrap();
    caller.tell("list_flows", flows.flows.len());
    let members = caller.ask(async |backend| backend.list_flow_members(flow_id, None, LIMIT).await);
    let members = members.await.unwrap().len();
    caller.tell("list_flow_members", members);
}

/// The worker never lets go: a sweep does, once its lease would have ended.
pub(super) async fn cancel_and_wait(caller: &mut Caller) {
    let (flow_id, _) = given_flow(caller).await;
    caller.claim().await;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitTimeout(Duration::ZERO));
    let cancelled =
        caller.ask(async |backend| backend.cancel_flow(&flow_id, policy, wait).await).await;
    caller.tell("cancel_flow", word(cancelled));
    caller.advance(crate::cx::LEASE_TTL);
    caller.reconcile(ReconcileTask::DrainCancelBacklog).await;
    let cancelled =
        caller.ask(async |backend| backend.cancel_flow(&flow_id, policy, wait).await).await;
    caller.tell("cancel_flow", word(cancelled));
}

fn word(answer: Result<CancelFlowResult, ff_core::engine_error::EngineError>) -> String {
    match answer {
        Ok(CancelFlowResult::Cancelled { member_execution_ids, .. }) => {
            format!("cancelled, {} members", member_execution_ids.len())
        }
        Ok(other) => format!("{other:?}"),
        Err(ff_core::engine_error::EngineError::Timeout { .. }) => "not yet".to_owned(),
        Err(error) => error.to_string(),
    }
}
