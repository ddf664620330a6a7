use ff_core::backend::FailureClass;
use ff_core::contracts::{ExecutionCount, ExecutionFilter};
use ff_core::engine_error::EngineError;
use ff_core::state::{AttemptState, PublicState};
use ff_core::types::{AttemptIndex, ExecutionId};

use crate::assertions::assert_corruption;
use crate::cx::{Cx, LIMIT, lane};
use crate::fixture::{AttemptKey, ForeignExecution};

const WORDS: [&str; 5] =
    ["lifecycle_phase", "ownership_state", "eligibility_state", "public_state", "attempt_state"];

/// A row in the older spellings, of which `running` ones were claimed.
fn in_older_words(cx: &Cx, public_state: &str) -> ForeignExecution {
    let mut row = ForeignExecution::waiting(cx.mint_id(), lane(), cx.now());
    row.attempt_state = "initial".to_owned();
    row.public_state = public_state.to_owned();
    row
}

/// EXEC-1, CLAIM-1. A row that another program inserts with the required columns only is a whole one.
pub(crate) async fn a_row_of_another_program_runs_like_any_other(cx: Cx) {
    let row = ForeignExecution::waiting(cx.mint_id(), lane(), cx.now());
    let id = row.execution_id.clone();
    cx.probe().insert_foreign_execution(row).await;

    let execution = cx.describe(&id).await;
    let handle = cx.claim().await;
    cx.fail_and_wait(&handle).await;
    let again = cx.claim().await;
    cx.backend.complete(&again, Some(b"result".to_vec())).await.unwrap();

    assert_eq!(execution.namespace.as_str(), "default");
    assert_eq!((execution.priority, execution.attempt_index), (0, AttemptIndex::new(0)));
    assert_eq!((execution.policy, execution.tags.len()), (None, 0));
    assert_eq!((handle.execution_id(), again.execution_id()), (&id, &id));
    assert_eq!(cx.describe(&id).await.public_state, PublicState::Completed);
}

/// STATE-1, SAFE-7. Older spellings are read as the words that they stand for.
pub(crate) async fn older_words_are_read(cx: Cx) {
    let waiting = in_older_words(&cx, "pending");
    let mut running = in_older_words(&cx, "claimed");
    running.lifecycle_phase = "active".to_owned();
    running.ownership_state = "leased".to_owned();
    running.eligibility_state = "not_applicable".to_owned();
    let ids = [waiting.execution_id.clone(), running.execution_id.clone()];
    cx.probe().insert_foreign_execution(waiting).await;
    cx.probe().insert_foreign_execution(running).await;

    let [waiting, running] = [
        cx.backend.describe_execution(&ids[0]).await.unwrap().unwrap(),
        cx.backend.describe_execution(&ids[1]).await.unwrap().unwrap(),
    ];

    assert_eq!(waiting.attempt_state, AttemptState::Pending);
    assert_eq!(waiting.public_state, PublicState::Waiting);
    assert_eq!(running.public_state, PublicState::Running);
}

/// STATE-1. Older spellings are found, and counted with the words that they stand for.
pub(crate) async fn older_words_are_found_and_counted(cx: Cx) {
    cx.given_created().await;
    let row = in_older_words(&cx, "pending");
    let id = row.execution_id.clone();
    cx.probe().insert_foreign_execution(row).await;
    let waiting =
        ExecutionFilter { public_state: Some(PublicState::Waiting), ..ExecutionFilter::default() };

    let page = cx.backend.list_executions(&waiting, None, LIMIT).await.unwrap();
    let counts = cx.backend.count_executions(&ExecutionFilter::default()).await.unwrap();

    assert!(page.executions.iter().any(|execution| execution.execution_id == id));
    let expected = ExecutionCount { lane_id: lane(), public_state: PublicState::Waiting, count: 2 };
    assert_eq!(counts, [expected]);
}

/// STATE-1. What is written is written in the words of today.
pub(crate) async fn older_words_are_never_written(cx: Cx) {
    let row = in_older_words(&cx, "pending");
    let id = row.execution_id.clone();
    cx.probe().insert_foreign_execution(row).await;

    let handle = cx.claim().await;
    let running = stored_words(&cx, &id).await;
    cx.fail(&handle, FailureClass::Transient).await.unwrap();
    let retried = stored_words(&cx, &id).await;

    assert_eq!(running, "active leased not_applicable running running_attempt");
    assert_eq!(retried, "runnable unowned not_eligible_until_time delayed pending_retry_attempt");
}

async fn stored_words(cx: &Cx, id: &ExecutionId) -> String {
    let mut words = Vec::new();
    for column in WORDS {
        words.push(cx.probe().read_word(id, column).await);
    }
    words.join(" ")
}

/// SAFE-7. An unknown word is named by table, column and execution, and never guessed.
pub(crate) async fn an_unknown_word_is_named(cx: Cx) {
    for column in WORDS {
        let id = cx.given_created().await;
        cx.probe().write_word(&id, column, "sleeping").await;

        let described = cx.backend.describe_execution(&id).await.unwrap_err();

        assert!(described.to_string().contains("ff_exec_core"), "{described}");
        assert_corruption(described, column, &id);
        assert_eq!(cx.probe().read_word(&id, column).await, "sleeping");
    }
}

/// SAFE-7. A call by handle on a row with an unknown word is refused and changes nothing.
pub(crate) async fn an_unknown_word_stops_calls_by_handle(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    cx.probe().write_word(id, "lifecycle_phase", "sleeping").await;

    let calls: [Result<(), EngineError>; 3] = [
        cx.backend.renew(&handle).await.map(drop),
        cx.backend.complete(&handle, None).await,
        cx.fail(&handle, FailureClass::Permanent).await.map(drop),
    ];

    for call in calls {
        assert_corruption(call.unwrap_err(), "lifecycle_phase", id);
    }
    cx.probe().write_word(id, "lifecycle_phase", "active").await;
    cx.backend.complete(&handle, None).await.unwrap();
}

/// SAFE-7. A number out of range is named by table, column and execution.
pub(crate) async fn a_number_out_of_range_is_named(cx: Cx) {
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();
    let at = AttemptKey { execution_id: id, attempt_index: handle.attempt_index() };
    cx.probe().write_attempt_number(at, "lease_epoch", -1).await;

    let described = cx.backend.describe_execution(id).await.unwrap_err();
    let listed = cx.backend.list_attempts(id).await.unwrap_err();

    assert!(described.to_string().contains("ff_attempt"), "{described}");
    assert_corruption(described, "lease_epoch", id);
    assert_corruption(listed, "lease_epoch", id);
}
