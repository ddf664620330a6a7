//! Limits on input (EXEC-3): what an operation refuses before any write.

use std::collections::HashMap;

use serde_json::Value;

use crate::backend::{ClaimPolicy, FailureReason};
use crate::contracts::{
    CLAIM_BATCH_MAX, CancelExecutionArgs, CancelFlowArgs, ClaimBatchArgs, CreateExecutionArgs,
    CreateFlowArgs, LIST_FLOWS_MAX_LIMIT, READ_EVENTS_MAX_LIMIT, RECONCILE_MAX_LIMIT,
    RevokeLeaseArgs,
};
use crate::engine_error::{EngineError, ValidationKind};
use crate::policy::{BackoffStrategy, ExecutionPolicy};
use crate::types::LaneId;

/// Bytes that a name (lane, kind, namespace, worker, idempotency key...) may have.
pub const NAME_MAX_BYTES: usize = 256;
/// Tags that an execution may have.
pub const TAGS_MAX: usize = 64;
/// Characters that a tag's key may have; each one of `A-Z a-z 0-9 _ . : -`.
pub const TAG_KEY_MAX: usize = 64;
/// Bytes that a tag's value may have.
pub const TAG_VALUE_MAX_BYTES: usize = 1_024;
/// Capabilities that an execution may require.
pub const CAPABILITIES_MAX: usize = 256;
/// Bytes that the names of an execution's required capabilities may have together.
pub const CAPABILITIES_MAX_BYTES: usize = 4_096;
/// Bytes that a payload or a result may have unless the backend is set otherwise.
pub const DEFAULT_PAYLOAD_MAX_BYTES: usize = 1 << 20;

/// Executions that one batch creates at most.
pub const CREATE_BATCH_MAX: usize = 10_000;
/// Bytes that the payloads of one batch may have together.
pub const CREATE_BATCH_MAX_BYTES: usize = 64 << 20;
/// Bytes that the reason of a cancellation or of a revocation may have.
pub const OPERATOR_REASON_MAX_BYTES: usize = 4_096;
/// Arrays and objects within one another that a progress report may have.
pub const PROGRESS_MAX_DEPTH: usize = 64;

/// What depends on the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// Bytes that a payload or a result may have.
    pub payload_max_bytes: usize,
    /// Partitions that ids may name: those below this number.
    pub partitions: u16,
}

impl InputLimits {
    /// [`DEFAULT_PAYLOAD_MAX_BYTES`], and 32,768 partitions.
    pub const DEFAULT: Self =
        Self { payload_max_bytes: DEFAULT_PAYLOAD_MAX_BYTES, partitions: 32_768 };
}

type Checked = Result<(), EngineError>;

mod list;
mod worker;

pub use list::{
    check_filter, check_list, check_list_expired_leases, check_list_flows, check_list_workers,
};
pub use worker::{check_heartbeat, check_mark_dead, check_register};

/// Checks an execution to create.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field, or `Validation { PayloadTooLarge }`.
pub fn check_create(args: &CreateExecutionArgs, limits: &InputLimits) -> Checked {
    check_partition(args.execution_id.partition(), limits)?;
    check_name("namespace", args.namespace.as_str())?;
    check_name("lane_id", args.lane_id.as_str())?;
    check_name("execution_kind", &args.execution_kind)?;
    check_text("creator_identity", &args.creator_identity)?;
    if let Some(encoding) = &args.payload_encoding {
        check_text("payload_encoding", encoding)?;
    }
    if let Some(key) = &args.idempotency_key {
        check_name("idempotency_key", key)?;
    }
    check_size("input_payload", args.input_payload.len(), limits)?;
    check_tags(&args.tags)?;
    args.policy.as_ref().map_or(Ok(()), check_policy)
}

/// Checks a batch of executions to create.
///
/// # Errors
/// `BatchItem` with the index of the first bad one, or of the first that is one too many
/// ([`CREATE_BATCH_MAX`], [`CREATE_BATCH_MAX_BYTES`]).
pub fn check_create_batch(batch: &[CreateExecutionArgs], limits: &InputLimits) -> Checked {
    let mut bytes = 0_usize;
    for (index, args) in batch.iter().enumerate() {
        bytes = bytes.saturating_add(args.input_payload.len());
        check_create(args, limits)
            .and_then(|()| check_batch_size(index, bytes))
            .map_err(|error| EngineError::BatchItem { index, source: Box::new(error) })?;
    }
    Ok(())
}

fn check_batch_size(index: usize, bytes: usize) -> Checked {
    if index >= CREATE_BATCH_MAX {
        return Err(EngineError::invalid_input(format!(
            "batch: more than {CREATE_BATCH_MAX} executions"
        )));
    }
    if bytes > CREATE_BATCH_MAX_BYTES {
        return Err(EngineError::Validation {
            kind: ValidationKind::PayloadTooLarge,
            detail: format!("batch: more than {CREATE_BATCH_MAX_BYTES} bytes of payload"),
        });
    }
    Ok(())
}

