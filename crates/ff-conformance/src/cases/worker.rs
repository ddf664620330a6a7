mod expired;
mod list;
mod registry;
mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::contracts::{
    HeartbeatWorkerArgs, ListWorkersArgs, MarkWorkerDeadArgs, MarkWorkerDeadOutcome,
    RegisterWorkerArgs, RegisterWorkerOutcome, WorkerInfo,
};
use ff_core::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};

use crate::cx::Cx;

pub(crate) use expired::*;
pub(crate) use list::*;
pub(crate) use registry::*;
pub(crate) use sweep::*;

/// How long a worker of these cases counts as alive.
pub(crate) const TTL: Duration = Duration::from_secs(20);
const TTL_MS: u64 = 20_000;

fn namespace() -> Namespace {
    Namespace::new("default")
}

/// Worker `NAME` of the process `NAME/1`.
pub(crate) fn registration(cx: &Cx, instance: &str) -> RegisterWorkerArgs {
    let worker = instance.split('/').next().unwrap_or(instance);
    RegisterWorkerArgs::new(
        WorkerId::new(worker),
        WorkerInstanceId::new(instance),
        BTreeSet::from([LaneId::new("default")]),
        BTreeSet::from(["gpu".to_owned()]),
        TTL_MS,
        namespace(),
        cx.now(),
    )
}

pub(crate) async fn given_registered(cx: &Cx, instance: &str) {
    let outcome = cx.backend.register_worker(registration(cx, instance)).await.unwrap();
    assert_eq!(outcome, RegisterWorkerOutcome::Registered);
}

fn death(cx: &Cx, instance: &str, reason: &str) -> MarkWorkerDeadArgs {
    let instance = WorkerInstanceId::new(instance);
    MarkWorkerDeadArgs::new(instance, namespace(), reason.to_owned(), cx.now())
}

pub(crate) async fn mark_dead(cx: &Cx, instance: &str) {
    let outcome = cx.backend.mark_worker_dead(death(cx, instance, "gone")).await.unwrap();
    assert_eq!(outcome, MarkWorkerDeadOutcome::Marked);
}

fn beat(cx: &Cx, instance: &str) -> HeartbeatWorkerArgs {
    HeartbeatWorkerArgs::new(WorkerInstanceId::new(instance), namespace(), cx.now())
}

async fn workers(cx: &Cx) -> Vec<WorkerInfo> {
    cx.backend.list_workers(ListWorkersArgs::new()).await.unwrap().entries
}

/// The types of a process's events, in their order.
async fn events(cx: &Cx, instance: &str) -> Vec<String> {
    let instance = WorkerInstanceId::new(instance);
    let events = cx.probe().read_worker_events(&namespace(), &instance).await;
    events.into_iter().map(|event| event.event_type).collect()
}
