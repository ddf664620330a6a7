//! Flows, their members and their cancellation.

use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CancelFlowArgs, CancelFlowHeader,
    CancelFlowResult, CreateFlowArgs, CreateFlowResult, FlowSnapshot, FlowsCursor, ListFlowsArgs,
    ListFlowsResult,
};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::flow::{self as rule, FlowCancellation, Hold};
use ff_core::rules::input;
use ff_core::state::LifecyclePhase;
use ff_core::types::{CancelSource, ExecutionId, FlowId};
use tokio::time::timeout;

use super::ReferenceBackend;
use super::store::State;

/// How long a waiting cancellation sleeps when nothing wakes it.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl ReferenceBackend {
    pub(super) fn create_flow_once(
        &self,
        args: &CreateFlowArgs,
    ) -> Result<CreateFlowResult, EngineError> {
        input::check_create_flow(args)?;
        let mut state = self.lock()?;
        let flow_id = args.flow_id;
        if state.flows.contains_key(&flow_id) {
            return Ok(CreateFlowResult::Duplicate { flow_id });
        }
        state.put_flow(rule::create(args));
        Ok(CreateFlowResult::Created { flow_id })
    }

    pub(super) fn add_member(
        &self,
        args: &AddExecutionToFlowArgs,
    ) -> Result<AddExecutionToFlowResult, EngineError> {
        let mut state = self.lock()?;
        let mut flow = state.flow(&args.flow_id)?;
        let execution = state.load(&args.execution_id)?.execution()?;
        let answer = rule::add_member(&flow, &execution, None)?;
        if let AddExecutionToFlowResult::Added { graph_revision } = answer {
            state.load(&args.execution_id)?.join(args.flow_id);
            flow.graph_revision = graph_revision;
            state.put_flow(flow);
        }
        Ok(answer)
    }

    pub(super) fn flow(&self, flow_id: &FlowId) -> Result<Option<FlowSnapshot>, EngineError> {
        self.lock()?.flows.get(flow_id).map(|stored| stored.read()).transpose()
    }

    pub(super) fn flows(&self, args: &ListFlowsArgs) -> Result<ListFlowsResult, EngineError> {
        let limit = input::check_list_flows(args)? as usize;
        let mut flows = Vec::new();
        for stored in self.lock()?.flows.values() {
            let flow = stored.read()?;
            if is_listed(args, &flow) {
                flows.push(flow);
            }
        }
        flows.sort_by_key(|flow| (flow.created_at, flow.flow_id));
        flows.truncate(limit);
        let cursor = flows
            .last()
            .filter(|_| flows.len() == limit)
            .map(|flow| FlowsCursor { created_at: flow.created_at, flow_id: flow.flow_id });
        Ok(ListFlowsResult { flows, cursor })
    }

    pub(super) fn members(
        &self,
        flow_id: &FlowId,
        after: Option<&ExecutionId>,
        limit: u32,
    ) -> Result<Vec<Execution>, EngineError> {
        input::check_list_flow_members_limit(limit)?;
        let mut members: Vec<_> = self.lock()?.members(flow_id).map(|(_, member)| member).collect();
        // A member that cannot be read is an error only on the page that it is on.
        members.retain(|member| {
            after.is_none_or(|after| {
                member.as_ref().is_ok_and(|member| key(&member.execution_id) > key(after))
            })
        });
        members.into_iter().take(limit as usize).collect()
    }

    pub(super) async fn cancel_flow_and_wait(
        &self,
        flow_id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Result<CancelFlowResult, EngineError> {
        let result = self.cancel_flow_now(flow_id, policy, wait)?;
        let late = |elapsed| EngineError::Timeout { op: "cancel_flow", elapsed };
        match wait {
            CancelFlowWait::NoWait => {}
            CancelFlowWait::WaitTimeout(patience) => {
                let let_go = timeout(patience, self.let_go(flow_id)).await;
                let_go.unwrap_or_else(|_| Err(late(patience)))?;
            }
            CancelFlowWait::WaitIndefinite => self.let_go(flow_id).await?,
        }
        Ok(result)
    }

    fn cancel_flow_now(
        &self,
        flow_id: &FlowId,
        policy: CancelFlowPolicy,
        wait: CancelFlowWait,
    ) -> Result<CancelFlowResult, EngineError> {
        let cancellation = FlowCancellation::new(policy, self.clock_now());
        let mut state = self.lock()?;
        let flow = state.flow(flow_id)?;
        let Some(cancelled) = rule::cancel(&flow, &cancellation) else {
            let policy = rule::repeated_cancel(&flow)?;
            return Ok(rule::cancelled_result(
                policy,
                state.cancelled_members(flow_id),
                Vec::new(),
            ));
        };
        state.put_flow(cancelled);
        let members = state.cancel_members(flow_id, &cancellation);
        if wait != CancelFlowWait::NoWait {
            let held = members.cancelled.iter().filter(|(_, hold)| hold.is_held);
            state.add_to_backlog(flow_id, held);
        }
        Ok(rule::cancelled_result(
            policy.as_str().to_owned(),
            texts(&members.cancelled),
            members.unreadable,
        ))
    }

    pub(super) fn cancel_flow_by_name(
        &self,
        args: &CancelFlowArgs,
    ) -> Result<CancelFlowHeader, EngineError> {
        input::check_cancel_flow(args)?;
        let cancellation = FlowCancellation::by_name(args)?;
        let mut state = self.lock()?;
        let flow = state.flow(&args.flow_id)?;
        let Some(cancelled) = rule::cancel(&flow, &cancellation) else {
            let backlog = state.backlog.get(&args.flow_id).into_iter().flatten();
            let members = backlog.map(|(id, _)| id.to_string()).collect();
            return Ok(rule::repeated_header(&flow, members));
        };
        let members = state.cancel_members(&args.flow_id, &cancellation).cancelled;
        let event = rule::cancel_requested(&cancellation, members.len());
        state.events.append_of_flow(&cancelled, event);
        state.put_flow(cancelled);
        let member_execution_ids = texts(&members);
        state.add_to_backlog(&args.flow_id, members.iter());
        let cancellation_policy = cancellation.policy.as_str().to_owned();
        Ok(CancelFlowHeader::Cancelled { cancellation_policy, member_execution_ids })
    }

    pub(super) fn ack(&self, flow_id: &FlowId, id: &ExecutionId) -> Result<(), EngineError> {
        self.lock()?.take_off_backlog(flow_id, id);
        self.store.work.notify_waiters();
        Ok(())
    }

    async fn let_go(&self, flow_id: &FlowId) -> Result<(), EngineError> {
        loop {
            let mut woken = Box::pin(self.store.work.notified());
            woken.as_mut().enable();
            if !self.lock()?.backlog.contains_key(flow_id) {
                return Ok(());
            }
            let _ = timeout(POLL_INTERVAL, woken).await;
        }
    }
}

