use std::sync::Arc;
use std::time::Duration;

use ff_core::state::AttemptOutcome::{Released, Success};
use ff_runtime::{HandlerError, Job, Submission};
use tokio::sync::Semaphore;

use crate::common::{Rig, in_time, plain, retries, start, teller, told};
use crate::spy::{Fault, transport};

async fn double(_: Job<()>, number: u32) -> Result<u32, HandlerError> {
    Ok(2 * number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_execution_completes_once_whatever_answers_are_lost() {
    let rig = Rig::new();
    let numbers = 0..500_u32;
    let batch = numbers.clone().map(|n| Submission::new("double", &n).unwrap()).collect();
    let submitted = rig.client.submit_batch(batch).await.unwrap();
    rig.spy.fail("complete_batch", 3, (Fault::After, transport));
    let workers: Vec<_> = (0..3)
        .map(|_| rig.worker().concurrency(8).claim_wait(Duration::from_millis(20)))
        .map(|builder| start(builder.handler("double", double).build().unwrap()))
        .collect();

    for (number, created) in numbers.zip(&submitted) {
        let id = created.execution_id();
        assert_eq!(in_time(rig.client.result::<u32>(id, None)).await.unwrap(), 2 * number);
        let last = rig.outcomes(id).await.pop();
        assert_eq!(last, Some(Some(Success)));
    }
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_ahead_and_waits_too_long_is_given_back() {
    let (tell, mut heard) = teller();
    let (rig, gate) = (Rig::new(), Arc::new(Semaphore::new(0)));
    let handler_gate = Arc::clone(&gate);
    let worker = rig.worker().concurrency(1).handler("double", double);
    let worker = worker.handler("slow", move |_: Job<()>, (): ()| {
        let (tell, gate) = (tell.clone(), Arc::clone(&handler_gate));
        async move {
            let _ = tell.send("started");
            gate.acquire().await?.forget();
            Ok::<_, HandlerError>(())
        }
    });
    // Many that take no time make the worker claim ahead; then it meets one that does not end.
    let mut batch = vec![Submission::new("double", &1_u32).unwrap().priority(1); 50];
    batch.push(plain("slow"));
    batch.extend(vec![Submission::new("double", &1_u32).unwrap().priority(-1); 5]);
    let submitted = rig.client.submit_batch(batch).await.unwrap();
    let worker = start(worker.build().unwrap());
    assert_eq!(told(&mut heard).await, "started");

    in_time(rig.spy.called("delay", 5)).await;
    gate.add_permits(1);

    for created in &submitted {
        in_time(rig.client.result::<Option<u32>>(created.execution_id(), None)).await.unwrap();
    }
    let last = submitted.last().unwrap().execution_id();
    assert_eq!(rig.outcomes(last).await, [Some(Released), Some(Success)]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_does_not_use_up_the_time_of_an_attempt() {
    const LIMIT: Duration = Duration::from_millis(100);
    async fn slow(_: Job<()>, (): ()) -> Result<(), HandlerError> {
        let work = std::future::pending::<()>();
        tokio::time::timeout(LIMIT * 3 / 5, work).await.unwrap_err();
        Ok(())
    }
    let rig = Rig::new();
    let worker = rig.worker().concurrency(1).handler("double", double).handler("slow", slow);
    // Many that take no time make the worker claim ahead; then it meets some that do.
    let mut batch = vec![Submission::new("double", &1_u32).unwrap().priority(1); 50];
    let slow = plain("slow").retry(retries(0)).attempt_timeout(LIMIT);
    batch.extend(vec![slow; 5]);
    let submitted = rig.client.submit_batch(batch).await.unwrap();
    let worker = start(worker.build().unwrap());

    let mut released = 0;
    for created in &submitted {
        let id = created.execution_id();
        in_time(rig.client.result::<Option<u32>>(id, None)).await.unwrap();
        released += usize::from(rig.outcomes(id).await.contains(&Some(Released)));
    }

    assert!(released > 0, "nothing was claimed ahead");
    worker.stop().await;
}
