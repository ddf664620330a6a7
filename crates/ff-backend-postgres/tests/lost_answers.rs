//! SAFE-3 on a real connection: it is cut before a statement arrives, or between the statement's end and
//! its answer. What may be repeated is, by the backend itself, and its caller gets the first answer.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::cuttable::{COMMIT, Cuttable, RUN, cuttable};
use common::proxy::{At, Cut};
use common::{args, claim, keyed, lane, policy};
use ff_core::backend::{CapabilitySet, FailOutcome, FailureClass, FailureReason, Handle};
use ff_core::clock::Clock;
use ff_core::contracts::{
    Completion, CreateExecutionArgs, CreateExecutionResult, EventStream, ReconcileTask,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::execution::Execution;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};

const SETTLE: [Cut; 2] = [Cut::Before(At::Settle), Cut::After(At::Settle)];

impl Cuttable {
    async fn given_claimed(&self) -> Handle {
        self.opened.create().await;
        claim(&self.backend).await.unwrap()
    }

    async fn execution(&self, id: &ExecutionId) -> Execution {
        self.opened.backend.describe_execution(id).await.unwrap().unwrap()
    }

    async fn events(&self, id: &ExecutionId, stream: EventStream) -> Vec<String> {
        let events = self.opened.backend.list_execution_events(id).await.unwrap();
        let events = events.into_iter().filter(|event| event.stream == stream);
        events.map(|event| event.name).collect()
    }
}

fn is_created(result: &CreateExecutionResult, id: &ExecutionId) -> bool {
    matches!(result, CreateExecutionResult::Created { execution_id, .. } if execution_id == id)
}

fn reason() -> FailureReason {
    FailureReason::new("out of memory")
}

#[tokio::test]
async fn a_creation_says_that_it_created() {
    for cut in RUN {
        let store = cuttable().await;
        for args in [args(), keyed("key")] {
            let created = store.cut(cut, store.backend.create_execution(args.clone())).await;
            assert!(is_created(&created.unwrap(), &args.execution_id), "{cut:?}");
            let again = store.backend.create_execution(args.clone()).await.unwrap();
            let execution_id = args.execution_id;
            assert_eq!(again, CreateExecutionResult::Duplicate { execution_id });
        }
        assert_eq!(store.backend.count_executions(&Default::default()).await.unwrap()[0].count, 2);
    }
}

#[tokio::test]
async fn a_batch_tells_what_it_created_from_what_was_there() {
    for cut in RUN {
        let store = cuttable().await;
        let there = keyed("there");
        store.opened.backend.create_execution(there.clone()).await.unwrap();
        let same_key = CreateExecutionArgs { execution_id: args().execution_id, ..there.clone() };
        let new = args();
        let other = CreateExecutionArgs { execution_kind: "other".to_owned(), ..there.clone() };
        let batch = vec![same_key, new.clone(), other];

        let answers = store.cut(cut, store.backend.create_executions(batch)).await.unwrap();

        let duplicate =
            CreateExecutionResult::Duplicate { execution_id: there.execution_id.clone() };
        assert_eq!(answers[0], duplicate, "{cut:?}");
        assert!(is_created(&answers[1], &new.execution_id), "{cut:?}");
        assert_eq!(answers[2], duplicate, "{cut:?}");
    }
}

#[tokio::test]
async fn a_batch_that_names_one_execution_twice_tells_which_created_it() {
    for cut in COMMIT {
        let store = cuttable().await;
        let (first, second) = (keyed("key"), keyed("key"));

        let batch = vec![first.clone(), second];
        let answers = store.cut(cut, store.backend.create_executions(batch)).await.unwrap();

        let id = first.execution_id;
        assert!(is_created(&answers[0], &id), "{cut:?}");
        assert_eq!(answers[1], CreateExecutionResult::Duplicate { execution_id: id }, "{cut:?}");
    }
}

#[tokio::test]
async fn a_claim_fails_and_other_work_is_claimed() {
    for cut in RUN {
        let store = cuttable().await;
        let first = store.opened.create().await;
        store.opened.create().await;
        let (lane, capabilities) = (lane(), CapabilitySet::default());

        let claim_once = store.backend.claim(&lane, &capabilities, policy("instance"));
        let error = store.cut(cut, claim_once).await.unwrap_err();

        assert!(matches!(error, EngineError::Transport { .. }), "{cut:?}: {error:?}");
        let next = claim(&store.backend).await.unwrap();
        let was_taken = cut == Cut::After(At::Run);
        assert_eq!(next.execution_id() != &first, was_taken, "{cut:?}");
        store.backend.complete(&next, None).await.unwrap();
        store.opened.clock.advance(Duration::from_secs(60));
        store.backend.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();
        let last = claim(&store.backend).await.unwrap();
        store.backend.complete(&last, None).await.unwrap();
        assert!(claim(&store.backend).await.is_none());
    }
}

