//! What is stored: the tables of other backends, as maps.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ff_core::caps::CapabilityRequirement;
use ff_core::contracts::{FlowSnapshot, WorkerInfo};
use ff_core::decision::{Decision, Patch, ResultChange};
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::rules::worker::WorkerEvent;
use ff_core::state::LaneState;
use ff_core::types::{AttemptIndex, ExecutionId, FlowId, LaneId, Namespace, TimestampMs};

use super::event::EventLog;
use super::probe::RawColumns;
use super::worker::WorkerKey;
use crate::fixture::EdgeGroupCounts;

/// Everything that is stored.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) records: BTreeMap<ExecutionId, Record>,
    pub(super) idempotency: HashMap<IdempotencyKey, ExecutionId>,
    pub(super) lanes: BTreeMap<LaneId, LaneState>,
    pub(super) retention: HashMap<Namespace, Duration>,
    pub(super) events: EventLog,
    pub(super) flows: BTreeMap<FlowId, StoredFlow>,
    pub(super) edge_groups: HashMap<(FlowId, ExecutionId), EdgeGroupCounts>,
    /// Cancelled flows whose workers have not all let go, and those members, each with the time until which a
    /// worker may hold it.
    pub(super) backlog: BTreeMap<FlowId, BTreeMap<ExecutionId, TimestampMs>>,
    pub(super) workers: BTreeMap<WorkerKey, WorkerInfo>,
    pub(super) worker_events: Vec<(WorkerKey, WorkerEvent)>,
}

/// An execution's idempotency key is its own within its namespace and lane.
pub(super) type IdempotencyKey = (Namespace, LaneId, String);

/// All that is stored of one execution.
#[derive(Clone)]
pub(super) struct Record {
    execution: Execution,
    attempts: BTreeMap<AttemptIndex, Attempt>,
    pub(super) requirement: CapabilityRequirement,
    pub(super) payload: Vec<u8>,
    pub(super) payload_encoding: Option<String>,
    pub(super) result: Option<Vec<u8>>,
    pub(super) raw: RawColumns,
}

/// A flow, and what another program has written as its state.
#[derive(Clone)]
pub(super) struct StoredFlow {
    flow: FlowSnapshot,
    raw_state: Option<String>,
}

impl StoredFlow {
    pub(super) fn written(flow: FlowSnapshot, raw_state: &str) -> Self {
        Self { flow, raw_state: Some(raw_state.to_owned()) }
    }

    /// The flow, or which of its columns cannot be read.
    pub(super) fn read(&self) -> Result<FlowSnapshot, EngineError> {
        let mut flow = self.flow.clone();
        if let Some(text) = &self.raw_state {
            flow.public_flow_state = text.parse().map_err(|problem| {
                EngineError::corruption("ff_flow_core", "public_flow_state", flow.flow_id, problem)
            })?;
        }
        Ok(flow)
    }
}

impl State {
    pub(super) fn put_flow(&mut self, flow: FlowSnapshot) {
        self.flows.insert(flow.flow_id, StoredFlow { flow, raw_state: None });
    }

    /// The record of an execution that an operation names.
    pub(super) fn load(&mut self, id: &ExecutionId) -> Result<&mut Record, EngineError> {
        self.records.get_mut(id).ok_or_else(EngineError::execution_not_found)
    }