/// A member that is cancelled, and who held it.
type CancelledMember = (ExecutionId, Hold);

/// What a cancellation did to the members of its flow.
#[derive(Default)]
struct CancelledMembers {
    cancelled: Vec<CancelledMember>,
    unreadable: Vec<ExecutionId>,
}

impl State {
    fn flow(&self, flow_id: &FlowId) -> Result<FlowSnapshot, EngineError> {
        self.flows.get(flow_id).ok_or_else(EngineError::flow_not_found)?.read()
    }

    /// The members of a flow by their UUIDs, readable or not.
    fn members(
        &self,
        flow_id: &FlowId,
    ) -> impl Iterator<Item = (ExecutionId, Result<Execution, EngineError>)> {
        let mut ids: Vec<_> = self
            .records
            .iter()
            .filter(|(_, record)| record.flow_id() == Some(*flow_id))
            .map(|(id, record)| (id.clone(), record.execution()))
            .collect();
        ids.sort_by_key(|(id, _)| key(id));
        ids.into_iter()
    }

    fn cancel_members(
        &mut self,
        flow_id: &FlowId,
        cancellation: &FlowCancellation,
    ) -> CancelledMembers {
        let mut members = CancelledMembers::default();
        if cancellation.spares_all() {
            return members;
        }
        let all: Vec<_> = self.members(flow_id).collect();
        for (id, execution) in all {
            let Ok(execution) = execution else {
                members.unreadable.push(id);
                continue;
            };
            if let Some(decision) = rule::cancel_member(&execution, cancellation) {
                let hold = self.apply(&id, decision);
                members.cancelled.push((id, hold));
            }
        }
        members
    }

    fn cancelled_members(&self, flow_id: &FlowId) -> Vec<String> {
        let with_flow = |member: &Execution| {
            member.lifecycle_phase == LifecyclePhase::Cancelled
                && member.cancelled_by.as_deref() == Some(CancelSource::Flow.as_str())
        };
        self.members(flow_id)
            .filter(|(_, member)| member.as_ref().is_ok_and(with_flow))
            .map(|(id, _)| id.to_string())
            .collect()
    }

    fn add_to_backlog<'a>(
        &mut self,
        flow_id: &FlowId,
        members: impl Iterator<Item = &'a CancelledMember>,
    ) {
        let mut members = members.map(|(id, hold)| (id.clone(), hold.ends_at)).peekable();
        if members.peek().is_some() {
            self.backlog.entry(*flow_id).or_default().extend(members);
        }
    }

    pub(super) fn take_off_backlog(&mut self, flow_id: &FlowId, id: &ExecutionId) {
        if let Some(members) = self.backlog.get_mut(flow_id) {
            members.remove(id);
            if members.is_empty() {
                self.backlog.remove(flow_id);
            }
        }
    }
}

fn is_listed(args: &ListFlowsArgs, flow: &FlowSnapshot) -> bool {
    args.namespace.as_ref().is_none_or(|namespace| flow.namespace == *namespace)
        && args.public_flow_state.is_none_or(|state| flow.public_flow_state == state)
        && args
            .after
            .is_none_or(|after| (flow.created_at, flow.flow_id) > (after.created_at, after.flow_id))
}

/// The order of members.
fn key(id: &ExecutionId) -> (uuid::Uuid, u16) {
    (id.uuid(), id.partition())
}

fn texts(members: &[CancelledMember]) -> Vec<String> {
    members.iter().map(|(id, _)| id.to_string()).collect()
}
