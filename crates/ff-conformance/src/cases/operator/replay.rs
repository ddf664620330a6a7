use ff_core::backend::{FailOutcome, FailureClass};
use ff_core::contracts::{EventStream, ReconcileTask, ReplayExecutionResult};
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::policy::ExecutionPolicy;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{AttemptIndex, ExecutionId, FlowId};
use serde_json::json;

use super::{cancel, replay_of};
use crate::assertions::assert_not_found;
use crate::cx::{Cx, LIMIT, ONE_MS, retries};
use crate::fixture::{AttemptKey, EdgeGroupCounts};

async fn replay(cx: &Cx, id: &ExecutionId) -> PublicState {
    let answer = cx.backend.replay_execution(replay_of(cx, id)).await.unwrap();
    let ReplayExecutionResult::Replayed { public_state } = answer;
    public_state
}

async fn replay_error(cx: &Cx, id: &ExecutionId) -> EngineError {
    cx.backend.replay_execution(replay_of(cx, id)).await.unwrap_err()
}

#[track_caller]
fn assert_state(error: EngineError, expected: StateKind) {
    let EngineError::State(kind) = error else { unreachable!("no state: {error:?}") };
    assert_eq!(kind, expected);
}

/// A member of a flow that its flow has left out.
async fn given_skipped(cx: &Cx, flow_id: Option<FlowId>) -> ExecutionId {
    let handle = cx.given_completed().await;
    let id = handle.execution_id();
    let at = AttemptKey { execution_id: id, attempt_index: handle.attempt_index() };
    cx.probe().write_attempt_text(at, "outcome", Some("skipped")).await;
    cx.probe().write_word(id, "public_state", "skipped").await;
    if let Some(flow_id) = flow_id {
        cx.probe().write_flow(std::slice::from_ref(id), &flow_id).await;
    }
    id.clone()
}

/// OP-5, STATE-1. A replayed execution waits again, for a new attempt, without its result.
pub(crate) async fn a_replayed_execution_waits_again(cx: Cx) {
    let handle = cx.given_completed().await;
    let id = handle.execution_id();

    assert_eq!(replay(&cx, id).await, PublicState::Waiting);

    let words = cx.words(id).await;
    assert_eq!(words, "runnable unowned eligible_now pending_replay_attempt waiting");
    let execution = cx.describe(id).await;
    assert_eq!((execution.terminal_at, execution.replay_count), (None, 1));
    assert_eq!(execution.attempt_index, AttemptIndex::new(1));
    assert_eq!(cx.result(id).await, None);
}

/// OP-5. The history stays, and the replay is another attempt with an ending of its own.
pub(crate) async fn a_replay_is_another_attempt(cx: Cx) {
    let first = cx.given_completed().await;
    let id = first.execution_id();
    replay(&cx, id).await;

    let second = cx.claim().await;
    cx.backend.complete(&second, Some(b"again".to_vec())).await.unwrap();

    assert_eq!((second.execution_id(), second.attempt_index()), (id, AttemptIndex::new(1)));
    let outcomes: Vec<_> = cx.attempts(id).await.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Success); 2]);
    assert_eq!(cx.result(id).await.as_deref(), Some(b"again".as_slice()));
    assert_eq!(cx.completions(id).await, 2);
}

/// OP-5. A replay is told by one operator event.
pub(crate) async fn a_replay_is_told(cx: Cx) {
    let handle = cx.given_completed().await;
    cx.advance(ONE_MS);

    replay(&cx, handle.execution_id()).await;

    cx.store.settle().await;
    let told = cx.backend.read_events(EventStream::Operator, None, LIMIT).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].name.as_str(), told[0].occurred_at), ("replayed", cx.now()));
    assert_eq!(told[0].execution_id, *handle.execution_id());
    assert_eq!(told[0].details, json!({ "branch": "finished", "replay_count": 1 }));
}

/// OP-5. What was cancelled can be replayed, and then nothing says that it was.
pub(crate) async fn what_was_cancelled_can_be_replayed(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cancel(&cx, id).await;

    replay(&cx, id).await;

    let execution = cx.describe(id).await;
    assert_eq!((execution.cancelled_by, execution.cancellation_reason), (None, None));
    assert_eq!(cx.claim().await.attempt_index(), AttemptIndex::new(1));
}

