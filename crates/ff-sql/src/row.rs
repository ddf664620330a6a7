//! Rows as a driver reads them. A value outside its range or its vocabulary is `Corruption` that names
//! table, column and id (SAFE-7).

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use ff_core::contracts::ExecutionContext;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution, ExecutionKey};
use ff_core::types::{
    AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerId,
    WorkerInstanceId,
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::reader::Reader;

const EXEC_CORE: &str = "ff_exec_core";
const ATTEMPT: &str = "ff_attempt";

/// The key of a row: which execution it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyRow {
    /// `partition_key`
    pub partition_key: i64,
    /// `execution_id`
    pub execution_id: Uuid,
}

/// A row of `ff_exec_core` without payload and result, with its current attempt.
#[derive(Clone, Debug)]
pub struct ExecutionRow {
    /// The key.
    pub key: KeyRow,
    /// `flow_id`
    pub flow_id: Option<Uuid>,
    /// `lane_id`
    pub lane_id: String,
    /// `namespace`
    pub namespace: String,
    /// `execution_kind`
    pub execution_kind: String,
    /// `creator_identity`
    pub creator_identity: String,
    /// `tags`
    pub tags: String,
    /// `policy`
    pub policy: Option<String>,
    /// `priority`
    pub priority: i64,
    /// `created_at_ms`
    pub created_at_ms: i64,
    /// `deadline_at_ms`
    pub deadline_at_ms: Option<i64>,
    /// `lifecycle_phase`
    pub lifecycle_phase: String,
    /// `ownership_state`
    pub ownership_state: String,
    /// `eligibility_state`
    pub eligibility_state: String,
    /// `attempt_state`
    pub attempt_state: String,
    /// `public_state`
    pub public_state: String,
    /// `blocking_reason`
    pub blocking_reason: Option<String>,
    /// `cancellation_reason`
    pub cancellation_reason: Option<String>,
    /// `cancelled_by`
    pub cancelled_by: Option<String>,
    /// `started_at_ms`
    pub started_at_ms: Option<i64>,
    /// `terminal_at_ms`
    pub terminal_at_ms: Option<i64>,
    /// `eligible_at_ms`
    pub eligible_at_ms: Option<i64>,
    /// `retry_count`
    pub retry_count: i64,
    /// `reclaim_count`
    pub reclaim_count: i64,
    /// `attempt_index`
    pub attempt_index: i64,
    /// `raw_fields`
    pub raw_fields: String,
}

/// A row of `ff_attempt`.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// `attempt_index`
    pub attempt_index: i64,
    /// `worker_id`
    pub worker_id: Option<String>,
    /// `worker_instance_id`
    pub worker_instance_id: Option<String>,
    /// `lease_epoch`
    pub lease_epoch: i64,
    /// `lease_expires_at_ms`
    pub lease_expires_at_ms: Option<i64>,
    /// `started_at_ms`
    pub started_at_ms: Option<i64>,
    /// `terminal_at_ms`
    pub terminal_at_ms: Option<i64>,
    /// `outcome`
    pub outcome: Option<String>,
    /// `error`
    pub error: Option<String>,
    /// `progress`
    pub progress: Option<String>,
}

/// The columns that a claim returns for a handler.
#[derive(Clone, Debug)]
pub struct ContextRow {
    /// The key.
    pub key: KeyRow,
    /// `lane_id`
    pub lane_id: String,
    /// `namespace`
    pub namespace: String,
    /// `execution_kind`
    pub execution_kind: String,
    /// `payload`
    pub payload: Option<Vec<u8>>,
    /// `payload_encoding`
    pub payload_encoding: String,
    /// `tags`
    pub tags: String,
    /// `policy`
    pub policy: Option<String>,
}

/// What is read of `raw_fields`; the rest may be anything.
#[derive(Deserialize)]
struct RawFields {
    #[serde(default = "none_yet")]
    replay_count: Value,
}

fn none_yet() -> Value {
    Value::from(0)
}

impl KeyRow {
    /// The execution's id.
    ///
    /// # Errors
    /// `Corruption` for a partition outside 0 to 65535.
    pub fn execution_id(self) -> Result<ExecutionId, EngineError> {
        let partition = u16::try_from(self.partition_key).map_err(|_| {
            EngineError::corruption(
                EXEC_CORE,
                "partition_key",
                self.execution_id,
                self.partition_key,
            )
        })?;
        Ok(ExecutionId::from_parts(partition, self.execution_id))
    }
}

/// As the execution's id, also where the partition is out of range.
impl Display for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{fp:{}}}:{}", self.partition_key, self.execution_id)
    }
}

