//! The suite's own fixture, and an example of one.

use std::sync::Arc;

use async_trait::async_trait;
use ff_core::caps::CapabilityRequirement;
use ff_core::clock::ManualClock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult, FlowSnapshot};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution, ExecutionKey};
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs, WorkerInstanceId};

use super::ReferenceBackend;
use super::store::{Record, StoredFlow};
use crate::fixture::{
    AttemptKey, EdgeGroupCounts, Fixture, ForeignExecution, Probe, RecordedWorkerEvent, Store,
};

/// Opens [`ReferenceStore`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceFixture;

/// A store of the reference backend.
#[derive(Debug)]
pub struct ReferenceStore {
    backend: Arc<ReferenceBackend>,
}

#[async_trait]
impl Fixture for ReferenceFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        Box::new(ReferenceStore { backend: ReferenceBackend::with_clock(clock) })
    }
}

#[async_trait]
impl Store for ReferenceStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::clone(&self.backend) as Arc<dyn EngineBackend>
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        self.backend.reopen()
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }

    async fn create_in_transaction(
        &self,
        args: CreateExecutionArgs,
        commit: bool,
    ) -> Option<Result<CreateExecutionResult, EngineError>> {
        Some(self.backend.create_in_transaction(&args, commit))
    }

    fn has_transactions(&self) -> bool {
        true
    }
}

#[async_trait]
impl Probe for ReferenceStore {
    async fn insert_foreign_execution(&self, row: ForeignExecution) {
        let execution = Execution::submitted(ExecutionKey {
            execution_id: row.execution_id.clone(),
            lane_id: row.lane_id,
            namespace: Namespace::new("default"),
            created_at: row.created_at,
        });
        let mut record = Record::new(execution, CapabilityRequirement::default());
        record.raw.write_word("lifecycle_phase", &row.lifecycle_phase);
        record.raw.write_word("ownership_state", &row.ownership_state);
        record.raw.write_word("eligibility_state", &row.eligibility_state);
        record.raw.write_word("public_state", &row.public_state);
        record.raw.write_word("attempt_state", &row.attempt_state);
        self.backend.store.lock().records.insert(row.execution_id, record);
    }

    async fn read_word(&self, id: &ExecutionId, column: &str) -> String {
        let state = self.backend.store.lock();
        state.find(id).and_then(|record| record.word(column)).unwrap_or_default()
    }

    async fn write_word(&self, id: &ExecutionId, column: &str, text: &str) {
        if let Ok(record) = self.backend.store.lock().load(id) {
            record.raw.write_word(column, text);
        }
    }

    async fn write_attempt_number(&self, at: AttemptKey<'_>, column: &str, value: i64) {
        if let Ok(record) = self.backend.store.lock().load(at.execution_id) {
            record.raw.write_number(at.attempt_index, column, value);
        }
    }

    async fn write_attempt_text(&self, at: AttemptKey<'_>, column: &str, text: Option<&str>) {
        if let Ok(record) = self.backend.store.lock().load(at.execution_id) {
            record.raw.write_text(at.attempt_index, column, text);
        }
    }

    async fn insert_foreign_attempt(&self, at: AttemptKey<'_>) {
        if let Ok(record) = self.backend.store.lock().load(at.execution_id) {
            record.insert_attempt(Attempt::unclaimed(at.attempt_index));
        }
    }

    async fn insert_foreign_flow(&self, flow_id: &FlowId, state: &str, created_at: TimestampMs) {
        let flow = FlowSnapshot::open(*flow_id, Namespace::new("default"), created_at);
        let stored = StoredFlow::written(flow, state);
        self.backend.store.lock().flows.insert(*flow_id, stored);
    }

    async fn write_flow(&self, ids: &[ExecutionId], flow_id: &FlowId) {
        let mut state = self.backend.store.lock();
        for id in ids {
            if let Ok(record) = state.load(id) {
                record.join(*flow_id);
            }
        }
    }

    async fn write_edge_group(&self, flow_id: &FlowId, id: &ExecutionId, counts: EdgeGroupCounts) {
        self.backend.store.lock().edge_groups.insert((*flow_id, id.clone()), counts);
    }

    async fn read_edge_group(&self, flow_id: &FlowId, id: &ExecutionId) -> EdgeGroupCounts {
        let state = self.backend.store.lock();
        state.edge_groups.get(&(*flow_id, id.clone())).copied().unwrap_or_default()
    }

    async fn read_cancel_backlog(&self, flow_id: &FlowId) -> Option<Vec<ExecutionId>> {
        let state = self.backend.store.lock();
        Some(state.backlog.get(flow_id)?.keys().cloned().collect())
    }

    async fn read_worker_events(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Vec<RecordedWorkerEvent> {
        let state = self.backend.store.lock();
        let of_process = state
            .worker_events
            .iter()
            .filter(|((of, at), _)| of == instance && at == namespace)
            .map(|(_, event)| RecordedWorkerEvent {
                event_type: event.event_type.as_str().to_owned(),
                reason: event.reason.clone(),
                occurred_at: event.occurred_at,
            });
        of_process.collect()
    }

    async fn count_rows(&self, id: &ExecutionId) -> u64 {
        self.backend.store.lock().count_rows(id) as u64
    }
}