/// OP-5, FIN-2. A replay has its retries anew.
pub(crate) async fn a_replay_has_its_retries_anew(cx: Cx) {
    let first = cx.given_claimed_with(retries(1, 0)).await;
    let id = first.execution_id();
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let spent = cx.fail(&cx.claim().await, FailureClass::Transient).await.unwrap();
    assert_eq!(spent, FailOutcome::TerminalFailed);

    replay(&cx, id).await;

    assert_eq!(cx.describe(id).await.retry_count, 0);
    let again = cx.fail(&cx.claim().await, FailureClass::Transient).await.unwrap();
    assert!(matches!(again, FailOutcome::RetryScheduled { .. }), "{again:?}");
}

/// OP-5, TIME-4. A deadline that has passed does not end the replay before it begins.
pub(crate) async fn a_deadline_that_has_passed_does_not_end_a_replay(cx: Cx) {
    let now = cx.now();
    let id = cx.create(|args| args.execution_deadline_at = Some(now)).await;
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    replay(&cx, &id).await;
    cx.reconcile(ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.describe(&id).await.deadline_at, None);
    cx.backend.complete(&cx.claim().await, None).await.unwrap();
    assert_eq!(cx.describe(&id).await.public_state, PublicState::Completed);
}

/// OP-5. What has not finished cannot be replayed, and what is unknown is not found.
pub(crate) async fn what_has_not_finished_cannot_be_replayed(cx: Cx) {
    let running = cx.given_claimed().await;
    let waiting = cx.given_created().await;

    for id in [&waiting, running.execution_id()] {
        let before = cx.describe(id).await;
        assert_state(replay_error(&cx, id).await, StateKind::ExecutionNotTerminal);
        assert_eq!(cx.describe(id).await, before);
    }

    assert_not_found(replay_error(&cx, &cx.mint_id()).await);
}

/// OP-5. An execution is replayed as often as its policy allows.
pub(crate) async fn replays_are_limited_by_the_policy(cx: Cx) {
    let policy = ExecutionPolicy { max_replay_count: 2, ..ExecutionPolicy::default() };
    let id = cx.create(|args| args.policy = Some(policy)).await;
    for _ in 0..2 {
        cx.backend.complete(&cx.claim().await, None).await.unwrap();
        replay(&cx, &id).await;
    }
    cx.backend.complete(&cx.claim().await, None).await.unwrap();
    let before = cx.describe(&id).await;

    assert_state(replay_error(&cx, &id).await, StateKind::MaxReplaysExhausted);

    assert_eq!(before.replay_count, 2);
    assert_eq!(cx.describe(&id).await, before);
}

/// OP-6, STATE-1. A member that its flow had left out waits for its dependencies again.
pub(crate) async fn a_skipped_member_waits_for_its_dependencies(cx: Cx) {
    let flow_id = FlowId::new();
    let id = given_skipped(&cx, Some(flow_id)).await;
    let counts = EdgeGroupCounts { success: 1, fail: 2, skip: 3, running: 4 };
    cx.probe().write_edge_group(&flow_id, &id, counts).await;

    assert_eq!(replay(&cx, &id).await, PublicState::WaitingChildren);

    let words = cx.words(&id).await;
    assert_eq!(
        words,
        "runnable unowned blocked_by_dependencies pending_replay_attempt waiting_children"
    );
    let counts = cx.probe().read_edge_group(&flow_id, &id).await;
    assert_eq!(counts, EdgeGroupCounts { success: 1, ..EdgeGroupCounts::default() });
    cx.store.settle().await;
    let told = cx.backend.read_events(EventStream::Operator, None, LIMIT).await.unwrap();
    assert_eq!(told[0].details["branch"], "skipped_flow_member");
    assert!(cx.try_claim().await.is_none());
}

/// OP-6. What was skipped and belongs to no flow waits like anything else.
pub(crate) async fn what_was_skipped_outside_a_flow_waits(cx: Cx) {
    let id = given_skipped(&cx, None).await;

    assert_eq!(replay(&cx, &id).await, PublicState::Waiting);

    assert_eq!(cx.claim().await.execution_id(), &id);
}

/// OP-6. A member whose attempt ended otherwise waits, and its edge group stays as it is.
pub(crate) async fn a_member_that_ran_waits(cx: Cx) {
    let flow_id = FlowId::new();
    let handle = cx.given_completed().await;
    let id = handle.execution_id();
    let counts = EdgeGroupCounts { success: 1, fail: 2, skip: 3, running: 4 };
    cx.probe().write_flow(std::slice::from_ref(id), &flow_id).await;
    cx.probe().write_edge_group(&flow_id, id, counts).await;

    assert_eq!(replay(&cx, id).await, PublicState::Waiting);

    assert_eq!(cx.probe().read_edge_group(&flow_id, id).await, counts);
}
