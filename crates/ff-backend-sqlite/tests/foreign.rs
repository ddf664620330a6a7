//! What another program has written, past the limits that ours keep.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Opened, TTL_MS, args, claim, open};
use ff_core::clock::Clock;
use ff_core::contracts::{
    CreateExecutionArgs, EventCursor, EventStream, ReconcileTask, RecordedEvent, ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use uuid::Uuid;

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

const INSERT_OPERATOR_EVENT: &str = "INSERT INTO ff_operator_event \
    (partition_key, execution_id, event_type, details, occurred_at_ms, namespace) \
    VALUES (3, '550e8400-e29b-41d4-a716-446655440000', 'paused', '{\"by\":\"me\"}', 5, 'tenant')";

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named() {
    for (stream, spoil) in [
        (EventStream::Lease, "partition_key = -1"),
        (EventStream::Lease, "execution_id = 'x'"),
        (EventStream::Completion, "execution_id = x'01'"),
        (EventStream::Completion, "flow_id = x''"),
        (EventStream::Operator, "details = '{'"),
        (EventStream::Operator, "namespace = CAST(x'ff' AS TEXT)"),
    ] {
        let opened = open().await;
        create(&opened).await;
        let handle = claim(&opened.backend).await.unwrap();
        opened.backend.complete(&handle, None).await.unwrap();
        execute(&opened, INSERT_OPERATOR_EVENT).await;
        execute(&opened, &format!("UPDATE ff_{stream}_event SET {spoil}")).await;

        match opened.backend.read_events(stream, None, 10).await {
            Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
                let column = spoil.split(' ').next().unwrap();
                let named = format!("ff_{stream}_event.{column} of 1: ");
                assert!(detail.starts_with(&named), "{detail}");
            }
            other => panic!("{spoil}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_of_another_program_is_read_whole() {
    let opened = open().await;
    execute(&opened, INSERT_OPERATOR_EVENT).await;
    let insert = "INSERT INTO ff_completion_event \
                  (partition_key, execution_id, flow_id, outcome, occurred_at_ms, instance_tag) VALUES \
                  (3, zeroblob(16), zeroblob(16), 'success', 5, 'blue')";
    execute(&opened, insert).await;
    let cursor = EventCursor::new(0, 1);
    let id = |uuid| ExecutionId::from_parts(3, uuid);

    let operator = opened.backend.read_events(EventStream::Operator, None, 10).await.unwrap();
    let completion = opened.backend.read_events(EventStream::Completion, None, 10).await.unwrap();

    let uuid = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
    let mut paused = RecordedEvent::new(cursor, id(uuid), TimestampMs(5), "paused");
    paused.details = serde_json::json!({"by": "me"});
    paused.namespace = Namespace::new("tenant");
    assert_eq!(operator, [paused]);
    let mut success = RecordedEvent::new(cursor, id(Uuid::nil()), TimestampMs(5), "success");
    success.flow_id = Some(FlowId(Uuid::nil()));
    success.instance_tag = Some("blue".to_owned());
    assert_eq!(completion, [success]);
}

#[tokio::test]
async fn a_cursor_beyond_every_event_reads_nothing() {
    let opened = open().await;
    create(&opened).await;
    claim(&opened.backend).await.unwrap();
    let beyond = Some(EventCursor::new(0, u64::MAX));
    assert_eq!(opened.backend.read_events(EventStream::Lease, beyond, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_trigger_keeps_out_is_not_said_to_be_created() {
    let opened = open().await;
    execute(
        &opened,
        "CREATE TRIGGER keep_out BEFORE INSERT ON ff_exec_core WHEN new.execution_kind = 'unwanted' \
         BEGIN SELECT RAISE(IGNORE); END",
    )
    .await;
    let unwanted = CreateExecutionArgs { execution_kind: "unwanted".to_owned(), ..args() };

    let answer = opened.backend.create_executions(vec![args(), unwanted, args()]).await;

    assert!(matches!(answer, Err(EngineError::Transport { .. })), "{answer:?}");
    assert!(claim(&opened.backend).await.is_none(), "the batch is stored or is not");
}
