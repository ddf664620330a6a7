use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::contracts::{
    HeartbeatWorkerOutcome, MARK_WORKER_DEAD_REASON_MAX_BYTES, MarkWorkerDeadOutcome,
    RegisterWorkerOutcome,
};
use ff_core::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};

use super::{
    TTL, beat, death, events, given_registered, mark_dead, namespace, registration, workers,
};
use crate::assertions::assert_invalid;
use crate::cases::at_once;
use crate::cx::{Cx, ONE_MS};

const ONE_SECOND: Duration = Duration::from_secs(1);

/// WORK-1. A registered worker is listed with what it takes and offers, whatever the names hold.
pub(crate) async fn a_registered_worker_is_listed(cx: Cx) {
    let mut args = registration(&cx, "worker/1");
    args.lanes = ["a, b", "{c}", "d\"e", "f\\g"].map(LaneId::new).into();
    args.capabilities = ["gpu, large".to_owned(), "ünïcode".to_owned()].into();

    let outcome = cx.backend.register_worker(args.clone()).await.unwrap();

    assert_eq!(outcome, RegisterWorkerOutcome::Registered);
    let listed = workers(&cx).await;
    assert_eq!(listed.len(), 1);
    let info = &listed[0];
    assert_eq!((info.worker_id.as_str(), info.worker_instance_id.as_str()), ("worker", "worker/1"));
    assert_eq!((&info.lanes, &info.capabilities), (&args.lanes, &args.capabilities));
    assert_eq!((info.last_heartbeat_ms, info.registered_at_ms), (cx.now(), cx.now()));
    assert_eq!((info.liveness_ttl_ms, info.namespace.as_str()), (args.liveness_ttl_ms, "default"));
}

/// WORK-1, SAFE-3. Registering again replaces what the worker takes and offers, and keeps its first time.
pub(crate) async fn registering_again_refreshes(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let registered_at = cx.now();
    cx.advance(ONE_MS);
    let mut args = registration(&cx, "worker/1");
    (args.lanes, args.capabilities) = (BTreeSet::new(), BTreeSet::new());
    args.liveness_ttl_ms = 5;

    let outcome = cx.backend.register_worker(args).await.unwrap();

    assert_eq!(outcome, RegisterWorkerOutcome::Refreshed);
    let info = workers(&cx).await.remove(0);
    assert!(info.lanes.is_empty() && info.capabilities.is_empty(), "{info:?}");
    assert_eq!((info.registered_at_ms, info.last_heartbeat_ms), (registered_at, cx.now()));
    assert_eq!(info.liveness_ttl_ms, 5);
}

/// WORK-1. A process's id belongs to its worker.
pub(crate) async fn an_instance_of_another_worker_is_refused(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let mut args = registration(&cx, "worker/1");
    args.worker_id = WorkerId::new("other");

    let error = cx.backend.register_worker(args.clone()).await.unwrap_err();

    assert_invalid(error, "instance_id reassigned");
    assert_eq!(workers(&cx).await[0].worker_id.as_str(), "worker");
    args.namespace = Namespace::new("tenant");
    let elsewhere = cx.backend.register_worker(args).await.unwrap();
    assert_eq!(elsewhere, RegisterWorkerOutcome::Registered);
}

/// WORK-1, SAFE-4. Of many registrations of one process at once, one is the first.
pub(crate) async fn concurrent_registrations_register_once(cx: Cx) {
    for number in 0..5 {
        let args = registration(&cx, &format!("worker/{number}"));

        let outcomes = at_once(8, &cx.backend, |backend, _| {
            let args = args.clone();
            async move { backend.register_worker(args).await.unwrap() }
        })
        .await;

        let first = RegisterWorkerOutcome::Registered;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == first).count(), 1);
    }
}

/// WORK-1, EXEC-3. A registration beyond the limits is refused before any write.
pub(crate) async fn a_bad_registration_is_refused(cx: Cx) {
    let good = || registration(&cx, "worker/1");
    let mut bad = Vec::new();
    let mut spoil = |field, spoil: fn(&mut ff_core::contracts::RegisterWorkerArgs)| {
        let mut args = good();
        spoil(&mut args);
        bad.push((field, args));
    };
    spoil("worker_id", |args| args.worker_id = WorkerId::new(""));
    spoil("worker_instance_id", |args| args.worker_instance_id = WorkerInstanceId::new("a\tb"));
    spoil("namespace", |args| args.namespace = Namespace::new("x".repeat(257)));
    spoil("lane_id", |args| args.lanes = BTreeSet::from([LaneId::new("")]));
    spoil("capabilities", |args| args.capabilities = BTreeSet::from(["\0".to_owned()]));
    spoil("liveness_ttl_ms", |args| args.liveness_ttl_ms = 0);
    spoil("liveness_ttl_ms", |args| args.liveness_ttl_ms = u64::MAX);

    for (field, args) in bad {
        assert_invalid(cx.backend.register_worker(args).await.unwrap_err(), field);
    }

    assert!(workers(&cx).await.is_empty());
}

