use std::sync::Arc;
use std::time::Duration;

use ff_conformance::fault::{FaultBackend, FaultPlan};
use ff_core::contracts::{EventStream, ExecutionFilter, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::AttemptOutcome::Success;
use ff_core::state::PublicState;
use ff_core::types::ExecutionId;
use ff_runtime::{Client, HandlerError, Job, Submission, Worker, WorkerError};

use crate::common::{Rig, TTL, in_time, plain, retries, start, teller, told};
use crate::spy::{Core, Fault, refused, transport};

async fn echo(_: Job<()>, text: String) -> Result<String, HandlerError> {
    Ok(text)
}

fn text(text: &str) -> Submission {
    Submission::new("echo", &text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn claims_that_fail_are_tried_again() {
    let rig = Rig::new();
    rig.spy.fail("claim_batch", 12, (Fault::Before, transport));
    let worker = start(rig.worker().handler("echo", echo).build().unwrap());
    let id = rig.submit(text("hello")).await;

    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "hello");
    assert!(rig.spy.calls("claim_batch") > 12);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ending_is_repeated_until_it_is_answered() {
    for fault in [Fault::Before, Fault::After] {
        let rig = Rig::new();
        rig.spy.fail("complete_batch", 5, (fault, transport));
        let worker = start(rig.worker().handler("echo", echo).build().unwrap());
        let id = rig.submit(text("hello")).await;

        let result = in_time(rig.client.result::<String>(&id, None)).await.unwrap();
        worker.stop().await;

        assert_eq!(result, "hello", "{fault:?}");
        assert!(fault == Fault::After || rig.spy.calls("complete_batch") > 5);
        assert_eq!(rig.outcomes(&id).await, [Some(Success)], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_hang_are_given_up_and_repeated() {
    let rig = Rig::new();
    let gates = ["claim_batch", "complete_batch"].map(|op| rig.spy.hold_back(op));
    let id = rig.submit(text("hello")).await;
    let worker = start(rig.worker().handler("echo", echo).build().unwrap());

    // The answer of the first claim is lost, and its lease with it.
    in_time(rig.spy.called("claim_batch", 2)).await;
    rig.clock.advance(TTL);
    rig.spy.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();
    gates[0].add_permits(100);
    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "hello");

    // The finisher is not held up by the answer that it does not get.
    let next = rig.submit(text("next")).await;
    assert_eq!(in_time(rig.client.result::<String>(&next, None)).await.unwrap(), "next");
    gates[1].add_permits(100);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ending_waits_for_no_other() {
    let rig = Rig::new();
    rig.spy.fail("fail_batch", usize::MAX, (Fault::Before, transport));
    let worker = start(rig.worker().handler("echo", echo).build().unwrap());
    let stuck = rig.submit(Submission::new("echo", &1).unwrap()).await;
    in_time(rig.spy.called("fail_batch", 2)).await;

    let id = rig.submit(text("hello")).await;

    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "hello");
    let outcome = &rig.spy.read_outcomes(&[stuck]).await.unwrap()[0];
    assert_eq!(outcome.as_ref().unwrap().public_state, PublicState::Running);
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn an_ending_is_given_up_with_its_lease() {
    let rig = Rig::new();
    rig.spy.fail("complete_batch", usize::MAX, (Fault::Before, transport));
    rig.spy.fail("renew_batch", usize::MAX, (Fault::Before, transport));
    let worker = start(rig.worker().handler("echo", echo).build().unwrap());
    let id = rig.submit(text("hello")).await;
    in_time(rig.spy.called("complete_batch", 3)).await;

    let from = tokio::time::Instant::now();
    worker.stop().await;

    assert!(from.elapsed() <= TTL);
    assert_eq!(rig.outcomes(&id).await, [None]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_refused_does_not_hold_up_the_batch() {
    let rig = Rig::new();
    rig.spy.fail("complete_batch", usize::MAX, (Fault::Before, refused));
    rig.spy.fail("complete", 1, (Fault::Before, refused));
    let submitted = rig.client.submit_batch(vec![text("a"), text("b")]).await.unwrap();
    let worker = start(rig.worker().handler("echo", echo).build().unwrap());

    let mut states = Vec::new();
    for created in submitted {
        let outcome = in_time(rig.client.wait(created.execution_id(), None)).await.unwrap();
        states.push(outcome.public_state);
    }

    states.sort_unstable();
    assert_eq!(states, [PublicState::Completed, PublicState::Failed]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_refused_ends_the_worker_after_it_has_drained() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let (release, gate) = tokio::sync::oneshot::channel::<()>();
    let gate = std::sync::Mutex::new(Some(gate));
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

    let calls = rig.spy.calls("claim_batch");
    rig.spy.fail("claim_batch", usize::MAX, (Fault::Before, refused));
    in_time(rig.spy.called("claim_batch", calls + 1)).await;
    release.send(()).unwrap();

    assert!(matches!(worker.ended().await, Err(WorkerError::Claim(_))));
    assert_eq!(rig.client.result::<String>(&id, None).await.unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_backend_with_nothing_but_the_core_is_enough() {
    let rig = Rig::new();
    let core: Arc<dyn EngineBackend> = Arc::new(Core(rig.spy.clone()));
    let worker = Worker::builder(core.clone()).handler("echo", echo).build().unwrap();
    let worker = start(worker);
    let id = Client::new(core).submit(text("hello")).await.unwrap();

    assert_eq!(in_time(rig.client.result::<String>(&id, None)).await.unwrap(), "hello");
    worker.stop().await;
}

/// Executions that one seed's worker has to end.
const SEEDED: u64 = 12;

#[tokio::test(start_paused = true)]
async fn whichever_calls_fail_every_execution_ends_once() {
    for seed in 0..20 {
        let rig = Rig::new();
        let plan = FaultPlan::Seeded { seed, one_in: 3, delay: Duration::from_secs(20) };
        let faulty = FaultBackend::over(rig.store.clone(), rig.clock.clone(), plan);
        let client = Client::new(faulty.clone());
        let workers: Vec<_> = (0..2).map(|_| start(seeded_worker(faulty.clone()))).collect();
        for number in 0..SEEDED {
            let submission = Submission::new("odd", &number).unwrap();
            let submission = submission.idempotency_key(number.to_string()).retry(retries(5));
            while client.submit(submission.clone()).await.is_err() {}
        }

        let ids = in_time(all_ended(&rig)).await;
        for worker in workers {
            worker.stop().await;
        }

        assert_eq!(ids.len() as u64, SEEDED, "seed {seed}");
        for id in &ids {
            let events = rig.store.list_execution_events(id).await.unwrap();
            let ends = events.iter().filter(|event| event.stream == EventStream::Completion);
            assert_eq!(ends.count(), 1, "seed {seed}: {events:?}");
        }
        let faults = faulty.calls().iter().filter(|call| call.fault.is_some()).count();
        assert!(faults > 10, "seed {seed}: {faults}");
    }
}

/// Fails the first attempt at an odd number.
fn seeded_worker(backend: Arc<dyn EngineBackend>) -> Worker {
    let handler = async |job: Job<()>, number: u64| match (number % 2, job.attempt()) {
        (1, 1) => Err(HandlerError::transient("odd")),
        _ => Ok(number),
    };
    Worker::builder(backend).lease_ttl(TTL).handler("odd", handler).build().unwrap()
}

/// Lets time pass in the store as it does here, until every execution has ended.
async fn all_ended(rig: &Rig) -> Vec<ExecutionId> {
    const TICK: Duration = Duration::from_millis(500);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        rig.clock.advance(TICK);
        let page = rig.store.list_executions(&ExecutionFilter::default(), None, 100).await.unwrap();
        if page.executions.len() as u64 == SEEDED
            && page.executions.iter().all(|execution| execution.public_state.is_finished())
        {
            return page.executions.into_iter().map(|one| one.execution_id).collect();
        }
    }
}
