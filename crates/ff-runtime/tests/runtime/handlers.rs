use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ff_core::backend::FailureClass;
use ff_core::state::AttemptOutcome;
use ff_runtime::{ClientError, HandlerError, Job, Submission};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

use crate::common::{Alarm, Rig, in_time, plain, retries, start, teller, told};

#[derive(Serialize, Deserialize)]
struct Sum {
    left: i64,
    right: i64,
}

async fn add(_: Job<()>, sum: Sum) -> Result<i64, HandlerError> {
    Ok(sum.left + sum.right)
}

#[tokio::test(start_paused = true)]
async fn a_typed_handler_answers_its_submitter() {
    let rig = Rig::new();
    let worker = start(rig.worker().handler("add", add).build().unwrap());
    let id = rig.submit(Submission::new("add", &Sum { left: 40, right: 2 }).unwrap()).await;

    let sum: i64 = in_time(rig.client.result(&id, None)).await.unwrap();

    assert_eq!(sum, 42);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_share_the_state_that_was_given_before_them() {
    async fn count(job: Job<AtomicUsize>, by: usize) -> Result<usize, HandlerError> {
        Ok(job.state().fetch_add(by, Ordering::SeqCst) + by)
    }
    async fn name(job: Job<String>, (): ()) -> Result<String, HandlerError> {
        Ok(job.state().to_string())
    }
    let rig = Rig::new();
    let builder = rig.worker().state(AtomicUsize::new(10)).handler("one", count);
    let builder = builder.handler("two", count).state("Ada".to_owned()).handler("name", name);
    let worker = start(builder.build().unwrap());

    let one = rig.submit(Submission::new("one", &1).unwrap()).await;
    rig.client.wait(&one, None).await.unwrap();
    let two = rig.submit(Submission::new("two", &2).unwrap()).await;
    let name = rig.submit(plain("name")).await;

    assert_eq!(rig.client.result::<usize>(&two, None).await.unwrap(), 13);
    assert_eq!(rig.client.result::<String>(&name, None).await.unwrap(), "Ada");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_knows_its_execution() {
    async fn facts(job: Job<()>, (): ()) -> Result<Vec<String>, HandlerError> {
        let id = job.execution_id().to_string();
        let tag = job.tags()["colour"].clone();
        let (lane, namespace) = (job.lane().to_string(), job.namespace().to_string());
        Ok(vec![id, job.kind().to_owned(), job.attempt().to_string(), lane, namespace, tag])
    }
    let rig = Rig::new();
    let worker = rig.worker().lane("slow").lane("fast").capability("gpu").handler("facts", facts);
    let worker = start(worker.build().unwrap());
    let submission = plain("facts").lane("fast").tag("colour", "red").requires("gpu");
    let id = rig.submit(submission).await;

    let facts: Vec<String> = in_time(rig.client.result(&id, None)).await.unwrap();

    assert_eq!(facts, [id.as_str(), "facts", "1", "fast", "default", "red"]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_stored_with_the_attempt() {
    async fn report(job: Job<()>, (): ()) -> Result<(), HandlerError> {
        job.progress(0.5).await?;
        Ok(())
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("report", report).build().unwrap());
    let id = rig.submit(plain("report")).await;

    in_time(rig.client.result::<()>(&id, None)).await.unwrap();

    assert_eq!(rig.attempts(&id).await[0].progress, Some(0.5.into()));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_attempt_and_another_follows() {
    async fn clumsy(job: Job<()>, (): ()) -> Result<u32, HandlerError> {
        assert!(job.attempt() > 1, "dropped it");
        Ok(job.attempt())
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("clumsy", clumsy).build().unwrap());
    let id = rig.submit(plain("clumsy").retry(retries(1))).await;

    assert_eq!(in_time(rig.client.result::<u32>(&id, None)).await.unwrap(), 2);

    let attempts = rig.attempts(&id).await;
    let error = attempts[0].error.as_ref().unwrap();
    assert_eq!(error.message, "the handler panicked: dropped it");
    assert_eq!(error.class, FailureClass::Transient);
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Retry));
    assert_eq!(attempts[1].outcome, Some(AttemptOutcome::Success));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_errors_that_may_go_away_are_tried_again() {
    async fn fail(_: Job<()>, permanent: bool) -> Result<(), HandlerError> {
        if permanent {
            return Err(HandlerError::permanent("never"));
        }
        Err(std::io::Error::other("not now"))?
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("fail", fail).build().unwrap());
    let run = async |permanent: bool| {
        let submission = Submission::new("fail", &permanent).unwrap().retry(retries(2));
        let id = rig.submit(submission).await;
        let error = in_time(rig.client.result::<()>(&id, None)).await.unwrap_err();
        let ClientError::Failed { message, .. } = error else { panic!("{error}") };
        (message, rig.attempts(&id).await.len())
    };

    assert_eq!(run(true).await, ("never".to_owned(), 1));
    assert_eq!(run(false).await, ("not now".to_owned(), 3));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_its_handler_cannot_read_fails_for_good_and_says_why() {
    let rig = Rig::new();
    let worker = start(rig.worker().handler("add", add).build().unwrap());
    let id = rig.submit(Submission::new("add", &"two").unwrap()).await;

    let error = in_time(rig.client.result::<i64>(&id, None)).await.unwrap_err();

    let ClientError::Failed { message, .. } = error else { panic!("{error}") };
    assert!(message.contains("invalid type: string"), "{message}");
    assert_eq!(rig.attempts(&id).await.len(), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_without_a_handler_is_left_to_a_worker_that_has_one() {
    async fn subtract(_: Job<()>, sum: Sum) -> Result<i64, HandlerError> {
        Ok(sum.left - sum.right)
    }
    let rig = Rig::new();
    let old = start(rig.worker().handler("add", add).build().unwrap());
    let id = rig.submit(Submission::new("subtract", &Sum { left: 40, right: 2 }).unwrap()).await;
    in_time(rig.spy.called("delay", 1)).await;
    old.stop().await;
    assert_eq!(rig.outcomes(&id).await, [Some(AttemptOutcome::Released)]);
    assert_eq!(rig.claim().await, None);

    rig.clock.advance(Duration::from_secs(1));
    let new = start(rig.worker().handler("subtract", subtract).build().unwrap());

    assert_eq!(in_time(rig.client.result::<i64>(&id, None)).await.unwrap(), 38);
    new.stop().await;
}

#[tokio::test(start_paused = true)]
async fn as_many_handlers_run_as_there_are_slots_and_no_more() {
    struct Gauge {
        running: AtomicUsize,
        most: AtomicUsize,
        meeting: Barrier,
    }
    async fn meet(job: Job<Arc<Gauge>>, (): ()) -> Result<(), HandlerError> {
        let gauge = job.state();
        let running = gauge.running.fetch_add(1, Ordering::SeqCst) + 1;
        gauge.most.fetch_max(running, Ordering::SeqCst);
        gauge.meeting.wait().await;
        gauge.running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
    let rig = Rig::new();
    // Three handlers must run together for any of them to end.
    let gauge = Gauge { running: 0.into(), most: 0.into(), meeting: Barrier::new(3) };
    let gauge = Arc::new(gauge);
    let submitted = rig.client.submit_batch(vec![plain("meet"); 300]).await.unwrap();
    let worker = rig.worker().concurrency(3).state(gauge.clone()).handler("meet", meet);
    let worker = start(worker.build().unwrap());

    for created in &submitted {
        in_time(rig.client.result::<()>(created.execution_id(), None)).await.unwrap();
    }

    assert_eq!(gauge.most.load(Ordering::SeqCst), 3);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_and_fails() {
    let (tell, mut heard) = teller();
    let rig = Rig::new();
    let worker = rig.worker().handler("stuck", move |job: Job<()>, (): ()| {
        let tell = tell.clone();
        async move {
            let _alarm = Alarm(tell.clone(), "dropped");
            let token = job.cancelled().clone();
            tokio::spawn(async move {
                token.cancelled().await;
                let _ = tell.send("token");
            });
            std::future::pending::<Result<(), HandlerError>>().await
        }
    });
    let worker = start(worker.build().unwrap());
    let submission = plain("stuck").retry(retries(0)).attempt_timeout(Duration::from_secs(5));
    let id = rig.submit(submission).await;

    let error = in_time(rig.client.result::<()>(&id, None)).await.unwrap_err();

    let ClientError::Failed { message, .. } = error else { panic!("{error}") };
    assert_eq!(message, "the attempt ran longer than 5s");
    let mut events = [told(&mut heard).await, told(&mut heard).await];
    events.sort_unstable();
    assert_eq!(events, ["dropped", "token"]);
    let error = rig.attempts(&id).await[0].error.clone().unwrap();
    assert_eq!(error.class, FailureClass::Timeout);
    worker.stop().await;
}