/// Checks a claim of several executions.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_claim_batch(args: &ClaimBatchArgs) -> Checked {
    if args.lanes.is_empty() {
        return Err(EngineError::invalid_input("lanes: at least one is needed"));
    }
    for lane in &args.lanes {
        check_lane(lane)?;
    }
    check_range("max", args.max, CLAIM_BATCH_MAX)?;
    check_claim_policy(&args.policy)
}

/// Checks a lane's name.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_lane(lane: &LaneId) -> Checked {
    check_name("lane_id", lane.as_str())
}

/// Checks how many rows a reconcile task may act on.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_reconcile_limit(limit: u32) -> Checked {
    check_range("limit", limit, RECONCILE_MAX_LIMIT)
}

/// Checks how many events one read may return.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_read_events_limit(limit: u32) -> Checked {
    check_range("limit", limit, READ_EVENTS_MAX_LIMIT)
}

/// Checks the size of a result.
///
/// # Errors
/// `Validation { PayloadTooLarge }`.
pub fn check_result(result: Option<&[u8]>, limits: &InputLimits) -> Checked {
    check_size("result", result.map_or(0, <[u8]>::len), limits)
}

/// Checks what a handler reports of its progress: its size, its depth, which readers of JSON limit, and that
/// it has no NUL, which PostgreSQL's jsonb does not hold.
///
/// # Errors
/// `Validation { PayloadTooLarge }`; `Validation { InvalidInput }` over [`PROGRESS_MAX_DEPTH`], and for a NUL.
pub fn check_progress(progress: &Value, limits: &InputLimits) -> Checked {
    let mut level = vec![progress];
    for _ in 0..=PROGRESS_MAX_DEPTH {
        if level.iter().any(|value| has_nul(value)) {
            return Err(EngineError::invalid_input("progress: it has a NUL"));
        }
        level = level.into_iter().flat_map(children).collect();
        if level.is_empty() {
            return check_size("progress", progress.to_string().len(), limits);
        }
    }
    Err(EngineError::invalid_input(format!(
        "progress: nested deeper than {PROGRESS_MAX_DEPTH} levels"
    )))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Object(fields) => fields.keys().any(|key| key.contains('\0')),
        _ => false,
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// Checks the size of a failure's message and detail together.
///
/// # Errors
/// `Validation { PayloadTooLarge }`.
pub fn check_reason(reason: &FailureReason, limits: &InputLimits) -> Checked {
    let detail = reason.detail.as_ref().map_or(0, Vec::len);
    check_size("reason", reason.message.len().saturating_add(detail), limits)
}

/// Checks the cancellation of an execution.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_cancel(args: &CancelExecutionArgs) -> Checked {
    check_operator_reason(&args.reason)
}

/// Checks the revocation of a lease.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_revoke(args: &RevokeLeaseArgs) -> Checked {
    check_operator_reason(&args.reason)
}

/// Checks a flow to create.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_create_flow(args: &CreateFlowArgs) -> Checked {
    check_name("namespace", args.namespace.as_str())?;
    check_name("flow_kind", &args.flow_kind)?;
    check_tags(&args.tags)
}

/// Checks how many members one page of a flow may have.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_list_flow_members_limit(limit: u32) -> Checked {
    check_range("limit", limit, LIST_FLOWS_MAX_LIMIT)
}

/// Checks the cancellation of a flow.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_cancel_flow(args: &CancelFlowArgs) -> Checked {
    check_operator_reason(&args.reason)
}

fn check_operator_reason(reason: &str) -> Checked {
    if reason.len() <= OPERATOR_REASON_MAX_BYTES {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "reason: {} bytes, and {OPERATOR_REASON_MAX_BYTES} is the limit",
        reason.len()
    )))
}

/// Checks a name that must be there: 1 to [`NAME_MAX_BYTES`] bytes without control characters.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_name(field: &str, name: &str) -> Checked {
    if name.is_empty() {
        return Err(EngineError::invalid_input(format!("{field}: it is empty")));
    }
    check_text(field, name)
}

fn check_text(field: &str, text: &str) -> Checked {
    if text.len() > NAME_MAX_BYTES {
        return Err(EngineError::invalid_input(format!(
            "{field}: {} bytes, and {NAME_MAX_BYTES} is the limit",
            text.len()
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(EngineError::invalid_input(format!("{field}: it has a control character")));
    }
    Ok(())
}

fn check_range(field: &str, value: u32, max: u32) -> Checked {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!("{field}: {value}, and 1 to {max} is the range")))
}

fn check_size(field: &str, bytes: usize, limits: &InputLimits) -> Checked {
    let limit = limits.payload_max_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(EngineError::Validation {
        kind: ValidationKind::PayloadTooLarge,
        detail: format!("{field}: {bytes} bytes, and {limit} is the limit"),
    })
}

fn check_partition(partition: u16, limits: &InputLimits) -> Checked {
    if partition < limits.partitions {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "execution_id: partition {partition}, and this store has {}, from 0",
        limits.partitions
    )))
}