    pub(super) fn find(&self, id: &ExecutionId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(super) fn is_paused(&self, lane: &LaneId) -> bool {
        self.lanes.get(lane) == Some(&LaneState::Paused)
    }

    /// Stores what a rule decided of an execution and answers what the caller is told.
    pub(super) fn apply<T>(&mut self, id: &ExecutionId, decision: Decision<T>) -> T {
        if let Some(record) = self.records.get_mut(id) {
            if let Some(patch) = decision.patch {
                let reset = patch.execution.flow_id.filter(|_| patch.resets_edge_group);
                let group = reset.and_then(|flow| self.edge_groups.get_mut(&(flow, id.clone())));
                if let Some(EdgeGroupCounts { fail, skip, running, .. }) = group {
                    (*fail, *skip, *running) = (0, 0, 0);
                }
                record.store(patch);
            }
            self.events.append(&record.execution, decision.events);
        }
        decision.outcome
    }

    /// Rows that other backends would keep of an execution.
    pub(super) fn count_rows(&self, id: &ExecutionId) -> usize {
        let keys = self.idempotency.values().filter(|holder| *holder == id).count();
        let own = self.find(id).map_or(0, |record| 1 + record.attempts.len());
        let waited_for = self.backlog.values().filter(|members| members.contains_key(id)).count();
        keys + own + waited_for + self.events.of_execution(id).count()
    }

    /// Removes an execution with all that names it.
    pub(super) fn remove(&mut self, id: &ExecutionId) {
        self.records.remove(id);
        self.events.remove(id);
        self.idempotency.retain(|_, holder| holder != id);
        for members in self.backlog.values_mut() {
            members.remove(id);
        }
        self.backlog.retain(|_, members| !members.is_empty());
    }
}

impl Record {
    pub(super) fn new(execution: Execution, requirement: CapabilityRequirement) -> Self {
        Self {
            execution,
            attempts: BTreeMap::new(),
            requirement,
            payload: Vec::new(),
            payload_encoding: None,
            result: None,
            raw: RawColumns::default(),
        }
    }

    pub(super) fn flow_id(&self) -> Option<FlowId> {
        self.execution.flow_id
    }

    /// Makes it a member of a flow.
    pub(super) fn join(&mut self, flow_id: FlowId) {
        self.execution.flow_id = Some(flow_id);
    }

    /// The row of an attempt that another program has inserted.
    pub(super) fn insert_attempt(&mut self, attempt: Attempt) {
        self.attempts.insert(attempt.attempt_index, attempt);
    }

    /// The execution with its current attempt, or which of its columns cannot be read.
    pub(super) fn execution(&self) -> Result<Execution, EngineError> {
        let mut execution = self.execution.clone();
        self.raw.read_words(&mut execution)?;
        execution.current_attempt = self.attempt(execution.attempt_index)?;
        Ok(execution)
    }

    pub(super) fn attempt(&self, index: AttemptIndex) -> Result<Option<Attempt>, EngineError> {
        self.attempts.get(&index).map(|attempt| self.readable(attempt)).transpose()
    }

    pub(super) fn attempts(&self) -> Result<Vec<Attempt>, EngineError> {
        self.attempts.values().map(|attempt| self.readable(attempt)).collect()
    }

    fn readable(&self, attempt: &Attempt) -> Result<Attempt, EngineError> {
        let mut attempt = attempt.clone();
        self.raw.read_numbers(&self.execution.execution_id, &mut attempt)?;
        self.raw.read_texts(&self.execution.execution_id, &mut attempt)?;
        Ok(attempt)
    }

    fn store(&mut self, patch: Patch) {
        self.raw.overwritten_by(&patch);
        self.execution = patch.execution;
        if let Some(attempt) = patch.attempt {
            self.attempts.insert(attempt.attempt_index, attempt);
        }
        if let ResultChange::Set(result) = patch.result {
            self.result = result;
        }
    }

    /// The stored text of a word column.
    pub(super) fn word(&self, column: &str) -> Option<String> {
        let execution = &self.execution;
        let written = match column {
            "lifecycle_phase" => execution.lifecycle_phase.as_str(),
            "ownership_state" => execution.ownership_state.as_str(),
            "eligibility_state" => execution.eligibility_state.as_str(),
            "public_state" => execution.public_state.as_str(),
            "attempt_state" => execution.attempt_state.as_str(),
            _ => return None,
        };
        Some(self.raw.word(column).unwrap_or(written).to_owned())
    }
}
