//! A store whose subscribers miss what commits last: cases that need a probe are not asked by the other
//! tests, and this one is caught by a case that does.

use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::reference::ReferenceFixture;
use ff_conformance::{
    AttemptKey, EdgeGroupCounts, Fixture, ForeignExecution, Probe, RecordedWorkerEvent, Store,
    UncommittedEvent, cases,
};
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs, WorkerInstanceId};

struct MissingFixture;

struct MissingStore(Box<dyn Store>);

/// An event whose id every subscriber has passed by when it is committed.
struct Missed;

#[async_trait]
impl Fixture for MissingFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        Box::new(MissingStore(ReferenceFixture.open(clock).await))
    }
}

#[async_trait]
impl Store for MissingStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        self.0.backend()
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        self.0.reopen().await
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }
}

#[async_trait]
impl Probe for MissingStore {
    async fn insert_foreign_execution(&self, row: ForeignExecution) {
        self.0.probe().unwrap().insert_foreign_execution(row).await;
    }

    async fn read_word(&self, id: &ExecutionId, column: &str) -> String {
        self.0.probe().unwrap().read_word(id, column).await
    }

    async fn write_word(&self, id: &ExecutionId, column: &str, text: &str) {
        self.0.probe().unwrap().write_word(id, column, text).await;
    }

    async fn write_attempt_number(&self, at: AttemptKey<'_>, column: &str, value: i64) {
        self.0.probe().unwrap().write_attempt_number(at, column, value).await;
    }

    async fn write_attempt_text(&self, at: AttemptKey<'_>, column: &str, text: Option<&str>) {
        self.0.probe().unwrap().write_attempt_text(at, column, text).await;
    }

    async fn insert_foreign_attempt(&self, at: AttemptKey<'_>) {
        self.0.probe().unwrap().insert_foreign_attempt(at).await;
    }

    async fn insert_foreign_flow(&self, flow_id: &FlowId, state: &str, created_at: TimestampMs) {
        self.0.probe().unwrap().insert_foreign_flow(flow_id, state, created_at).await;
    }

    async fn write_flow(&self, ids: &[ExecutionId], flow_id: &FlowId) {
        self.0.probe().unwrap().write_flow(ids, flow_id).await;
    }

    async fn write_edge_group(&self, flow_id: &FlowId, id: &ExecutionId, counts: EdgeGroupCounts) {
        self.0.probe().unwrap().write_edge_group(flow_id, id, counts).await;
    }

    async fn read_edge_group(&self, flow_id: &FlowId, id: &ExecutionId) -> EdgeGroupCounts {
        self.0.probe().unwrap().read_edge_group(flow_id, id).await
    }

    async fn read_cancel_backlog(&self, flow_id: &FlowId) -> Option<Vec<ExecutionId>> {
        self.0.probe().unwrap().read_cancel_backlog(flow_id).await
    }

    async fn read_worker_events(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Vec<RecordedWorkerEvent> {
        self.0.probe().unwrap().read_worker_events(namespace, instance).await
    }

    async fn count_rows(&self, id: &ExecutionId) -> u64 {
        self.0.probe().unwrap().count_rows(id).await
    }

    async fn begin_completion_event(&self, _: &ExecutionId) -> Option<Box<dyn UncommittedEvent>> {
        Some(Box::new(Missed))
    }
}

#[async_trait]
impl UncommittedEvent for Missed {
    async fn commit(self: Box<Self>) {}
}

#[test]
fn a_store_whose_subscribers_miss_what_commits_last_is_caught() {
    let name = "a_lower_id_that_commits_last_is_not_missed";
    let case = cases().iter().find(|case| case.name == name).unwrap();

    assert!(!crate::fails_on(&ReferenceFixture, case));
    assert!(crate::fails_on(&MissingFixture, case));
}
