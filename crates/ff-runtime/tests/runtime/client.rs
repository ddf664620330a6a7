use std::time::Duration;

use ff_core::contracts::{CreateExecutionResult, ExecutionFilter};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace};
use ff_runtime::{ClientError, HandlerError, Job, Submission};

use crate::common::{Rig, in_time, plain, retries, start};
use crate::spy::{Fault, transport};

fn unknown() -> ExecutionId {
    ExecutionId::solo(&LaneId::new("default"), &PartitionConfig::default())
}

#[tokio::test]
async fn one_key_is_one_execution() {
    let rig = Rig::new();
    let first = rig.submit(plain("k").idempotency_key("once")).await;
    let second = rig.submit(plain("k").idempotency_key("once")).await;
    let other_lane = rig.submit(plain("k").idempotency_key("once").lane("other")).await;

    assert_eq!(first, second);
    assert_ne!(first, other_lane);
}

#[tokio::test]
async fn namespaces_have_keys_of_their_own() {
    let rig = Rig::new();
    let other = rig.client.clone().with_namespace(Namespace::new("other"));
    let first = rig.submit(plain("k").idempotency_key("once")).await;
    let second = other.submit(plain("k").idempotency_key("once")).await.unwrap();

    assert_ne!(first, second);
    let snapshot = rig.spy.describe_execution(&second).await.unwrap().unwrap();
    assert_eq!(snapshot.namespace.as_str(), "other");
}

#[tokio::test]
async fn a_member_is_added_to_its_flow() {
    let rig = Rig::new();
    let flow_id = rig.client.create_flow("import").await.unwrap();
    let one = rig.submit(plain("k").idempotency_key("once").flow(flow_id)).await;
    let again = rig.submit(plain("k").idempotency_key("once").flow(flow_id)).await;
    rig.client.submit_batch(vec![plain("a").flow(flow_id), plain("b")]).await.unwrap();

    assert_eq!(one, again);
    let flow = rig.store.describe_flow(&flow_id).await.unwrap().unwrap();
    assert_eq!((flow.flow_kind.as_str(), flow.graph_revision), ("import", 2));
    let member = rig.spy.describe_execution(&one).await.unwrap().unwrap();
    assert_eq!(member.flow_id, Some(flow_id));
}

#[tokio::test]
async fn what_its_flow_does_not_take_is_cancelled() {
    let rig = Rig::new();
    let unknown = FlowId::new();

    let refused = rig.client.submit(plain("k").flow(unknown)).await;

    assert!(refused.is_err(), "{refused:?}");
    let counts = rig.store.count_executions(&ExecutionFilter::default()).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].public_state, PublicState::Cancelled);
}

/// None of a batch is left to run outside the flow that it was submitted to.
#[tokio::test]
async fn whatever_of_a_batch_its_flow_does_not_take_is_cancelled() {
    let rig = Rig::new();
    let (taken, unknown) = (rig.client.create_flow("import").await.unwrap(), FlowId::new());
    let batch = vec![
        plain("a").flow(unknown).tag("n", "0"),
        plain("b").flow(unknown).tag("n", "1"),
        plain("c").flow(taken).tag("n", "2"),
    ];

    let refused = rig.client.submit_batch(batch).await;

    assert!(refused.is_err(), "{refused:?}");
    let counts = rig.store.count_executions(&ExecutionFilter::default()).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|it| (it.public_state, it.count)).collect();
    assert_eq!(counts, [(PublicState::Waiting, 1), (PublicState::Cancelled, 2)]);
    assert_eq!(rig.store.describe_flow(&taken).await.unwrap().unwrap().graph_revision, 1);
}

/// The try that stored it was answered by nobody; its own id says whose it is.
#[tokio::test(start_paused = true)]
async fn what_was_stored_unheard_is_cancelled_too_where_its_flow_does_not_take_it() {
    let rig = Rig::new();
    rig.spy.fail("create_execution", 1, (Fault::After, transport));

    let refused = rig.client.submit(plain("k").flow(FlowId::new())).await;

    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(rig.claim().await, None);
}

