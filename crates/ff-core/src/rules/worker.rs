//! The registry of worker processes (WORK-1 to WORK-3, TIME-5, TIME-6).

use crate::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, MarkWorkerDeadArgs, MarkWorkerDeadOutcome,
    RegisterWorkerArgs, RegisterWorkerOutcome, WorkerInfo,
};
use crate::engine_error::EngineError;
use crate::state::WorkerEventType;
use crate::types::TimestampMs;

/// Milliseconds between two heartbeat events of a worker at least.
pub const HEARTBEAT_EVENT_INTERVAL_MS: u64 = 60_000;

/// A worker process as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWorker {
    /// Its entry.
    pub info: WorkerInfo,
    /// When its last heartbeat event was recorded.
    pub heartbeat_recorded_at: Option<TimestampMs>,
}

/// What shall be stored of a worker process, and what the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerDecision<T> {
    /// What becomes of its entry.
    pub change: WorkerChange,
    /// The event to append.
    pub event: Option<WorkerEvent>,
    /// The answer.
    pub outcome: T,
}

/// What becomes of an entry of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerChange {
    /// It stays.
    Keep,
    /// It is inserted or overwritten.
    Put(WorkerInfo),
    /// It is removed.
    Remove,
}

/// Something that the registry records of a worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerEvent {
    /// What happened.
    pub event_type: WorkerEventType,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub occurred_at: TimestampMs,
}

/// Puts a worker process on the registry (WORK-1).
///
/// # Errors
/// `Validation { InvalidInput }` when another worker has the process's id.
pub fn register(
    stored: Option<&StoredWorker>,
    args: &RegisterWorkerArgs,
) -> Result<WorkerDecision<RegisterWorkerOutcome>, EngineError> {
    let mut info = WorkerInfo::new(
        args.worker_id.clone(),
        args.worker_instance_id.clone(),
        args.namespace.clone(),
        args.lanes.clone(),
        args.capabilities.clone(),
        args.now,
        args.liveness_ttl_ms,
        args.now,
    );
    let Some(stored) = stored else {
        return Ok(WorkerDecision {
            change: WorkerChange::Put(info),
            event: Some(event(WorkerEventType::Registered, args.now)),
            outcome: RegisterWorkerOutcome::Registered,
        });
    };
    if stored.info.worker_id != args.worker_id {
        return Err(EngineError::invalid_input("instance_id reassigned"));
    }
    info.registered_at_ms = stored.info.registered_at_ms;
    info.last_heartbeat_ms = info.last_heartbeat_ms.max(stored.info.last_heartbeat_ms);
    Ok(WorkerDecision {
        change: WorkerChange::Put(info),
        event: heartbeat_event(stored, args.now),
        outcome: RegisterWorkerOutcome::Refreshed,
    })
}

/// Notes a sign of life (WORK-2).
pub fn heartbeat(
    stored: Option<&StoredWorker>,
    args: &HeartbeatWorkerArgs,
) -> WorkerDecision<HeartbeatWorkerOutcome> {
    let Some(stored) = stored.filter(|stored| is_alive(&stored.info, args.now)) else {
        return WorkerDecision {
            change: WorkerChange::Keep,
            event: None,
            outcome: HeartbeatWorkerOutcome::NotRegistered,
        };
    };
    let next_expiry_ms = args.now.saturating_add_millis(stored.info.liveness_ttl_ms);
    // One that comes late, after a later one, takes nothing back.
    let last_heartbeat_ms = args.now.max(stored.info.last_heartbeat_ms);
    let info = WorkerInfo { last_heartbeat_ms, ..stored.info.clone() };
    WorkerDecision {
        change: WorkerChange::Put(info),
        event: heartbeat_event(stored, args.now),
        outcome: HeartbeatWorkerOutcome::Refreshed { next_expiry_ms },
    }
}

/// Takes a worker process off the registry (WORK-3).
pub fn mark_dead(
    stored: Option<&StoredWorker>,
    args: &MarkWorkerDeadArgs,
) -> WorkerDecision<MarkWorkerDeadOutcome> {
    if stored.is_none() {
        return WorkerDecision {
            change: WorkerChange::Keep,
            event: None,
            outcome: MarkWorkerDeadOutcome::NotRegistered,
        };
    }
    let died = event(WorkerEventType::MarkedDead, args.now);
    WorkerDecision {
        change: WorkerChange::Remove,
        event: Some(WorkerEvent { reason: Some(args.reason.clone()), ..died }),
        outcome: MarkWorkerDeadOutcome::Marked,
    }
}

/// Takes a worker process off the registry that has given no sign of life for longer than its time to live;
/// `None` when it has (TIME-5).
pub fn sweep(info: &WorkerInfo, now: TimestampMs) -> Option<WorkerEvent> {
    (expiry(info) < now).then(|| event(WorkerEventType::TtlSwept, now))
}

/// Whether the process counts as alive.
pub fn is_alive(info: &WorkerInfo, now: TimestampMs) -> bool {
    expiry(info) > now
}

fn expiry(info: &WorkerInfo) -> TimestampMs {
    info.last_heartbeat_ms.saturating_add_millis(info.liveness_ttl_ms)
}

fn heartbeat_event(stored: &StoredWorker, now: TimestampMs) -> Option<WorkerEvent> {
    let is_recent = stored
        .heartbeat_recorded_at
        .is_some_and(|at| at.saturating_add_millis(HEARTBEAT_EVENT_INTERVAL_MS) > now);
    (!is_recent).then(|| event(WorkerEventType::Heartbeat, now))
}

fn event(event_type: WorkerEventType, occurred_at: TimestampMs) -> WorkerEvent {
    WorkerEvent { event_type, reason: None, occurred_at }
}

#[cfg(test)]
mod tests;
