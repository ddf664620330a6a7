//! The reads of a script, and what is compared after each of its steps.

use ff_core::contracts::*;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicFlowState;
use ff_core::types::ExecutionId;

use super::arguments::{execution_id, filter, flow_id, instance_id, namespace};
use super::observe::Observed;
use super::side::Side;
use super::step::{Column, SpoiledCall, Step};

/// More than a script makes of anything.
const ALL: u32 = 1_000;

/// An event of a stream without its cursor, which is each store's own.
type SeenEvent = (ExecutionId, String);

impl Side {
    pub(super) async fn read_execution(&self, step: &Step) -> Observed {
        let backend = &self.backend;
        match step {
            Step::DescribeExecution { execution } => {
                Observed::of(&backend.describe_execution(&execution_id(*execution)).await)
            }
            Step::ListAttempts { execution } => {
                Observed::of(&backend.list_attempts(&execution_id(*execution)).await)
            }
            Step::GetExecutionResult { execution } => {
                Observed::of(&backend.get_execution_result(&execution_id(*execution)).await)
            }
            Step::ReadOutcomes { executions } => {
                let ids: Vec<_> = executions.iter().copied().map(execution_id).collect();
                Observed::of(&backend.read_outcomes(&ids).await)
            }
            Step::ReadExecutionContext { execution } => {
                Observed::of(&backend.read_execution_context(&execution_id(*execution)).await)
            }
            Step::ListExecutions { filter, page } => {
                Observed::of(&self.list_pages(*filter, *page).await)
            }
            Step::CountExecutions { filter: which } => {
                Observed::of(&backend.count_executions(&filter(*which, self.now())).await)
            }
            _ => Observed::default(),
        }
    }

    /// Goes through the pages, and shows them as pages.
    async fn list_pages(
        &self,
        which: super::step::Filter,
        limit: u32,
    ) -> Result<Vec<ExecutionPage>, EngineError> {
        let filter = filter(which, self.now());
        let mut pages: Vec<ExecutionPage> = Vec::new();
        loop {
            let after = pages.last().and_then(|page| page.cursor.clone());
            let page = self.backend.list_executions(&filter, after, limit).await?;
            let is_last = page.cursor.is_none();
            pages.push(page);
            if is_last {
                return Ok(pages);
            }
        }
    }

    pub(super) async fn read_flow(&self, step: &Step) -> Observed {
        let backend = &self.backend;
        match step {
            Step::DescribeFlow { flow } => {
                Observed::of(&backend.describe_flow(&flow_id(*flow)).await)
            }
            Step::ListFlows { namespace: number, page } => {
                let mut pages = Vec::new();
                let mut args = ListFlowsArgs {
                    namespace: number.map(namespace),
                    public_flow_state: number.map(|_| PublicFlowState::Open),
                    after: None,
                    limit: Some(*page),
                };
                loop {
                    let page = backend.list_flows(args.clone()).await;
                    let cursor = page.as_ref().ok().and_then(|page| page.cursor);
                    pages.push(page);
                    if cursor.is_none() {
                        return Observed::of(&pages.into_iter().collect::<Result<Vec<_>, _>>());
                    }
                    args.after = cursor;
                }
            }
            Step::ListFlowMembers { flow, page } => {
                let first = backend.list_flow_members(&flow_id(*flow), None, *page).await;
                let after = first.as_ref().ok().and_then(|members| members.last());
                let after = after.map(|member| member.execution_id.clone());
                let mut observed = Observed::of(&first);
                if let Some(after) = after {
                    let flow = flow_id(*flow);
                    let next = backend.list_flow_members(&flow, Some(&after), *page).await;
                    observed.text.push_str(&Observed::of(&next).text);
                }
                observed
            }
            _ => Observed::default(),
        }
    }

    pub(super) async fn read_workers(&self, step: &Step) -> Observed {
        match step {
            Step::ListWorkers { namespace: number, page } => {
                let mut args = ListWorkersArgs::new();
                args.namespace = number.map(namespace);
                args.limit = Some(*page);
                let first = self.backend.list_workers(args.clone()).await;
                let mut observed = Observed::of(&first);
                args.after = first.ok().and_then(|page| page.cursor);
                if args.after.is_some() {
                    let next = self.backend.list_workers(args).await;
                    observed.text.push_str(&Observed::of(&next).text);
                }
                observed
            }
            Step::ListExpiredLeases { ahead_millis, page } => {
                let as_of = self.now().saturating_add_millis(u64::from(*ahead_millis));
                let mut args = ListExpiredLeasesArgs::new(as_of);
                args.limit = Some(*page);
                let first = self.backend.list_expired_leases(args.clone()).await;
                let mut observed = Observed::of(&first);
                args.after = first.ok().and_then(|page| page.cursor);
                if args.after.is_some() {
                    let next = self.backend.list_expired_leases(args).await;
                    observed.text.push_str(&Observed::of(&next).text);
                }
                observed
            }
            _ => Observed::default(),
        }
    }

    pub(super) async fn read_event_stream(&mut self, step: &Step) -> Observed {
        match step {
            Step::ListExecutionEvents { execution } => {
                let id = execution_id(*execution);
                Observed::of(&self.backend.list_execution_events(&id).await)
            }
            Step::ReadEvents { stream, page } => Observed::of(&self.read_on(*stream, *page).await),
            _ => Observed::default(),
        }
    }

