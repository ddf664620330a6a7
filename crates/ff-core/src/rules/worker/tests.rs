use std::collections::BTreeSet;

use super::*;
use crate::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};

const NOW: TimestampMs = TimestampMs(1_000_000);
const TTL: u64 = 30_000;

fn later(millis: u64) -> TimestampMs {
    NOW.saturating_add_millis(millis)
}

fn args(worker: &str, lane: &str, now: TimestampMs) -> RegisterWorkerArgs {
    RegisterWorkerArgs::new(
        WorkerId::new(worker),
        WorkerInstanceId::new("w/1"),
        BTreeSet::from([LaneId::new(lane)]),
        BTreeSet::from(["gpu, large".to_owned()]),
        TTL,
        Namespace::new("default"),
        now,
    )
}

fn stored(heartbeat_recorded_at: Option<TimestampMs>) -> StoredWorker {
    let WorkerChange::Put(info) = register(None, &args("w", "a", NOW)).unwrap().change else {
        unreachable!("a new worker is stored");
    };
    StoredWorker { info, heartbeat_recorded_at }
}

fn beat(now: TimestampMs) -> HeartbeatWorkerArgs {
    HeartbeatWorkerArgs::new(WorkerInstanceId::new("w/1"), Namespace::new("default"), now)
}

fn recorded<T>(decision: &WorkerDecision<T>) -> Option<WorkerEventType> {
    decision.event.as_ref().map(|event| event.event_type)
}

/// WORK-1.
#[test]
fn registering_again_refreshes_and_keeps_the_first_time() {
    let first = register(None, &args("w", "a", NOW)).unwrap();
    assert_eq!(first.outcome, RegisterWorkerOutcome::Registered);
    assert_eq!(recorded(&first), Some(WorkerEventType::Registered));

    let again = register(Some(&stored(None)), &args("w", "b", later(5))).unwrap();
    assert_eq!(again.outcome, RegisterWorkerOutcome::Refreshed);
    let WorkerChange::Put(info) = again.change else { unreachable!("it is stored") };
    assert_eq!((info.registered_at_ms, info.last_heartbeat_ms), (NOW, later(5)));
    assert_eq!(info.lanes, BTreeSet::from([LaneId::new("b")]));
}

/// WORK-1.
#[test]
fn an_instance_belongs_to_its_worker() {
    let error = register(Some(&stored(None)), &args("other", "a", NOW)).unwrap_err();
    assert_eq!(error.to_string(), "invalid input: instance_id reassigned");
}

/// WORK-2: it is alive until its time to live is over, and not a millisecond longer.
#[test]
fn a_heartbeat_counts_within_the_time_to_live() {
    let stored = stored(None);
    let late = heartbeat(Some(&stored), &beat(later(TTL)));
    assert_eq!(late.outcome, HeartbeatWorkerOutcome::NotRegistered);
    assert_eq!((late.change, late.event), (WorkerChange::Keep, None));
    assert_eq!(heartbeat(None, &beat(NOW)).outcome, HeartbeatWorkerOutcome::NotRegistered);

    let in_time = heartbeat(Some(&stored), &beat(later(TTL - 1)));
    let next_expiry_ms = later(TTL - 1 + TTL);
    assert_eq!(in_time.outcome, HeartbeatWorkerOutcome::Refreshed { next_expiry_ms });
}

/// WORK-2: a heartbeat that was overtaken by a later one takes none of the worker's life.
#[test]
fn a_heartbeat_that_was_overtaken_takes_nothing_back() {
    let overtaken = heartbeat(Some(&stored(None)), &beat(TimestampMs(NOW.0 - 5)));
    let WorkerChange::Put(info) = overtaken.change else { unreachable!("it is stored") };
    assert_eq!(info.last_heartbeat_ms, NOW);
    let again = register(Some(&stored(None)), &args("w", "a", TimestampMs(NOW.0 - 5))).unwrap();
    let WorkerChange::Put(info) = again.change else { unreachable!("it is stored") };
    assert_eq!(info.last_heartbeat_ms, NOW);
}

#[test]
fn a_heartbeat_is_recorded_once_a_minute() {
    let at = |recorded_at, now| recorded(&heartbeat(Some(&stored(recorded_at)), &beat(now)));
    assert_eq!(at(None, NOW), Some(WorkerEventType::Heartbeat));
    assert_eq!(at(Some(NOW), later(TTL - 1)), None);
    let minute_ago = TimestampMs(NOW.0 - 60_000);
    assert_eq!(at(Some(minute_ago), NOW), Some(WorkerEventType::Heartbeat));
    assert_eq!(at(Some(TimestampMs(minute_ago.0 + 1)), NOW), None);
}

/// WORK-3.
#[test]
fn a_death_is_recorded_with_its_reason() {
    let args = MarkWorkerDeadArgs::new(
        WorkerInstanceId::new("w/1"),
        Namespace::new("default"),
        "drained".to_owned(),
        NOW,
    );
    let marked = mark_dead(Some(&stored(None)), &args);
    assert_eq!(
        (marked.outcome, &marked.change),
        (MarkWorkerDeadOutcome::Marked, &WorkerChange::Remove)
    );
    assert_eq!(marked.event.unwrap().reason.as_deref(), Some("drained"));
    let unknown = mark_dead(None, &args);
    assert_eq!((unknown.outcome, unknown.event), (MarkWorkerDeadOutcome::NotRegistered, None));
}

/// TIME-5: at the very end of its time it is neither alive nor swept.
#[test]
fn a_worker_is_swept_once_its_time_has_passed() {
    let info = stored(None).info;
    assert_eq!(sweep(&info, later(TTL)), None);
    assert!(!is_alive(&info, later(TTL)));
    let swept = sweep(&info, later(TTL + 1)).unwrap();
    assert_eq!(swept.event_type, WorkerEventType::TtlSwept);
}