fn check_claim_policy(policy: &ClaimPolicy) -> Checked {
    check_name("worker_id", policy.worker_id.as_str())?;
    check_name("worker_instance_id", policy.worker_instance_id.as_str())?;
    if policy.lease_ttl_ms == 0 {
        return Err(EngineError::invalid_input("lease_ttl_ms: it is 0"));
    }
    Ok(())
}

fn check_tags(tags: &HashMap<String, String>) -> Checked {
    if tags.len() > TAGS_MAX {
        return Err(EngineError::invalid_input(format!(
            "tags: {}, and {TAGS_MAX} is the limit",
            tags.len()
        )));
    }
    tags.iter().try_for_each(|(key, value)| check_tag(key, value))
}

fn check_tag(key: &str, value: &str) -> Checked {
    check_tag_key(key)?;
    if value.len() > TAG_VALUE_MAX_BYTES {
        return Err(EngineError::invalid_input(format!(
            "tags: the value of {key} has {} bytes, and {TAG_VALUE_MAX_BYTES} is the limit",
            value.len()
        )));
    }
    if value.contains('\0') {
        return Err(EngineError::invalid_input(format!("tags: the value of {key} has a NUL")));
    }
    Ok(())
}

fn check_tag_key(key: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if (1..=TAG_KEY_MAX).contains(&key.len()) && key.chars().all(allowed) {
        return Ok(());
    }
    Err(EngineError::invalid_input(format!(
        "tags: a key has 1 to {TAG_KEY_MAX} characters of A-Z a-z 0-9 _ . : -, and {key:?} has not"
    )))
}

fn check_policy(policy: &ExecutionPolicy) -> Checked {
    if let Some(retry) = &policy.retry_policy {
        check_backoff(&retry.backoff)?;
        check_categories(&retry.retryable_categories)?;
    }
    if let Some(timeout) = &policy.timeout_policy {
        check_timeout("attempt_timeout_ms", timeout.attempt_timeout_ms)?;
        check_timeout("execution_deadline_ms", timeout.execution_deadline_ms)?;
    }
    if let Some(routing) = &policy.routing_requirements {
        check_capabilities(routing.required_capabilities.iter())?;
    }
    Ok(())
}

fn check_backoff(backoff: &BackoffStrategy) -> Checked {
    match backoff {
        BackoffStrategy::Fixed { delay_ms } => check_millis("delay_ms", *delay_ms),
        BackoffStrategy::Exponential { initial_delay_ms, max_delay_ms, multiplier, .. } => {
            check_millis("initial_delay_ms", *initial_delay_ms)?;
            check_millis("max_delay_ms", *max_delay_ms)?;
            if !multiplier.is_finite() || *multiplier < 1.0 {
                return Err(policy_error("multiplier", "it is a finite number of at least 1"));
            }
            Ok(())
        }
    }
}

fn check_categories(categories: &[String]) -> Checked {
    for category in categories {
        category
            .parse::<crate::backend::FailureClass>()
            .map_err(|error| policy_error("retryable_categories", &error.to_string()))?;
    }
    Ok(())
}

fn check_timeout(field: &str, millis: Option<u64>) -> Checked {
    match millis {
        Some(0) => Err(policy_error(field, "it is at least 1")),
        Some(millis) => check_millis(field, millis),
        None => Ok(()),
    }
}

fn check_millis(field: &str, millis: u64) -> Checked {
    i64::try_from(millis)
        .map(|_| ())
        .map_err(|_| policy_error(field, "it is at most 9223372036854775807 ms"))
}

fn check_capabilities<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> Checked {
    if names.len() > CAPABILITIES_MAX {
        return Err(policy_error(
            "required_capabilities",
            &format!("{} of them, and {CAPABILITIES_MAX} is the limit", names.len()),
        ));
    }
    let mut bytes = 0;
    for name in names {
        check_name("policy.required_capabilities", name)?;
        bytes += name.len();
    }
    if bytes > CAPABILITIES_MAX_BYTES {
        return Err(policy_error(
            "required_capabilities",
            &format!("{bytes} bytes, and {CAPABILITIES_MAX_BYTES} is the limit"),
        ));
    }
    Ok(())
}

fn policy_error(field: &str, problem: &str) -> EngineError {
    EngineError::invalid_input(format!("policy.{field}: {problem}"))
}

#[cfg(test)]
mod tests;