    /// The events of a stream since the last time, those of each execution in their order: which execution
    /// comes first within one operation is each store's own.
    async fn read_on(
        &mut self,
        stream: EventStream,
        limit: u32,
    ) -> Result<Vec<SeenEvent>, EngineError> {
        self.store.settle().await;
        let mut seen = Vec::new();
        loop {
            let after = self.cursors.get(&stream).copied();
            let events = self.backend.read_events(stream, after, limit).await?;
            let Some(last) = events.last() else { break };
            self.cursors.insert(stream, last.cursor);
            for mut event in events {
                event.cursor = EventCursor::new(0, 0);
                seen.push((event.execution_id.clone(), format!("{event:?}")));
            }
        }
        seen.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(seen)
    }

    /// Spoils a word, lets an operation meet it, and writes the word back.
    pub(super) async fn call_spoiled(
        &self,
        execution: u8,
        column: Column,
        call: SpoiledCall,
    ) -> Observed {
        let id = execution_id(execution);
        let exists = self.backend.describe_execution(&id).await.is_ok_and(|it| it.is_some());
        let Some(probe) = self.store.probe().filter(|_| exists) else {
            return Observed::default();
        };
        let word = probe.read_word(&id, column.name()).await;
        probe.write_word(&id, column.name(), "weather").await;
        let (backend, now) = (&self.backend, self.now());
        let observed = match call {
            SpoiledCall::Describe => Observed::of(&backend.describe_execution(&id).await),
            SpoiledCall::Cancel => {
                let args = CancelExecutionArgs {
                    execution_id: id.clone(),
                    reason: String::new(),
                    source: ff_core::types::CancelSource::OperatorOverride,
                    lease_id: None,
                    lease_epoch: None,
                    attempt_id: None,
                    now,
                };
                Observed::of(&backend.cancel_execution(args).await)
            }
            SpoiledCall::Replay => {
                let args = ReplayExecutionArgs { execution_id: id.clone(), now };
                Observed::of(&backend.replay_execution(args).await)
            }
            SpoiledCall::Reorder => {
                let (execution_id, lane_id) = (id.clone(), super::arguments::lane_id(0));
                let args = ChangePriorityArgs { execution_id, new_priority: 1, lane_id, now };
                Observed::of(&backend.change_priority(args).await)
            }
            SpoiledCall::Revoke => {
                let args = RevokeLeaseArgs {
                    execution_id: id.clone(),
                    expected_lease_id: None,
                    worker_instance_id: instance_id(0),
                    reason: String::new(),
                };
                Observed::of(&backend.revoke_lease(args).await)
            }
        };
        probe.write_word(&id, column.name(), &word).await;
        observed
    }

    /// What can be read of these areas, line by line: the executions always. With `whole`, every attempt and
    /// every event too.
    pub(super) async fn snapshot(&mut self, areas: &[Area], whole: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let backend = &self.backend;
        let page = backend.list_executions(&ExecutionFilter::default(), None, ALL).await;
        let executions = page.map(|page| page.executions);
        if let Err(error) = &executions {
            lines.push(format!("executions {error:?}"));
        }
        let executions = executions.unwrap_or_default();
        lines.extend(executions.iter().map(|execution| format!("{execution:?}")));
        let ids: Vec<ExecutionId> = executions.into_iter().map(|it| it.execution_id).collect();
        lines.push(format!("outcomes {:?}", backend.read_outcomes(&ids).await));
        if areas.contains(&Area::Flow) {
            lines.push(format!("flows {:?}", backend.list_flows(ListFlowsArgs::default()).await));
        }
        if areas.contains(&Area::Worker) {
            lines.push(format!("workers {:?}", backend.list_workers(ListWorkersArgs::new()).await));
        }
        if areas.contains(&Area::Admin) {
            lines.push(format!("lanes {:?}", backend.list_lanes().await));
        }
        for id in ids.iter().filter(|_| whole) {
            lines.push(format!("attempts {id} {:?}", backend.list_attempts(id).await));
            lines.push(format!("context {id} {:?}", backend.read_execution_context(id).await));
        }
        if whole {
            lines.extend(self.events(areas, &ids).await);
        }
        lines
    }

    async fn events(&mut self, areas: &[Area], ids: &[ExecutionId]) -> Vec<String> {
        let mut lines = Vec::new();
        if !areas.contains(&Area::Event) {
            return lines;
        }
        for id in ids {
            let events = self.backend.list_execution_events(id).await;
            lines.push(format!("events {id} {events:?}"));
        }
        for stream in EventStream::ALL {
            lines.push(format!("stream {stream} {:?}", self.read_on(*stream, ALL).await));
        }
        lines
    }

    /// What only a probe sees.
    pub(super) async fn probed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(probe) = self.store.probe() else { return lines };
        for flow in 0..super::FLOWS {
            let backlog = probe.read_cancel_backlog(&flow_id(flow)).await;
            lines.push(format!("backlog {flow} {backlog:?}"));
        }
        for worker in 0..super::WORKERS {
            let (namespace, instance) = (namespace(worker % 2), instance_id(worker));
            let events = probe.read_worker_events(&namespace, &instance).await;
            lines.push(format!("worker events {worker} {events:?}"));
        }
        lines
    }
}
