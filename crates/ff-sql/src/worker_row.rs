//! A row of `ff_worker_registry`, as a driver reads it. A value outside its range is `Corruption` that names
//! table, column and process (SAFE-7).

use ff_core::contracts::WorkerInfo;
use ff_core::engine_error::EngineError;
use ff_core::rules::worker::StoredWorker;
use ff_core::types::{LaneId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};

use crate::reader::Reader;

const TABLE: &str = "ff_worker_registry";

/// A row of `ff_worker_registry`.
#[derive(Clone, Debug)]
pub struct WorkerRow {
    /// `worker_id`
    pub worker_id: String,
    /// `worker_instance_id`
    pub worker_instance_id: String,
    /// `namespace`
    pub namespace: String,
    /// `lanes`
    pub lanes: Vec<String>,
    /// `capabilities`
    pub capabilities: Vec<String>,
    /// `last_heartbeat_ms`
    pub last_heartbeat_ms: i64,
    /// `liveness_ttl_ms`
    pub liveness_ttl_ms: i64,
    /// `registered_at_ms`
    pub registered_at_ms: i64,
}

impl WorkerRow {
    /// The entry.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_info(self) -> Result<WorkerInfo, EngineError> {
        let reader = Reader { table: TABLE, id: &self.worker_instance_id };
        let liveness_ttl_ms = reader.number("liveness_ttl_ms", self.liveness_ttl_ms)?;
        Ok(WorkerInfo::new(
            WorkerId::new(self.worker_id),
            WorkerInstanceId::new(self.worker_instance_id),
            Namespace::new(self.namespace),
            self.lanes.into_iter().map(LaneId::new).collect(),
            self.capabilities.into_iter().collect(),
            TimestampMs(self.last_heartbeat_ms),
            liveness_ttl_ms,
            TimestampMs(self.registered_at_ms),
        ))
    }

    /// The entry, and when its last heartbeat event was recorded.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_stored(
        self,
        heartbeat_recorded_at_ms: Option<i64>,
    ) -> Result<StoredWorker, EngineError> {
        let heartbeat_recorded_at = heartbeat_recorded_at_ms.map(TimestampMs);
        Ok(StoredWorker { info: self.into_info()?, heartbeat_recorded_at })
    }
}

/// The names in a JSON array of text, where a driver has no arrays.
///
/// # Errors
/// `Corruption`.
pub fn names(column: &str, instance: &str, text: &str) -> Result<Vec<String>, EngineError> {
    Reader { table: TABLE, id: &instance }.json(column, text)
}
