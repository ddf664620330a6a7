//! What another program has written, past the limits that ours keep.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Opened, TTL_MS, args, claim, open};
use ff_core::clock::Clock;
use ff_core::contracts::{CreateExecutionArgs, ReconcileTask, ScanReport};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::{ExecutionId, Namespace, TimestampMs};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

async fn execute(opened: &Opened, statement: &str) {
    let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
    query.execute(opened.backend.pool_for_test()).await.unwrap();
}

async fn create(opened: &Opened) -> ExecutionId {
    let args = args();
    let id = args.execution_id.clone();
    opened.backend.create_execution(args).await.unwrap();
    id
}

#[tokio::test]
async fn a_row_that_the_rules_cannot_read_is_passed_by_and_holds_up_nothing() {
    for spoil in [
        "raw_fields = 'x'",
        "retry_count = -1",
        "priority = 5000000000",
        "flow_id = x'01'",
        "tags = '[]'",
        "policy = '{'",
        "attempt_index = -1",
        "public_state = 'asleep'",
    ] {
        let opened = open().await;
        let corrupt = create(&opened).await;
        execute(&opened, &format!("UPDATE ff_exec_core SET {spoil}")).await;
        let healthy = create(&opened).await;

        let claimed = claim(&opened.backend).await.unwrap();

        assert_eq!(claimed.execution_id(), &healthy, "{spoil}");
        assert!(claim(&opened.backend).await.is_none(), "{spoil}");
        match opened.backend.describe_execution(&corrupt).await {
            Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
                let column = spoil.split(' ').next().unwrap();
                let named = format!("ff_exec_core.{column} of {corrupt}");
                assert!(detail.starts_with(&named), "{detail}");
            }
            other => panic!("{spoil}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_attempt_without_a_next_epoch_is_passed_by() {
    for epoch in [-5, i64::MAX] {
        let opened = open().await;
        create(&opened).await;
        let insert =
            "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch)";
        let select = "SELECT partition_key, execution_id, attempt_index";
        execute(&opened, &format!("{insert} {select}, {epoch} FROM ff_exec_core")).await;
        let healthy = create(&opened).await;
        let claimed = claim(&opened.backend).await.unwrap();
        assert_eq!(claimed.execution_id(), &healthy);
    }
}

#[tokio::test]
async fn a_lane_of_corrupt_rows_is_an_empty_one() {
    let opened = open().await;
    let batch = (0..300).map(|_| args()).collect();
    opened.backend.create_executions(batch).await.unwrap();
    execute(&opened, "UPDATE ff_exec_core SET tags = '[]'").await;
    assert!(claim(&opened.backend).await.is_none());
    let healthy = create(&opened).await;
    assert_eq!(claim(&opened.backend).await.unwrap().execution_id(), &healthy);
}

#[tokio::test]
async fn corrupt_rows_do_not_starve_a_sweep() {
    let opened = open().await;
    let delayed =
        || CreateExecutionArgs { delay_until: Some(TimestampMs(args().now.0 + 1_000)), ..args() };
    opened.backend.create_executions((0..20).map(|_| delayed()).collect()).await.unwrap();
    execute(&opened, "UPDATE ff_exec_core SET retry_count = -1").await;
    opened.backend.create_execution(delayed()).await.unwrap();
    opened.clock.advance(Duration::from_secs(2));

    let report = opened.backend.reconcile(ReconcileTask::PromoteDue, 1).await.unwrap();

    assert_eq!(report, ScanReport { processed: 1, errors: 20 });
}

#[tokio::test]
async fn a_retention_that_is_none_trims_nothing() {
    let opened = open().await;
    create(&opened).await;
    let handle = claim(&opened.backend).await.unwrap();
    opened.backend.complete(&handle, None).await.unwrap();
    opened.backend.set_retention(&Namespace::new("default"), Some(Duration::ZERO)).await.unwrap();
    execute(&opened, "UPDATE ff_namespace SET retention_ms = -1000000000").await;
    let report = opened.backend.reconcile(ReconcileTask::TrimRetention, 1).await.unwrap();
    assert_eq!(report, ScanReport::default());
}

#[tokio::test]
async fn requirements_that_only_the_table_tells_count() {
    let opened = open().await;
    create(&opened).await;
    let insert =
        "INSERT INTO ff_execution_capabilities SELECT execution_id, 'gpu' FROM ff_exec_core";
    execute(&opened, insert).await;
    assert!(claim(&opened.backend).await.is_none());
}

#[tokio::test]
async fn a_list_is_not_stopped_by_a_lane_in_an_unknown_state() {
    let opened = open().await;
    create(&opened).await;
    execute(&opened, "UPDATE ff_lane SET state = 'draining'").await;
    let page = opened.backend.list_executions(&Default::default(), None, 10).await.unwrap();
    assert_eq!(page.executions.len(), 1);
}

#[tokio::test]
async fn an_unknown_state_is_told_and_not_left_out() {
    let opened = open().await;
    create(&opened).await;
    execute(&opened, "UPDATE ff_exec_core SET public_state = 'asleep'").await;
    for answer in [
        opened.backend.list_executions(&Default::default(), None, 10).await.map(|_| ()),
        opened.backend.count_executions(&Default::default()).await.map(|_| ()),
    ] {
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("public_state"), "{error}");
    }
}

#[tokio::test]
async fn a_lease_begins_when_it_is_given_and_not_when_it_was_asked_for() {
    let opened = open().await;
    create(&opened).await;
    let mut other = SqliteConnection::connect(opened.path.to_str().unwrap()).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let backend = Arc::clone(&opened.backend);
    let claiming = tokio::spawn(async move { claim(&backend).await });
    // Whether or not the claim has begun to wait by now: it is given after this.
    tokio::task::yield_now().await;
    opened.clock.advance(Duration::from_millis(u64::from(TTL_MS)));
    held.rollback().await.unwrap();

    let handle = claiming.await.unwrap().unwrap();

    let execution = opened.backend.describe_execution(handle.execution_id()).await.unwrap();
    let lease = execution.unwrap().lease().unwrap();
    assert_eq!(lease.expires_at.0, opened.clock.now().0 + i64::from(TTL_MS));
}