/// What was claimed and has finished meanwhile cannot be cancelled; the flow's refusal is what is told.
#[tokio::test(start_paused = true)]
async fn a_member_that_finished_before_its_flow_refused_it_hides_no_refusal() {
    let rig = Rig::new();
    let gate = rig.spy.hold_back("create_execution");
    let client = rig.client.clone();
    let submitted =
        tokio::spawn(async move { client.submit(plain("k").flow(FlowId::new())).await });
    let handle = loop {
        match rig.claim().await {
            Some(handle) => break handle,
            None => tokio::task::yield_now().await,
        }
    };
    rig.store.complete(&handle, None).await.unwrap();
    gate.add_permits(1);

    let refused = in_time(submitted).await.unwrap().unwrap_err();

    assert!(matches!(refused, ClientError::Engine(EngineError::NotFound { entity: "flow" })));
}

#[tokio::test]
async fn a_batch_is_answered_in_order() {
    let rig = Rig::new();
    let batch =
        vec![plain("a"), plain("b").idempotency_key("once"), plain("c").idempotency_key("once")];

    let results = rig.client.submit_batch(batch).await.unwrap();

    assert!(matches!(results[0], CreateExecutionResult::Created { .. }));
    assert_eq!(
        results[2],
        CreateExecutionResult::Duplicate { execution_id: results[1].execution_id().clone() }
    );
}

#[tokio::test(start_paused = true)]
async fn a_submission_whose_answer_is_lost_is_stored_once() {
    let rig = Rig::new();
    rig.spy.fail("create_execution", 2, (Fault::After, transport));

    let id = rig.submit(plain("k")).await;

    assert_eq!(rig.claim().await.unwrap().execution_id(), &id);
    assert_eq!(rig.claim().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_submission_outlives_a_store_that_does_not_tell_its_time_for_a_moment() {
    let rig = Rig::new();
    rig.spy.fail("now", 3, (Fault::Before, transport));

    let id = rig.submit(plain("k")).await;

    assert_eq!(rig.claim().await.unwrap().execution_id(), &id);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_the_callers_error() {
    let rig = Rig::new();
    rig.spy.fail("create_execution", usize::MAX, (Fault::Before, transport));

    let error = rig.client.submit(plain("k")).await.unwrap_err();

    assert!(matches!(error, ClientError::Engine(error) if error.is_retryable()));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_its_limit() {
    let rig = Rig::new();
    let id = rig.submit(plain("k")).await;
    for limit in [Duration::ZERO, Duration::from_secs(7)] {
        let error = rig.client.wait(&id, Some(limit)).await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout { waited, .. } if waited == limit));
    }
}

#[tokio::test]
async fn an_unknown_id_is_said_at_once() {
    let rig = Rig::new();
    let error = rig.client.wait(&unknown(), None).await.unwrap_err();
    assert!(matches!(error, ClientError::UnknownExecution { .. }));
}

#[tokio::test(start_paused = true)]
async fn each_way_of_not_completing_has_its_error() {
    async fn end(job: Job<()>, way: String) -> Result<u8, HandlerError> {
        match way.as_str() {
            "fail" => Err(HandlerError::permanent(format!("{} will not do", job.kind()))),
            "cancel" => Err(HandlerError::cancelled("not wanted")),
            _ => Ok(7),
        }
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("end", end).build().unwrap());
    let run = async |way: &str| rig.submit(Submission::new("end", &way).unwrap()).await;

    let failed = rig.client.result::<u8>(&run("fail").await, None).await.unwrap_err();
    let cancelled = rig.client.result::<u8>(&run("cancel").await, None).await.unwrap_err();
    let unreadable = rig.client.result::<String>(&run("").await, None).await.unwrap_err();

    assert!(matches!(failed, ClientError::Failed { message, .. } if message == "end will not do"));
    assert!(matches!(cancelled, ClientError::Cancelled { .. }));
    assert!(matches!(unreadable, ClientError::Decode { .. }));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_outlives_a_store_that_is_away_for_a_moment() {
    async fn nothing(_: Job<()>, (): ()) -> Result<(), HandlerError> {
        Ok(())
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("k", nothing).build().unwrap());
    let id = rig.submit(plain("k").retry(retries(0))).await;
    rig.spy.fail("read_outcomes", 3, (Fault::Before, transport));

    let outcome = in_time(rig.client.wait(&id, None)).await.unwrap();

    assert_eq!(outcome.public_state, PublicState::Completed);
    worker.stop().await;
}