/// WORK-2. A heartbeat in time extends the worker's life by its time to live.
pub(crate) async fn a_heartbeat_extends_a_workers_life(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    cx.advance(TTL - ONE_MS);

    let outcome = cx.backend.heartbeat_worker(beat(&cx, "worker/1")).await.unwrap();

    let next_expiry_ms = cx.now().saturating_add_millis(super::TTL_MS);
    assert_eq!(outcome, HeartbeatWorkerOutcome::Refreshed { next_expiry_ms });
    assert_eq!(workers(&cx).await[0].last_heartbeat_ms, cx.now());
    cx.advance(TTL - ONE_MS);
    let again = cx.backend.heartbeat_worker(beat(&cx, "worker/1")).await.unwrap();
    assert!(matches!(again, HeartbeatWorkerOutcome::Refreshed { .. }));
}

/// WORK-2. A heartbeat that is late, or of an unknown process, is told so and changes nothing.
pub(crate) async fn a_late_heartbeat_is_told_so(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let before = workers(&cx).await;
    cx.advance(TTL);

    let late = cx.backend.heartbeat_worker(beat(&cx, "worker/1")).await.unwrap();
    let unknown = cx.backend.heartbeat_worker(beat(&cx, "worker/2")).await.unwrap();

    assert_eq!([late, unknown], [HeartbeatWorkerOutcome::NotRegistered; 2]);
    assert_eq!(workers(&cx).await, before);
    let again = cx.backend.register_worker(registration(&cx, "worker/1")).await.unwrap();
    assert_eq!(again, RegisterWorkerOutcome::Refreshed);
}

/// WORK-2. A heartbeat that comes after a later one takes none of the worker's life.
pub(crate) async fn an_overtaken_heartbeat_takes_nothing_back(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let overtaken = beat(&cx, "worker/1");
    let registration_overtaken = registration(&cx, "worker/1");
    cx.advance(ONE_SECOND);
    cx.backend.heartbeat_worker(beat(&cx, "worker/1")).await.unwrap();

    cx.backend.heartbeat_worker(overtaken).await.unwrap();
    cx.backend.register_worker(registration_overtaken).await.unwrap();

    assert_eq!(workers(&cx).await[0].last_heartbeat_ms, cx.now());
}

/// WORK-2. Heartbeats are recorded once a minute at most, and the registration once.
pub(crate) async fn heartbeats_are_recorded_once_a_minute(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    for _ in 0..61 {
        cx.backend.heartbeat_worker(beat(&cx, "worker/1")).await.unwrap();
        cx.advance(ONE_SECOND);
    }
    cx.backend.register_worker(registration(&cx, "worker/1")).await.unwrap();

    assert_eq!(events(&cx, "worker/1").await, ["registered", "heartbeat", "heartbeat"]);
}

/// WORK-3. A worker that is marked dead leaves the registry, with an event that says why.
pub(crate) async fn a_dead_worker_leaves_the_registry(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    cx.advance(ONE_MS);
    let longest = "ü".repeat(MARK_WORKER_DEAD_REASON_MAX_BYTES / 2);

    let outcome = cx.backend.mark_worker_dead(death(&cx, "worker/1", &longest)).await.unwrap();

    assert_eq!(outcome, MarkWorkerDeadOutcome::Marked);
    assert!(workers(&cx).await.is_empty());
    let instance = WorkerInstanceId::new("worker/1");
    let events = cx.probe().read_worker_events(&namespace(), &instance).await;
    let last = events.last().unwrap();
    assert_eq!(
        (last.event_type.as_str(), last.reason.as_deref()),
        ("marked_dead", Some(longest.as_str()))
    );
    assert_eq!((events.len(), last.occurred_at), (2, cx.now()));
}

/// WORK-3, SAFE-3. Marking a worker dead again finds none and records nothing.
pub(crate) async fn a_worker_dies_once(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    mark_dead(&cx, "worker/1").await;

    let again = cx.backend.mark_worker_dead(death(&cx, "worker/1", "gone")).await.unwrap();
    let unknown = cx.backend.mark_worker_dead(death(&cx, "worker/2", "gone")).await.unwrap();

    assert_eq!([again, unknown], [MarkWorkerDeadOutcome::NotRegistered; 2]);
    assert_eq!(events(&cx, "worker/1").await, ["registered", "marked_dead"]);
    assert!(events(&cx, "worker/2").await.is_empty());
}

/// WORK-3. A reason beyond the limit is refused, and the error says the limit and the length.
pub(crate) async fn a_reason_of_death_beyond_the_limit_is_refused(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    let long = "ü".repeat(MARK_WORKER_DEAD_REASON_MAX_BYTES / 2) + "x";

    let too_long = cx.backend.mark_worker_dead(death(&cx, "worker/1", &long)).await.unwrap_err();
    let control = cx.backend.mark_worker_dead(death(&cx, "worker/1", "a\nb")).await.unwrap_err();

    let text = too_long.to_string();
    assert!(text.contains("256") && text.contains("257"), "{text}");
    assert_invalid(too_long, "reason");
    let text = control.to_string();
    assert!(text.contains("256") && text.contains('3'), "{text}");
    assert_invalid(control, "reason");
    assert_eq!(workers(&cx).await.len(), 1);
}

/// WORK-3, SAFE-3. A dead worker that comes back is registered anew.
pub(crate) async fn a_dead_worker_may_come_back(cx: Cx) {
    given_registered(&cx, "worker/1").await;
    mark_dead(&cx, "worker/1").await;
    cx.advance(ONE_MS);

    given_registered(&cx, "worker/1").await;

    assert_eq!(workers(&cx).await[0].registered_at_ms, cx.now());
}
