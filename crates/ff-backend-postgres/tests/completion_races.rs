//! What another transaction does to an execution while its completion waits for it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::{Opened, execute, open};
use ff_core::backend::Handle;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::state::PublicState;
use sqlx::Row;

const LOCK_EXECUTION: &str = "SELECT 1 FROM ff_exec_core FOR UPDATE";
const LOCK_ATTEMPT: &str = "SELECT 1 FROM ff_attempt FOR UPDATE";
const TAKE_OVER: &str =
    "UPDATE ff_attempt SET lease_epoch = lease_epoch + 1, worker_instance_id = 'other'";

/// Completes what was claimed while another transaction holds this lock, makes the changes and commits them.
async fn complete_during(
    opened: &Opened,
    handle: &Handle,
    lock: &str,
    changes: &[&str],
) -> Result<(), EngineError> {
    let mut session = opened.session().await;
    execute(&mut session, "BEGIN").await;
    execute(&mut session, lock).await;
    let change = async {
        opened.until_one_waits().await;
        for change in changes {
            execute(&mut session, change).await;
        }
        execute(&mut session, "COMMIT").await;
    };
    tokio::join!(opened.backend.complete(handle, Some(b"done".to_vec())), change).0
}

async fn state(opened: &Opened, handle: &Handle) -> (PublicState, Option<String>) {
    let execution =
        opened.backend.describe_execution(handle.execution_id()).await.unwrap().unwrap();
    let mut session = opened.session().await;
    let attempt =
        sqlx::query("SELECT outcome FROM ff_attempt").fetch_one(&mut session).await.unwrap();
    (execution.public_state, attempt.get("outcome"))
}

/// FIN-1: a renewal changes the attempt alone.
#[tokio::test]
async fn what_is_renewed_meanwhile_is_completed() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let renew = "UPDATE ff_attempt SET lease_expires_at_ms = lease_expires_at_ms + 1000";
    complete_during(&opened, &handle, LOCK_EXECUTION, &[renew]).await.unwrap();
    assert_eq!(state(&opened, &handle).await, (PublicState::Completed, Some("success".to_owned())));
}

/// FIN-1: another version of the execution under the same lease.
#[tokio::test]
async fn what_is_changed_meanwhile_is_completed() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let change = "UPDATE ff_exec_core SET tags = '{\"a\": \"b\"}'";
    complete_during(&opened, &handle, LOCK_EXECUTION, &[change]).await.unwrap();
    assert_eq!(state(&opened, &handle).await, (PublicState::Completed, Some("success".to_owned())));
}

/// LEASE-1: lost and claimed again, the execution looks as it did; its attempt has another epoch.
#[tokio::test]
async fn what_is_taken_over_meanwhile_is_not_completed() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let take_over = ["UPDATE ff_exec_core SET reclaim_count = reclaim_count + 1", TAKE_OVER];
    let error = complete_during(&opened, &handle, LOCK_EXECUTION, &take_over).await.unwrap_err();
    assert!(error.is_lease_lost(), "{error:?}");
    assert_eq!(state(&opened, &handle).await, (PublicState::Running, None));
}

/// FIN-1: a renewal that has locked the attempt before the completion comes to it.
#[tokio::test]
async fn an_attempt_that_is_renewed_meanwhile_is_completed() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let renew = "UPDATE ff_attempt SET lease_expires_at_ms = lease_expires_at_ms + 1000";
    complete_during(&opened, &handle, LOCK_ATTEMPT, &[renew]).await.unwrap();
    assert_eq!(state(&opened, &handle).await, (PublicState::Completed, Some("success".to_owned())));
}

/// LEASE-1: another program gives the attempt away and leaves the execution as it is.
#[tokio::test]
async fn an_attempt_that_is_taken_over_meanwhile_is_not_completed() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let error = complete_during(&opened, &handle, LOCK_ATTEMPT, &[TAKE_OVER]).await.unwrap_err();
    assert!(error.is_lease_lost(), "{error:?}");
    assert_eq!(state(&opened, &handle).await, (PublicState::Running, None));
}
