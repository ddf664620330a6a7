//! What an author of a backend gives the suite: stores to run its cases on.

use std::sync::Arc;

use async_trait::async_trait;
use ff_core::clock::ManualClock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{
    AttemptIndex, ExecutionId, FlowId, LaneId, Namespace, TimestampMs, WorkerInstanceId,
};

/// Opens stores. Every case has a store of its own, so that cases run beside one another.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// A fresh, empty store whose backend takes its time from `clock`.
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store>;
}

/// A store, and the backend that a case calls.
#[async_trait]
pub trait Store: Send + Sync {
    /// The backend, the same one at every call.
    fn backend(&self) -> Arc<dyn EngineBackend>;

    /// The same store opened again, as another process would: a second backend beside the first, with
    /// the same clock.
    async fn reopen(&self) -> Arc<dyn EngineBackend>;

    /// A way past the engine, for what its operations cannot show or make.
    fn probe(&self) -> Option<&dyn Probe> {
        None
    }

    /// Creates an execution inside a transaction of the caller's own and then commits or rolls back
    /// \[EXEC-5\]; `None` when the backend cannot. A case asks only with [`has_transactions`](Self::has_transactions).
    async fn create_in_transaction(
        &self,
        _args: CreateExecutionArgs,
        _commit: bool,
    ) -> Option<Result<CreateExecutionResult, EngineError>> {
        None
    }

    /// Returns once every event that was committed before can be read. On a server that others use
    /// too, their transactions may hold events back for a while.
    async fn settle(&self) {}

    /// Whether [`create_in_transaction`](Self::create_in_transaction) answers.
    fn has_transactions(&self) -> bool {
        false
    }
}

/// Reads and writes what is stored, past the engine. A call that fails panics.
///
/// Columns and words are those of the rules page; `table` is `ff_exec_core` unless a method says
/// otherwise.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Inserts a row with the required columns only, as another program would.
    async fn insert_foreign_execution(&self, row: ForeignExecution);

    /// The stored text of a word column: `lifecycle_phase`, `ownership_state`, `eligibility_state`,
    /// `public_state` or `attempt_state`.
    async fn read_word(&self, id: &ExecutionId, column: &str) -> String;

    /// Overwrites the stored text of a word column.
    async fn write_word(&self, id: &ExecutionId, column: &str, text: &str);

    /// Overwrites an integer column of `ff_attempt`: `lease_epoch`, `started_at_ms`,
    /// `terminal_at_ms` or `lease_expires_at_ms`.
    async fn write_attempt_number(&self, at: AttemptKey<'_>, column: &str, value: i64);

    /// Overwrites a text column of `ff_attempt`: `outcome`, `worker_id` or `worker_instance_id`.
    async fn write_attempt_text(&self, at: AttemptKey<'_>, column: &str, text: Option<&str>);

    /// Inserts a row of `ff_attempt` with the key only, as another program would.
    async fn insert_foreign_attempt(&self, at: AttemptKey<'_>);

    /// Inserts a row of `ff_flow_core` with the required columns only, where the store keeps flows;
    /// `state` is `public_flow_state`.
    async fn insert_foreign_flow(&self, flow_id: &FlowId, state: &str, created_at: TimestampMs);

    /// Writes the flow into the rows of executions, past the flow's revision.
    async fn write_flow(&self, ids: &[ExecutionId], flow_id: &FlowId);

    /// Inserts or overwrites the flow's row of `ff_edge_group` for the member downstream.
    async fn write_edge_group(&self, flow_id: &FlowId, id: &ExecutionId, counts: EdgeGroupCounts);

    /// The flow's row of `ff_edge_group` for the member downstream.
    async fn read_edge_group(&self, flow_id: &FlowId, id: &ExecutionId) -> EdgeGroupCounts;

    /// The members of the flow in the backlog, by the UUIDs of their ids; `None` when
    /// `ff_cancel_backlog` does not have the flow.
    async fn read_cancel_backlog(&self, flow_id: &FlowId) -> Option<Vec<ExecutionId>>;

    /// What `ff_worker_registry_event` holds of a process, in the order of its ids.
    async fn read_worker_events(
        &self,
        namespace: &Namespace,
        instance: &WorkerInstanceId,
    ) -> Vec<RecordedWorkerEvent>;

    /// Rows that name the execution, in all tables together.
    async fn count_rows(&self, id: &ExecutionId) -> u64;

    /// Begins a transaction of its own, inserts a completion event `success` of the execution into it,
    /// so that the event has its id, and leaves it open; `None` where the writers take turns, and nobody
    /// else could commit meanwhile.
    async fn begin_completion_event(&self, _id: &ExecutionId) -> Option<Box<dyn UncommittedEvent>> {
        None
    }
}

/// An event that nobody sees until it is committed.
#[async_trait]
pub trait UncommittedEvent: Send {
    /// Commits it.
    async fn commit(self: Box<Self>);
}

/// The key of a row of `ff_attempt`.
#[derive(Clone, Copy, Debug)]
pub struct AttemptKey<'a> {
    /// The execution.
    pub execution_id: &'a ExecutionId,
    /// The attempt's position.
    pub attempt_index: AttemptIndex,
}

/// The counts of a row of `ff_edge_group`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeGroupCounts {
    /// `success_count`.
    pub success: u32,
    /// `fail_count`.
    pub fail: u32,
    /// `skip_count`.
    pub skip: u32,
    /// `running_count`.
    pub running: u32,
}

/// A row of `ff_worker_registry_event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedWorkerEvent {
    /// `event_type`.
    pub event_type: String,
    /// `reason`.
    pub reason: Option<String>,
    /// `occurred_at_ms`.
    pub occurred_at: TimestampMs,
}

/// A row of `ff_exec_core` with the required columns only. The words are text, so that they may be
/// older spellings, or no words at all.
#[derive(Clone, Debug)]
pub struct ForeignExecution {
    /// `partition_key` and `execution_id`.
    pub execution_id: ExecutionId,
    /// `lane_id`.
    pub lane_id: LaneId,
    /// `lifecycle_phase`.
    pub lifecycle_phase: String,
    /// `ownership_state`.
    pub ownership_state: String,
    /// `eligibility_state`.
    pub eligibility_state: String,
    /// `public_state`.
    pub public_state: String,
    /// `attempt_state`.
    pub attempt_state: String,
    /// `created_at_ms`.
    pub created_at: TimestampMs,
}

impl ForeignExecution {
    /// A row that waits to be claimed, in the words that this engine writes.
    pub fn waiting(execution_id: ExecutionId, lane_id: LaneId, created_at: TimestampMs) -> Self {
        Self {
            execution_id,
            lane_id,
            lifecycle_phase: "submitted".to_owned(),
            ownership_state: "unowned".to_owned(),
            eligibility_state: "eligible_now".to_owned(),
            public_state: "waiting".to_owned(),
            attempt_state: "pending".to_owned(),
            created_at,
        }
    }
}