impl ExecutionRow {
    /// What the rules read; `attempt` is the row at `attempt_index`.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_execution(self, attempt: Option<Attempt>) -> Result<Execution, EngineError> {
        let id = self.key.execution_id()?;
        let reader = Reader { table: EXEC_CORE, id: &id };
        let mut execution = Execution::submitted(ExecutionKey {
            execution_id: id.clone(),
            lane_id: LaneId::new(self.lane_id),
            namespace: Namespace::new(self.namespace),
            created_at: TimestampMs(self.created_at_ms),
        });
        execution.flow_id = self.flow_id.map(FlowId);
        execution.tags = reader.object("tags", &self.tags)?;
        execution.policy =
            self.policy.as_deref().map(|text| reader.object("policy", text)).transpose()?;
        execution.priority = reader.number("priority", self.priority)?;
        execution.lifecycle_phase = reader.word("lifecycle_phase", &self.lifecycle_phase)?;
        execution.ownership_state = reader.word("ownership_state", &self.ownership_state)?;
        execution.eligibility_state = reader.word("eligibility_state", &self.eligibility_state)?;
        execution.attempt_state = reader.word("attempt_state", &self.attempt_state)?;
        execution.public_state = reader.word("public_state", &self.public_state)?;
        execution.retry_count = reader.count("retry_count", self.retry_count)?;
        execution.reclaim_count = reader.count("reclaim_count", self.reclaim_count)?;
        execution.attempt_index = AttemptIndex(reader.count("attempt_index", self.attempt_index)?);
        execution.replay_count = reader.replay_count(&self.raw_fields)?;
        execution.execution_kind = self.execution_kind;
        execution.creator_identity = self.creator_identity;
        execution.blocking_reason = self.blocking_reason;
        execution.cancellation_reason = self.cancellation_reason;
        execution.cancelled_by = self.cancelled_by;
        execution.deadline_at = self.deadline_at_ms.map(TimestampMs);
        execution.started_at = self.started_at_ms.map(TimestampMs);
        execution.terminal_at = self.terminal_at_ms.map(TimestampMs);
        execution.eligible_at = self.eligible_at_ms.map(TimestampMs);
        execution.current_attempt = attempt;
        Ok(execution)
    }
}

impl AttemptRow {
    /// What the rules read.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_attempt(self, key: KeyRow) -> Result<Attempt, EngineError> {
        let id = key.execution_id()?;
        let reader = Reader { table: ATTEMPT, id: &id };
        let mut attempt =
            Attempt::unclaimed(AttemptIndex(reader.count("attempt_index", self.attempt_index)?));
        attempt.lease_epoch = reader.epoch(self.lease_epoch)?;
        attempt.outcome =
            self.outcome.as_deref().map(|text| reader.word("outcome", text)).transpose()?;
        attempt.error =
            self.error.as_deref().map(|text| reader.object("error", text)).transpose()?;
        attempt.progress =
            self.progress.as_deref().map(|text| reader.json("progress", text)).transpose()?;
        attempt.worker_id = self.worker_id.map(WorkerId);
        attempt.worker_instance_id = self.worker_instance_id.map(WorkerInstanceId);
        attempt.lease_expires_at = self.lease_expires_at_ms.map(TimestampMs);
        attempt.started_at = self.started_at_ms.map(TimestampMs);
        attempt.terminal_at = self.terminal_at_ms.map(TimestampMs);
        Ok(attempt)
    }
}

impl ContextRow {
    /// What a handler needs.
    ///
    /// # Errors
    /// `Corruption`.
    pub fn into_context(self) -> Result<ExecutionContext, EngineError> {
        let id = self.key.execution_id()?;
        let reader = Reader { table: EXEC_CORE, id: &id };
        let tags: HashMap<String, String> = reader.object("tags", &self.tags)?;
        let policy =
            self.policy.as_deref().map(|text| reader.object("policy", text)).transpose()?;
        Ok(ExecutionContext {
            lane_id: LaneId::new(self.lane_id),
            namespace: Namespace::new(self.namespace),
            execution_kind: self.execution_kind,
            input_payload: self.payload.unwrap_or_default(),
            payload_encoding: Some(self.payload_encoding).filter(|text| !text.is_empty()),
            tags,
            policy,
        })
    }
}

impl Reader<'_> {
    /// What only ever rises, in a column of 32 bits. Its last value is out of range too: there is none
    /// after it.
    fn count(&self, column: &str, value: i64) -> Result<u32, EngineError> {
        if value >= i64::from(i32::MAX) {
            return Err(self.corrupt(column, format!("{value} is out of range")));
        }
        self.number(column, value)
    }

    /// The last value is out of range too: there is none after it to give to the next lease.
    fn epoch(&self, value: i64) -> Result<LeaseEpoch, EngineError> {
        if value == i64::MAX {
            return Err(self.corrupt("lease_epoch", format!("{value} is out of range")));
        }
        self.number("lease_epoch", value).map(LeaseEpoch)
    }

    fn replay_count(&self, raw_fields: &str) -> Result<u32, EngineError> {
        if raw_fields == "{}" {
            return Ok(0);
        }
        let RawFields { replay_count: stored } = self.object("raw_fields", raw_fields)?;
        stored
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| self.corrupt("raw_fields", format!("replay_count is {stored}")))
    }
}

/// A stored word of a table that is not an execution's.
///
/// # Errors
/// `Corruption`.
pub fn word<W>(
    table: &'static str,
    column: &'static str,
    id: &str,
    text: &str,
) -> Result<W, EngineError>
where
    W: FromStr,
    W::Err: Display,
{
    text.parse().map_err(|error: W::Err| EngineError::corruption(table, column, id, error))
}

#[cfg(test)]
mod tests;
