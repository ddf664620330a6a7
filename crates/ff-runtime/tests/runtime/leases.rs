use std::time::Duration;

use ff_core::contracts::ReconcileTask;
use ff_core::engine_backend::EngineBackend;
use ff_core::state::AttemptOutcome::{Interrupted, Success};
use ff_core::types::FlowId;
use ff_runtime::{HandlerError, Job, Worker};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::common::{Alarm, Rig, TTL, in_time, plain, start, teller, told};
use crate::spy::{Fault, transport};

/// A worker whose first attempts never end and tell what happens to them.
fn stuck_once(rig: &Rig, tell: UnboundedSender<&'static str>) -> Worker {
    let handler = move |job: Job<()>, (): ()| {
        let tell = tell.clone();
        async move {
            if job.attempt() > 1 {
                return Ok::<_, HandlerError>("done");
            }
            let _ = tell.send("started");
            let token = job.cancelled().clone();
            let alarm = Alarm(tell.clone(), "dropped");
            tokio::spawn(async move {
                token.cancelled().await;
                let _ = tell.send("token");
            });
            std::future::pending::<()>().await;
            drop(alarm);
            Ok("never")
        }
    };
    rig.worker().handler("stuck", handler).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_fires_the_token_and_drops_the_handler() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(&rig, tell));
    let id = rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    rig.clock.advance(TTL);
    rig.spy.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();

    let mut events = [told(&mut heard).await, told(&mut heard).await];
    events.sort_unstable();
    assert_eq!(events, ["dropped", "token"]);
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
    let worker = start(stuck_once(&rig, tell));
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
    let worker = start(stuck_once(&rig, tell));
    rig.spy.fail("renew_batch", usize::MAX, (Fault::Before, transport));
    let from = Instant::now();
    rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    let mut events = [told(&mut heard).await, told(&mut heard).await];
    events.sort_unstable();

    assert_eq!(events, ["dropped", "token"]);
    assert!(from.elapsed() <= TTL);
    worker.stop().await;
    let ended = ["complete_batch", "fail_batch", "delay"].map(|op| rig.spy.calls(op));
    assert_eq!(ended, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_keep_the_handler() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(&rig, tell));
    let _gate = rig.spy.hold_back("renew_batch");
    let from = Instant::now();
    rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    told(&mut heard).await;

    assert!(from.elapsed() <= TTL);
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_member_stops_within_a_second_and_its_flow_hears_of_it() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = start(stuck_once(&rig, tell));
    let id = rig.submit(plain("stuck")).await;
    assert_eq!(told(&mut heard).await, "started");

    let (flow_id, from) = (FlowId::new(), Instant::now());
    rig.spy.cancel_everything(flow_id);
    let mut events = [told(&mut heard).await, told(&mut heard).await];
    events.sort_unstable();

    assert_eq!(events, ["dropped", "token"]);
    assert!(from.elapsed() <= Duration::from_secs(1));
    in_time(rig.spy.called("ack_cancel_member", 1)).await;
    assert_eq!(rig.spy.acknowledged(), [(flow_id, id)]);
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