#[tokio::test]
async fn a_completion_is_recorded_once() {
    for cut in RUN {
        let store = cuttable().await;
        let handle = store.given_claimed().await;
        let result = Some(b"result".to_vec());

        store.cut(cut, store.backend.complete(&handle, result.clone())).await.unwrap();

        let id = handle.execution_id();
        assert_eq!(store.events(id, EventStream::Completion).await, ["success"], "{cut:?}");
        let outcomes = store.backend.read_outcomes(std::slice::from_ref(id)).await.unwrap();
        assert_eq!(outcomes[0].as_ref().unwrap().result, result);
        store.backend.complete(&handle, result).await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_of_completions_has_its_answers() {
    for cut in RUN {
        let store = cuttable().await;
        let (live, done) = (store.given_claimed().await, store.given_claimed().await);
        store.backend.fail(&done, reason(), FailureClass::Permanent).await.unwrap();
        let item = |handle: &Handle| Completion { handle: handle.clone(), result: None };

        let batch = vec![item(&done), item(&live)];
        let answers = store.cut(cut, store.backend.complete_batch(batch)).await.unwrap();

        assert!(matches!(answers[0], Err(EngineError::State(_))), "{cut:?}: {:?}", answers[0]);
        assert!(answers[1].is_ok(), "{cut:?}: {:?}", answers[1]);
        let completions = store.events(live.execution_id(), EventStream::Completion).await;
        assert_eq!(completions, ["success"]);
    }
}

#[tokio::test]
async fn a_failure_schedules_one_retry() {
    for cut in SETTLE {
        let store = cuttable().await;
        let handle = store.given_claimed().await;

        let failure = store.backend.fail(&handle, reason(), FailureClass::Transient);
        let outcome = store.cut(cut, failure).await.unwrap();

        let execution = store.execution(handle.execution_id()).await;
        let delay_until = execution.eligible_at.unwrap();
        assert_eq!(outcome, FailOutcome::RetryScheduled { delay_until }, "{cut:?}");
        assert_eq!(execution.retry_count, 1, "{cut:?}");
        assert_eq!(execution.attempt_index.0, 1, "{cut:?}");
    }
}

#[tokio::test]
async fn a_last_failure_is_recorded_once() {
    for cut in SETTLE {
        let store = cuttable().await;
        let handle = store.given_claimed().await;

        let failure = store.backend.fail(&handle, reason(), FailureClass::Permanent);
        let outcome = store.cut(cut, failure).await.unwrap();

        assert_eq!(outcome, FailOutcome::TerminalFailed, "{cut:?}");
        let id = handle.execution_id();
        assert_eq!(store.events(id, EventStream::Completion).await, ["failed"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_renewal_keeps_the_lease() {
    for cut in RUN {
        let store = cuttable().await;
        let handle = store.given_claimed().await;
        store.opened.clock.advance(Duration::from_secs(1));

        let renewal = store.cut(cut, store.backend.renew(&handle)).await.unwrap();

        let lease = store.execution(handle.execution_id()).await.lease().unwrap();
        assert_eq!(lease.expires_at, renewal.expires_at, "{cut:?}");
        assert_eq!(lease.epoch, handle.lease_epoch(), "{cut:?}");
    }
}

#[tokio::test]
async fn progress_is_stored() {
    for cut in SETTLE {
        let store = cuttable().await;
        let handle = store.given_claimed().await;
        let progress = serde_json::json!({"done": 3});

        store.cut(cut, store.backend.progress(&handle, progress.clone())).await.unwrap();

        let attempts = store.backend.list_attempts(handle.execution_id()).await.unwrap();
        assert_eq!(attempts[0].progress, Some(progress), "{cut:?}");
    }
}

#[tokio::test]
async fn a_delay_gives_the_lease_back_once() {
    for cut in SETTLE {
        let store = cuttable().await;
        let handle = store.given_claimed().await;
        let until = TimestampMs(store.opened.clock.now().0 + 5_000);

        let answer = store.cut(cut, store.backend.delay(&handle, until)).await;

        let gone = EngineError::Contention(ContentionKind::LeaseConflict).to_string();
        assert!(answer.is_ok() || answer.unwrap_err().to_string() == gone, "{cut:?}");
        let id = handle.execution_id();
        let execution = store.execution(id).await;
        assert_eq!(execution.eligible_at, Some(until), "{cut:?}");
        assert_eq!(execution.attempt_index.0, 1, "{cut:?}");
        assert_eq!(store.events(id, EventStream::Lease).await, ["acquired", "released"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_sweep_takes_a_lease_once() {
    for cut in COMMIT {
        let store = cuttable().await;
        let handle = store.given_claimed().await;
        store.opened.clock.advance(Duration::from_secs(60));

        store.cut(cut, store.backend.reconcile(ReconcileTask::ExpireLeases, 10)).await.unwrap();

        let id = handle.execution_id();
        assert_eq!(store.execution(id).await.reclaim_count, 1, "{cut:?}");
        assert_eq!(store.events(id, EventStream::Lease).await, ["acquired", "expired"], "{cut:?}");
        let attempts = store.backend.list_attempts(id).await.unwrap();
        assert_eq!(attempts.len(), 1, "{cut:?}");
        assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Interrupted), "{cut:?}");
    }
}

#[tokio::test]
async fn reads_and_settings_are_repeated() {
    for cut in RUN {
        let store = cuttable().await;
        let id = store.opened.create().await;
        let lane = LaneId::new("default");
        let described = store.cut(cut, store.backend.describe_execution(&id)).await.unwrap();
        assert_eq!(described.unwrap().public_state, PublicState::Waiting);
        store.cut(cut, store.backend.list_execution_events(&id)).await.unwrap();
        let read = store.backend.read_events(EventStream::Lease, None, 1);
        store.cut(cut, read).await.unwrap();
        store.cut(cut, store.backend.list_lanes()).await.unwrap();
        store.cut(cut, store.backend.ping()).await.unwrap();
        store.cut(cut, store.backend.pause_lane(&lane)).await.unwrap();
        assert!(claim(&store.backend).await.is_none());
        store.cut(cut, store.backend.resume_lane(&lane)).await.unwrap();
        assert!(claim(&store.backend).await.is_some());
    }
}
