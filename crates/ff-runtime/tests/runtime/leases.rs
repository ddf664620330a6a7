use ff_core::contracts::ReconcileTask;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::AttemptOutcome::{Interrupted, Success};
use ff_runtime::{HandlerError, Job};
use tokio::time::Instant;

use crate::common::{Alarm, Rig, TTL, in_time, plain, start, stopped, stuck_once, teller, told};
use crate::spy::{Fault, transport};

#[tokio::test(start_paused = true)]
async fn a_lost_lease_fires_the_token_and_drops_the_handler() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(rig.worker(), tell));
    let id = rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    rig.clock.advance(TTL);
    rig.spy.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();

    stopped(&mut heard).await;
    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "done");
    assert_eq!(rig.outcomes(&id).await, [Some(Interrupted), Some(Success)]);
    assert_eq!(rig.spy.calls("fail_batch"), 0);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_while_its_handler_runs() {
    let (tell, mut heard) = teller();
    let (release, gate) = tokio::sync::oneshot::channel::<()>();
    let gate = std::sync::Mutex::new(Some(gate));
    let rig = Rig::new();
    let worker = rig.worker().handler("long", move |_: Job<()>, (): ()| {
        let (tell, gate) = (tell.clone(), gate.lock().unwrap().take().unwrap());
        async move {
            let _ = tell.send("started");
            gate.await?;
            Ok::<_, HandlerError>("done")
        }
    });
    let worker = start(worker.build().unwrap());
    let id = rig.submit(plain("long")).await;
    assert_eq!(told(&mut heard).await, "started");

    for renewal in 1..=4 {
        rig.clock.advance(TTL / 2);
        in_time(rig.spy.called("renew_batch", renewal)).await;
    }
    release.send(()).unwrap();

    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "done");
    assert_eq!(rig.outcomes(&id).await, [Some(Success)]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_before_the_lease_is_lost() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(rig.worker(), tell));
    rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");
    rig.spy.fail("renew_batch", 3, (Fault::Before, transport));

    // Three that fail, one that works, and one a third of the lease's time after that.
    let from = Instant::now();
    in_time(rig.spy.called("renew_batch", 5)).await;

    assert!(from.elapsed() < TTL);
    assert!(heard.try_recv().is_err());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_is_lost_by_this_processs_own_clock() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(rig.worker(), tell));
    rig.spy.fail("renew_batch", usize::MAX, (Fault::Before, transport));
    let from = Instant::now();
    rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    stopped(&mut heard).await;

    assert!(from.elapsed() <= TTL);
    worker.stop().await;
    let ended = ["complete_batch", "fail_batch", "delay"].map(|op| rig.spy.calls(op));
    assert_eq!(ended, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_keep_the_handler() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(rig.worker(), tell));
    let _gate = rig.spy.hold_back("renew_batch");
    let from = Instant::now();
    rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    told(&mut heard).await;

    assert!(from.elapsed() <= TTL);
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn progress_under_a_lost_lease_stops_the_handler() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let clock = rig.clock.clone();
    let worker = rig.worker().handler("report", move |job: Job<()>, (): ()| {
        let (tell, clock) = (tell.clone(), clock.clone());
        async move {
            let _alarm = Alarm(tell, "dropped");
            clock.advance(TTL);
            let error = job.progress(1).await.unwrap_err();
            assert!(job.cancelled().is_cancelled(), "{error}");
            std::future::pending::<Result<(), HandlerError>>().await
        }
    });
    let worker = start(worker.build().unwrap());
    rig.submit(plain("report")).await;

    assert_eq!(told(&mut heard).await, "dropped");

    worker.stop().await;
    assert_eq!(rig.spy.calls("fail_batch"), 0);
}
