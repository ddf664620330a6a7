//! Lanes, the registry of workers, and the store itself.

use std::time::Duration;

use ff_core::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, ListWorkersArgs, MarkWorkerDeadArgs,
    MarkWorkerDeadOutcome, ReconcileTask, RegisterWorkerArgs, RegisterWorkerOutcome,
};
use ff_core::types::WorkerId;

use crate::fault::caller::{Caller, said};

/// Longer than every delay of a call.
const LIVENESS_TTL: Duration = Duration::from_secs(600);

pub(super) async fn pause(caller: &mut Caller) {
    let lane = caller.lane();
    let prepared = caller.ask(async |backend| backend.prepare().await).await;
    caller.tell("prepare", said(prepared));
    let answered = caller.ask(async |backend| backend.ping().await).await;
    caller.tell("ping", said(answered));
    let now = caller.ask(async |backend| backend.now().await).await.unwrap();
    let is_now = now == caller.now();
    caller.tell("now", is_now);
    let paused = caller.ask(async |backend| backend.pause_lane(&lane).await).await;
    caller.tell("pause_lane", said(paused));
    caller.create().await;
    let none = caller.try_claim().await;
    caller.tell("claim", format!("{none:?}"));
    let lanes = caller.ask(async |backend| backend.list_lanes().await).await.unwrap();
    let mut lanes = lanes.iter().filter(|info| info.lane_id == lane);
    let state = lanes.next().unwrap().state;
    caller.tell("list_lanes", state);
    let resumed = caller.ask(async |backend| backend.resume_lane(&lane).await).await;
    caller.tell("resume_lane", said(resumed));
    let mut handle = caller.claim().await;
    caller.complete(&mut handle).await;
}

pub(super) async fn attend(caller: &mut Caller) {
    register(caller).await;
    let (instance, namespace, now) = (caller.instance(), caller.namespace(), caller.now());
    let args = HeartbeatWorkerArgs::new(instance.clone(), namespace.clone(), now);
    let beat = caller.ask(async |backend| backend.heartbeat_worker(args.clone()).await).await;
    let lives = matches!(beat.unwrap(), HeartbeatWorkerOutcome::Refreshed { .. });
    caller.tell("heartbeat_worker", lives);
    count(caller).await;
    let args = MarkWorkerDeadArgs::new(instance, namespace, "stopped".to_owned(), now);
    let marked = caller.ask(async |backend| backend.mark_worker_dead(args.clone()).await).await;
    let answer = match marked.unwrap() {
        MarkWorkerDeadOutcome::Marked => "marked",
        MarkWorkerDeadOutcome::NotRegistered => "not registered",
    };
    caller.tell("mark_worker_dead", answer);
    count(caller).await;
    register(caller).await;
    caller.advance(LIVENESS_TTL * 2);
    let swept = caller.reconcile(ReconcileTask::SweepWorkers).await;
    caller.tell("reconcile", swept);
    count(caller).await;
}

async fn register(caller: &mut Caller) {
    let args = RegisterWorkerArgs::new(
        WorkerId::new("worker"),
        caller.instance(),
        [caller.lane()].into(),
        ["gpu".to_owned()].into(),
        u64::try_from(LIVENESS_TTL.as_millis()).unwrap(),
        caller.namespace(),
        caller.now(),
    );
    let registered = caller.ask(async |backend| backend.register_worker(args.clone()).await).await;
    let answer = match registered.unwrap() {
        RegisterWorkerOutcome::Registered => "registered",
        RegisterWorkerOutcome::Refreshed => "refreshed",
    };
    caller.tell("register_worker", answer);
}

async fn count(caller: &mut Caller) {
    let mut args = ListWorkersArgs::new();
    args.namespace = Some(caller.namespace());
    let workers = caller.ask(async |backend| backend.list_workers(args.clone()).await).await;
    caller.tell("list_workers", workers.unwrap().entries.len());
}
