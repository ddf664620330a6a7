use ff_core::contracts::ReconcileTask;
use ff_core::types::WorkerInstanceId;

use super::{TTL, beat, events, given_registered, namespace, workers};
use crate::cases::at_once;
use crate::cx::{Cx, LIMIT, ONE_MS};

/// TIME-5. A worker that gives no sign of life for longer than its time leaves the registry, with an event.
pub(crate) async fn a_silent_worker_leaves_the_registry(cx: Cx) {
    given_registered(&cx, "silent/1").await;
    given_registered(&cx, "alive/1").await;
    cx.advance(TTL - ONE_MS);
    cx.backend.heartbeat_worker(beat(&cx, "alive/1")).await.unwrap();
    cx.advance(ONE_MS);
    let early = cx.reconcile(ReconcileTask::SweepWorkers).await;
    cx.advance(ONE_MS);

    let report = cx.reconcile(ReconcileTask::SweepWorkers).await;

    assert_eq!((early.processed, report.processed, report.errors), (0, 1, 0));
    let listed = workers(&cx).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].worker_instance_id.as_str(), "alive/1");
    let silent = WorkerInstanceId::new("silent/1");
    let recorded = cx.probe().read_worker_events(&namespace(), &silent).await;
    assert_eq!(recorded.len(), 2);
    assert_eq!((recorded[1].event_type.as_str(), recorded[1].occurred_at), ("ttl_swept", cx.now()));
    assert_eq!(events(&cx, "alive/1").await, ["registered", "heartbeat"]);
}

/// TIME-5, TIME-8. One call sweeps as many as it is told, and the next goes on.
pub(crate) async fn a_sweep_of_workers_keeps_to_its_limit(cx: Cx) {
    for number in 0..5 {
        given_registered(&cx, &format!("worker/{number}")).await;
    }
    cx.advance(TTL + ONE_MS);

    let mut processed = Vec::new();
    for _ in 0..4 {
        let report = cx.backend.reconcile(ReconcileTask::SweepWorkers, 2).await.unwrap();
        processed.push(report.processed);
    }

    assert_eq!(processed, [2, 2, 1, 0]);
    assert!(workers(&cx).await.is_empty());
}

/// TIME-5, TIME-8, SAFE-4. Sweeps at once take each worker off once.
pub(crate) async fn concurrent_sweeps_take_each_worker_once(cx: Cx) {
    for number in 0..20 {
        given_registered(&cx, &format!("worker/{number:02}")).await;
    }
    cx.advance(TTL + ONE_MS);

    let reports = at_once(4, &cx.backend, |backend, _| async move {
        backend.reconcile(ReconcileTask::SweepWorkers, LIMIT).await.unwrap()
    })
    .await;

    assert_eq!(reports.iter().map(|report| report.processed).sum::<u32>(), 20);
    assert_eq!(events(&cx, "worker/07").await, ["registered", "ttl_swept"]);
}
