use std::time::Duration;

use ff_core::contracts::{ListWorkersArgs, RegisterWorkerArgs, WorkerInfo};
use ff_core::types::{LaneId, Namespace, WorkerId, WorkerInstanceId};
use ff_runtime::{HandlerError, Job, WorkerBuilder};

use crate::common::{Rig, Running, in_time, plain, start};
use crate::spy::{Fault, transport, unavailable};

/// Longer than a process counts as alive without a sign of life.
const LONG: Duration = Duration::from_secs(3_600);

async fn nothing(_: Job<()>, (): ()) -> Result<(), HandlerError> {
    Ok(())
}

fn run(builder: WorkerBuilder<()>) -> Running {
    start(builder.handler("k", nothing).build().unwrap())
}

async fn workers(rig: &Rig) -> Vec<WorkerInfo> {
    rig.store.list_workers(ListWorkersArgs::new()).await.unwrap().entries
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_on_the_registry_while_it_runs() {
    let rig = Rig::new();
    let builder = rig.worker().worker_id("mailer").namespace("post").lane("mail").lane("parcels");
    let worker = run(builder.capability("ink"));
    in_time(rig.spy.called("heartbeat_worker", 2)).await;

    let [registered] = &workers(&rig).await[..] else { panic!("it should be there, once") };
    assert_eq!(registered.worker_id.as_str(), "mailer");
    assert!(registered.worker_instance_id.as_str().starts_with("mailer/"));
    assert_eq!(registered.namespace.as_str(), "post");
    let lanes: Vec<_> = registered.lanes.iter().map(LaneId::as_str).collect();
    assert_eq!(lanes, ["mail", "parcels"]);
    assert_eq!(Vec::from_iter(&registered.capabilities), ["ink"]);
    assert_eq!((rig.spy.calls("register_worker"), rig.spy.calls("mark_worker_dead")), (1, 0));

    worker.stop().await;

    assert_eq!(workers(&rig).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_time_has_lapsed_registers_again() {
    let rig = Rig::new();
    let worker = run(rig.worker());
    in_time(rig.spy.called("heartbeat_worker", 1)).await;

    rig.clock.advance(LONG);
    in_time(rig.spy.called("register_worker", 2)).await;

    let heartbeats = rig.spy.calls("heartbeat_worker");
    in_time(rig.spy.called("heartbeat_worker", heartbeats + 2)).await;
    assert_eq!(rig.spy.calls("register_worker"), 2);
    assert_eq!(workers(&rig).await.len(), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_could_not_register_tries_again_and_works_meanwhile() {
    let rig = Rig::new();
    rig.spy.fail("register_worker", 3, (Fault::Before, transport));
    let worker = run(rig.worker());
    let id = rig.submit(plain("k")).await;

    in_time(rig.client.result::<()>(&id, None)).await.unwrap();
    in_time(rig.spy.called("heartbeat_worker", 1)).await;

    assert_eq!(rig.spy.calls("register_worker"), 4);
    assert_eq!(workers(&rig).await.len(), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_signs_off_even_where_the_answer_to_its_registration_was_lost() {
    let rig = Rig::new();
    rig.spy.fail("register_worker", usize::MAX, (Fault::After, transport));
    let worker = run(rig.worker());
    in_time(rig.spy.called("register_worker", 2)).await;

    worker.stop().await;

    assert_eq!(workers(&rig).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_backend_without_a_registry_is_asked_once() {
    let rig = Rig::new();
    rig.spy.fail("register_worker", usize::MAX, (Fault::Before, unavailable));
    let worker = run(rig.worker());
    in_time(rig.spy.called("claim_batch", 100)).await;

    // At the start, and at the first round, which ends the rounds.
    assert_eq!(rig.spy.calls("register_worker"), 2);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_those_off_the_registry_that_are_gone() {
    let rig = Rig::new();
    let gone = RegisterWorkerArgs::new(
        WorkerId::new("other"),
        WorkerInstanceId::new("other/1"),
        [LaneId::new("default")].into(),
        [].into(),
        60_000,
        Namespace::new("default"),
        rig.store.now().await.unwrap(),
    );
    rig.store.register_worker(gone).await.unwrap();
    rig.clock.advance(LONG);

    let worker = run(rig.worker().supervise(true));
    in_time(rig.spy.called("sweep_workers", 2)).await;

    let left = workers(&rig).await;
    assert!(left.iter().all(|worker| worker.worker_id.as_str() != "other"), "{left:?}");
    assert_eq!(left.len(), 1);
    worker.stop().await;
}
