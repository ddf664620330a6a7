use std::time::Duration;

use ff_core::contracts::ReconcileTask;
use ff_core::state::AttemptOutcome::{Interrupted, Success};
use ff_runtime::{HandlerError, Job, Supervisor, Worker};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::common::{Rig, TTL, in_time, plain, start};
use crate::spy::{Fault, transport, unavailable};

async fn nothing(_: Job<()>, (): ()) -> Result<(), HandlerError> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_over_from_one_that_died() {
    let rig = Rig::new();
    let id = rig.submit(plain("k")).await;
    rig.claim().await.unwrap();
    rig.clock.advance(TTL);
    let worker = start(Worker::builder(rig.spy.clone()).handler("k", nothing).build().unwrap());

    in_time(rig.client.result::<()>(&id, None)).await.unwrap();

    assert_eq!(rig.outcomes(&id).await, [Some(Interrupted), Some(Success)]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_runs_every_task() {
    let rig = Rig::new();
    let worker = Worker::builder(rig.spy.clone()).handler("k", nothing).build().unwrap();
    let worker = start(worker);
    for task in ReconcileTask::ALL {
        in_time(rig.spy.called(task.as_str(), 2)).await;
    }
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_round_is_followed_by_another_at_once() {
    let rig = Rig::new();
    let submitted = rig.client.submit_batch(vec![plain("k"); 10]).await.unwrap();
    while rig.claim().await.is_some() {}
    rig.clock.advance(TTL);
    let stop = CancellationToken::new();
    let supervisor = Supervisor::new(rig.spy.clone()).limit(2).interval(Duration::from_secs(60));
    let supervisor = tokio::spawn(supervisor.run_until(stop.clone().cancelled_owned()));

    let op = ReconcileTask::ExpireLeases.as_str();
    in_time(rig.spy.called(op, 1)).await;
    let from = Instant::now();
    in_time(rig.spy.called(op, 6)).await;

    assert!(from.elapsed() < Duration::from_secs(1));
    for created in submitted {
        assert_eq!(rig.outcomes(created.execution_id()).await, [Some(Interrupted)]);
    }
    stop.cancel();
    in_time(supervisor).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_backend_lacks_is_left_out_and_one_that_fails_is_not() {
    let rig = Rig::new();
    let (lacking, failing) =
        (ReconcileTask::SweepWorkers.as_str(), ReconcileTask::PromoteDue.as_str());
    rig.spy.fail(lacking, usize::MAX, (Fault::Before, unavailable));
    rig.spy.fail(failing, 3, (Fault::Before, transport));
    let stop = CancellationToken::new();
    let supervisor = Supervisor::new(rig.spy.clone());
    let supervisor = tokio::spawn(supervisor.run_until(stop.clone().cancelled_owned()));

    in_time(rig.spy.called(ReconcileTask::ExpireLeases.as_str(), 100)).await;
    in_time(rig.spy.called(failing, 5)).await;

    assert_eq!(rig.spy.calls(lacking), 1);
    stop.cancel();
    in_time(supervisor).await.unwrap();
}
