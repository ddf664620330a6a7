use std::collections::BTreeSet;

use crate::types::{LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};

/// Bytes that the reason of [`MarkWorkerDeadArgs`] may have.
pub const MARK_WORKER_DEAD_REASON_MAX_BYTES: usize = 256;

/// Workers on a page of [`ListWorkersArgs`] when no limit is given.
pub const LIST_WORKERS_DEFAULT_LIMIT: u32 = 1_000;
/// Workers on a page of [`ListWorkersArgs`] at most, beside those that share the last one's instance id.
pub const LIST_WORKERS_MAX_LIMIT: u32 = 10_000;

/// A worker process to put on the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisterWorkerArgs {
    /// The worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// The lanes that it takes from.
    pub lanes: BTreeSet<LaneId>,
    /// What it offers.
    pub capabilities: BTreeSet<String>,
    /// Milliseconds that it counts as alive after a heartbeat.
    pub liveness_ttl_ms: u64,
    /// Whose it is.
    pub namespace: Namespace,
    /// The time of registration.
    pub now: TimestampMs,
}

impl RegisterWorkerArgs {
    /// A registration.
    #[expect(clippy::too_many_arguments, reason = "the signature is fixed by the contract")]
    pub fn new(
        worker_id: WorkerId,
        worker_instance_id: WorkerInstanceId,
        lanes: BTreeSet<LaneId>,
        capabilities: BTreeSet<String>,
        liveness_ttl_ms: u64,
        namespace: Namespace,
        now: TimestampMs,
    ) -> Self {
        Self { worker_id, worker_instance_id, lanes, capabilities, liveness_ttl_ms, namespace, now }
    }
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterWorkerOutcome {
    /// The process is on the registry.
    Registered,
    /// It was there before; what it takes and offers was replaced.
    Refreshed,
}

/// A sign of life of a worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeartbeatWorkerArgs {
    /// The process.
    pub worker_instance_id: WorkerInstanceId,
    /// Whose it is.
    pub namespace: Namespace,
    /// The time of the heartbeat.
    pub now: TimestampMs,
}

impl HeartbeatWorkerArgs {
    /// A heartbeat.
    pub fn new(
        worker_instance_id: WorkerInstanceId,
        namespace: Namespace,
        now: TimestampMs,
    ) -> Self {
        Self { worker_instance_id, namespace, now }
    }
}

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatWorkerOutcome {
    /// It counts as alive.
    Refreshed {
        /// Until this time.
        next_expiry_ms: TimestampMs,
    },
    /// It is unknown, or its time had lapsed.
    NotRegistered,
}

/// A worker process to take off the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkWorkerDeadArgs {
    /// The process.
    pub worker_instance_id: WorkerInstanceId,
    /// Whose it is.
    pub namespace: Namespace,
    /// Why; at most [`MARK_WORKER_DEAD_REASON_MAX_BYTES`].
    pub reason: String,
    /// The time of death.
    pub now: TimestampMs,
}

impl MarkWorkerDeadArgs {
    /// A death.
    pub fn new(
        worker_instance_id: WorkerInstanceId,
        namespace: Namespace,
        reason: String,
        now: TimestampMs,
    ) -> Self {
        Self { worker_instance_id, namespace, reason, now }
    }
}

/// What became of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkWorkerDeadOutcome {
    /// It is off the registry.
    Marked,
    /// It was not on it.
    NotRegistered,
}

/// Which workers to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListWorkersArgs {
    /// Only of this namespace.
    pub namespace: Option<Namespace>,
    /// Begin after this process.
    pub after: Option<WorkerInstanceId>,
    /// Workers at most: [`LIST_WORKERS_DEFAULT_LIMIT`] when `None`, and never more than
    /// [`LIST_WORKERS_MAX_LIMIT`]. A page of all namespaces goes on to the end of its last instance id.
    pub limit: Option<u32>,
}

impl ListWorkersArgs {
    /// All workers.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A page of workers, by instance id and then by namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListWorkersResult {
    /// The workers.
    pub entries: Vec<WorkerInfo>,
    /// Where the next page begins; set only when this one is full.
    pub cursor: Option<WorkerInstanceId>,
}

impl ListWorkersResult {
    /// A page.
    pub fn new(entries: Vec<WorkerInfo>, cursor: Option<WorkerInstanceId>) -> Self {
        Self { entries, cursor }
    }
}

/// A worker process on the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// Whose it is.
    pub namespace: Namespace,
    /// The lanes that it takes from.
    pub lanes: BTreeSet<LaneId>,
    /// What it offers.
    pub capabilities: BTreeSet<String>,
    /// When it last gave a sign of life.
    pub last_heartbeat_ms: TimestampMs,
    /// Milliseconds that it counts as alive after that.
    pub liveness_ttl_ms: u64,
    /// When it was first registered.
    pub registered_at_ms: TimestampMs,
}

impl WorkerInfo {
    /// An entry.
    #[expect(clippy::too_many_arguments, reason = "the signature is fixed by the contract")]
    pub fn new(
        worker_id: WorkerId,
        worker_instance_id: WorkerInstanceId,
        namespace: Namespace,
        lanes: BTreeSet<LaneId>,
        capabilities: BTreeSet<String>,
        last_heartbeat_ms: TimestampMs,
        liveness_ttl_ms: u64,
        registered_at_ms: TimestampMs,
    ) -> Self {
        Self {
            worker_id,
            worker_instance_id,
            namespace,
            lanes,
            capabilities,
            last_heartbeat_ms,
            liveness_ttl_ms,
            registered_at_ms,
        }
    }
}
