use std::sync::Arc;
use std::time::Duration;

use ff_core::state::AttemptOutcome::{Released, Success};
use ff_core::types::AttemptIndex;
use ff_runtime::{HandlerError, Job, Worker, WorkerBuilder};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::common::{Alarm, Rig, TTL, in_time, plain, start, teller, told};

const GRACE: Duration = Duration::from_secs(20);

/// A handler that ends when it is given a permit, and tells when it starts and when it is gone.
fn gated(
    builder: WorkerBuilder<()>,
    gate: &Arc<Semaphore>,
    tell: &UnboundedSender<&'static str>,
) -> Worker {
    let (gate, tell) = (Arc::clone(gate), tell.clone());
    let handler = move |_: Job<()>, (): ()| {
        let (gate, tell) = (Arc::clone(&gate), tell.clone());
        async move {
            let _ = tell.send("started");
            let _alarm = Alarm(tell, "gone");
            gate.acquire().await?.forget();
            Ok::<_, HandlerError>("done")
        }
    };
    builder.grace(GRACE).handler("gated", handler).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish_and_nothing_else_starts() {
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let worker = start(gated(rig.worker(), &gate, &tell));
    let first = rig.submit(plain("gated")).await;
    assert_eq!(told(&mut heard).await, "started");

    worker.begin_to_stop();
    gate.add_permits(2);
    worker.ended().await.unwrap();

    assert_eq!(rig.outcomes(&first).await, [Some(Success)]);
    let second = rig.submit(plain("gated")).await;
    assert_eq!(rig.claim().await.unwrap().execution_id(), &second);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_in_time_is_given_back() {
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let worker = start(gated(rig.worker(), &gate, &tell));
    let id = rig.submit(plain("gated")).await;
    assert_eq!(told(&mut heard).await, "started");

    let from = Instant::now();
    worker.stop().await;

    assert!(from.elapsed() >= GRACE);
    assert_eq!(told(&mut heard).await, "gone");
    assert_eq!(rig.outcomes(&id).await, [Some(Released)]);
    let handle = rig.claim().await.unwrap();
    assert_eq!((handle.execution_id(), handle.attempt_index()), (&id, AttemptIndex::new(1)));
}

#[tokio::test(start_paused = true)]
async fn what_a_claim_takes_while_the_worker_stops_is_given_back() {
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let answers = rig.spy.hold_back("claim_batch");
    let id = rig.submit(plain("gated")).await;
    let worker = start(gated(rig.worker(), &gate, &tell));
    in_time(rig.spy.called("claim_batch", 1)).await;

    worker.begin_to_stop();
    tokio::task::yield_now().await;
    answers.add_permits(1);
    worker.ended().await.unwrap();

    assert_eq!(rig.outcomes(&id).await, [Some(Released)]);
    assert!(heard.try_recv().is_err());
    assert_eq!(rig.claim().await.unwrap().execution_id(), &id);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_worker_drops_its_handlers() {
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let worker = start(gated(rig.worker(), &gate, &tell));
    rig.submit(plain("gated")).await;
    assert_eq!(told(&mut heard).await, "started");

    worker.abort();

    assert_eq!(told(&mut heard).await, "gone");
}

/// A signal reaches every worker of the process.
#[cfg(unix)]
static SIGNALS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[cfg(unix)]
fn signal(name: &str) {
    let pid = std::process::id().to_string();
    let status = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_to_end_drains() {
    let _alone = SIGNALS.lock().await;
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let worker = gated(rig.worker().claim_wait(Duration::from_millis(1)), &gate, &tell);
    let worker = tokio::spawn(worker.run());
    let id = rig.submit(plain("gated")).await;
    assert_eq!(told(&mut heard).await, "started");

    signal("-TERM");
    gate.add_permits(1);

    in_time(worker).await.unwrap().unwrap();
    assert_eq!(rig.outcomes(&id).await, [Some(Success)]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_waits_neither_for_the_last_claim_nor_for_the_handlers() {
    let _alone = SIGNALS.lock().await;
    let (rig, gate, (tell, mut heard)) = (Rig::new(), Arc::new(Semaphore::new(0)), teller());
    let id = rig.submit(plain("gated")).await;
    let worker = gated(rig.worker().claim_wait(TTL / 4), &gate, &tell);
    let worker = tokio::spawn(worker.run());
    assert_eq!(told(&mut heard).await, "started");
    // The next claim is never answered, and the handler never ends.
    let _claims = rig.spy.hold_back("claim_batch");
    in_time(rig.spy.called("claim_batch", 2)).await;

    signal("-TERM");
    signal("-INT");

    // Shorter than what either takes by itself, and reached only when this fails.
    let ended = tokio::time::timeout(GRACE / 2, worker).await;
    ended.expect("the second signal should be heard").unwrap().unwrap();
    assert_eq!(told(&mut heard).await, "gone");
    assert_eq!(rig.outcomes(&id).await, [Some(Released)]);
}
