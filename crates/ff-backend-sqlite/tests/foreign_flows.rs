//! Flows, members and workers that another program has written, and rows that another program reads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Opened, START, claim, lane, open};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::types::{CancelSource, ExecutionId, FlowId, LaneId, WorkerId, WorkerInstanceId};
use ff_core::types::{Namespace, TimestampMs};
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

const FLOW: FlowId = FlowId(Uuid::from_u128(0xf));

fn member(number: u128, partition: u16) -> ExecutionId {
    ExecutionId::from_parts(partition, Uuid::from_u128(number))
}

async fn execute(opened: &Opened, statement: &str) {
    let query = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    query.execute(opened.backend.pool_for_test()).await.unwrap();
}

/// The first column of each row.
async fn texts(opened: &Opened, statement: &'static str) -> Vec<String> {
    let rows = sqlx::query(statement).fetch_all(opened.backend.pool_for_test()).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A flow with what another program must give, and nothing else.
async fn insert_flow(opened: &Opened) {
    let insert = "INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms) \
                  VALUES (0, $1, 'open', 5)";
    sqlx::query(insert).bind(FLOW.0).execute(opened.backend.pool_for_test()).await.unwrap();
}

/// A member with what another program must give, in these words.
async fn insert_member(opened: &Opened, id: &ExecutionId, words: [&str; 5]) {
    let insert = "INSERT INTO ff_exec_core (partition_key, execution_id, flow_id, lane_id, \
                  lifecycle_phase, ownership_state, eligibility_state, public_state, attempt_state, \
                  created_at_ms) VALUES ($1, $2, $3, 'default', $4, $5, $6, $7, $8, 5)";
    let mut query =
        sqlx::query(insert).bind(i64::from(id.partition())).bind(id.uuid()).bind(FLOW.0);
    for word in words {
        query = query.bind(word);
    }
    query.execute(opened.backend.pool_for_test()).await.unwrap();
}

const WAITS: [&str; 5] = ["runnable", "unowned", "eligible_now", "pending", "initial"];
const RUNS: [&str; 5] = ["active", "leased", "not_applicable", "claimed", "running_attempt"];

async fn cancel_all(opened: &Opened) -> Vec<String> {
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    match opened.backend.cancel_flow(&FLOW, policy, wait).await.unwrap() {
        CancelFlowResult::Cancelled { member_execution_ids, .. } => member_execution_ids,
        other => unreachable!("{other:?}"),
    }
}

fn by_name(policy: &str) -> CancelFlowArgs {
    CancelFlowArgs {
        flow_id: FLOW,
        reason: "enough".to_owned(),
        cancellation_policy: policy.to_owned(),
        now: START,
    }
}

fn cancel(id: &ExecutionId) -> CancelExecutionArgs {
    CancelExecutionArgs {
        execution_id: id.clone(),
        reason: "enough".to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: START,
    }
}

#[tokio::test]
async fn a_runnable_row_is_claimed() {
    let opened = open().await;
    insert_member(&opened, &member(1, 0), WAITS).await;
    assert_eq!(claim(&opened.backend).await.unwrap().execution_id(), &member(1, 0));
}

#[tokio::test]
async fn members_are_cancelled_wherever_they_lie() {
    let opened = open().await;
    insert_flow(&opened).await;
    let ids = [member(9, 0), member(3, 10), member(2, 17), member(1, 2)];
    for (id, words) in ids.iter().zip([WAITS, RUNS, RUNS, WAITS]) {
        insert_member(&opened, id, words).await;
    }

    let cancelled = cancel_all(&opened).await;

    let mut in_order: Vec<_> = ids.iter().map(ToString::to_string).collect();
    in_order.sort();
    assert_eq!(cancelled, in_order);
    assert_eq!(cancel_all(&opened).await, in_order);
    let words = "SELECT DISTINCT lifecycle_phase || ' ' || ownership_state || ' ' || eligibility_state \
                 || ' ' || public_state || ' ' || attempt_state || ' ' || cancelled_by FROM ff_exec_core";
    let expected = "cancelled unowned not_applicable cancelled attempt_terminal flow";
    assert_eq!(texts(&opened, words).await, [expected]);
    assert!(texts(&opened, "SELECT outcome FROM ff_attempt").await.is_empty());
    let events = "SELECT hex(flow_id) || ' ' || outcome FROM ff_completion_event";
    assert_eq!(texts(&opened, events).await, vec![format!("{:032X} cancelled", 0xf); 4]);
    let events = "SELECT execution_id || ' ' || event_type FROM ff_lease_event";
    let revoked = |number| format!("{} revoked", Uuid::from_u128(number));
    assert_eq!(texts(&opened, events).await, [revoked(3), revoked(2)]);
}

#[tokio::test]
async fn a_claimed_executions_cancellation_leaves_these_rows() {
    let opened = open().await;
    insert_member(&opened, &member(1, 0), WAITS).await;
    claim(&opened.backend).await.unwrap();

    opened.backend.cancel_execution(cancel(&member(1, 0))).await.unwrap();

    let lease = "SELECT execution_id || ' ' || event_type FROM ff_lease_event ORDER BY event_id";
    let uuid = Uuid::from_u128(1);
    let expected = [format!("{uuid} acquired"), format!("{uuid} revoked")];
    assert_eq!(texts(&opened, lease).await, expected);
    let completion = "SELECT hex(execution_id) || ' ' || outcome FROM ff_completion_event";
    assert_eq!(texts(&opened, completion).await, [format!("{:032X} cancelled", 1)]);
    assert!(texts(&opened, "SELECT event_type FROM ff_operator_event").await.is_empty());
    let attempt = "SELECT outcome || ' ' || lease_epoch || ' ' || (lease_expires_at_ms IS NULL) \
                   FROM ff_attempt";
    assert_eq!(texts(&opened, attempt).await, ["cancelled 2 1"]);
}

#[tokio::test]
async fn a_cancellation_by_name_leaves_these_rows() {
    let opened = open().await;
    insert_flow(&opened).await;
    let update = "UPDATE ff_flow_core SET namespace = 'tenant', raw_fields = '{\"other\":{\"a\":1}}', \
                  tags = '{\"cairn.instance_id\":\"blue\"}'";
    execute(&opened, update).await;
    insert_member(&opened, &member(1, 17), WAITS).await;

    opened.backend.cancel_flow_header(by_name("cancel_all")).await.unwrap();

    let flow =
        "SELECT public_flow_state || ' ' || terminal_at_ms || ' ' || raw_fields FROM ff_flow_core";
    let raw = r#"{"other":{"a":1},"cancellation_policy":"cancel_all","cancel_reason":"enough"}"#;
    assert_eq!(texts(&opened, flow).await, [format!("cancelled {} {raw}", START.0)]);
    let backlog = "SELECT partition_key || ' ' || hex(flow_id) || ' ' || requested_at_ms \
                   FROM ff_cancel_backlog";
    assert_eq!(texts(&opened, backlog).await, [format!("0 {:032X} {}", 0xf, START.0)]);
    let members = "SELECT partition_key || ' ' || hex(flow_id) || ' ' || hex(execution_id) \
                   FROM ff_cancel_backlog_member";
    assert_eq!(texts(&opened, members).await, [format!("0 {:032X} {:032X}", 0xf, 1)]);
    let event = "SELECT partition_key || ' ' || execution_id || ' ' || event_type || ' ' || namespace \
                 || ' ' || instance_tag FROM ff_operator_event";
    let expected = format!("0 {FLOW} flow_cancel_requested tenant blue");
    assert_eq!(texts(&opened, event).await, [expected]);
    match opened.backend.cancel_flow_header(by_name("flow_only")).await.unwrap() {
        CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } => {
            assert_eq!(member_execution_ids, [member(1, 17).to_string()]);
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_member_that_its_flow_skipped_is_replayed_into_its_edge_group() {
    let opened = open().await;
    insert_flow(&opened).await;
    let skipped = ["terminal", "unowned", "not_applicable", "skipped", "attempt_terminal"];
    insert_member(&opened, &member(1, 17), skipped).await;
    let insert = "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, outcome) \
                  SELECT partition_key, execution_id, 0, 'skipped' FROM ff_exec_core; \
                  INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, \
                  success_count, fail_count, skip_count, running_count) \
                  SELECT 0, flow_id, execution_id, '{}', 1, 2, 3, 4 FROM ff_exec_core; \
                  INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, fail_count) \
                  SELECT 0, flow_id, zeroblob(16), '{}', 9 FROM ff_exec_core";
    execute(&opened, insert).await;

    let args = ReplayExecutionArgs { execution_id: member(1, 17), now: START };
    opened.backend.replay_execution(args).await.unwrap();

    let counts = "SELECT success_count || ' ' || fail_count || ' ' || skip_count || ' ' || running_count \
                  FROM ff_edge_group ORDER BY downstream_eid";
    assert_eq!(texts(&opened, counts).await, ["0 9 0 0", "1 0 0 0"]);
    let event = "SELECT event_type || ' ' || (details ->> 'branch') FROM ff_operator_event";
    assert_eq!(texts(&opened, event).await, ["replayed skipped_flow_member"]);
}

#[tokio::test]
async fn a_backlog_of_what_is_gone_is_drained() {
    let opened = open().await;
    let insert = "INSERT INTO ff_cancel_backlog (partition_key, flow_id) \
                  VALUES (0, zeroblob(16)), (0, x'01'); \
                  INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id) \
                  VALUES (0, zeroblob(16), zeroblob(16)), (0, zeroblob(16), x'02'), (0, x'03', x'')";
    execute(&opened, insert).await;
    let task = ReconcileTask::DrainCancelBacklog;

    let first = opened.backend.reconcile(task, 2).await.unwrap();
    let second = opened.backend.reconcile(task, 10).await.unwrap();

    assert_eq!((first.processed, second.processed), (2, 2));
    assert!(texts(&opened, "SELECT hex(flow_id) FROM ff_cancel_backlog").await.is_empty());
    assert!(texts(&opened, "SELECT hex(flow_id) FROM ff_cancel_backlog_member").await.is_empty());
    assert_eq!(opened.backend.reconcile(task, 10).await.unwrap(), ScanReport::default());
}

#[tokio::test]
async fn a_trimmed_member_is_let_go() {
    let opened = open().await;
    insert_flow(&opened).await;
    insert_member(&opened, &member(1, 17), RUNS).await;
    opened.backend.cancel_flow_header(by_name("cancel_all")).await.unwrap();
    opened.backend.set_retention(&Namespace::new("default"), Some(Duration::ZERO)).await.unwrap();

    opened.backend.reconcile(ReconcileTask::TrimRetention, 10).await.unwrap();

    assert!(texts(&opened, "SELECT hex(flow_id) FROM ff_cancel_backlog_member").await.is_empty());
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite);
    opened.backend.cancel_flow(&FLOW, policy, wait).await.unwrap();
}

fn register(instance: &str) -> RegisterWorkerArgs {
    RegisterWorkerArgs::new(
        WorkerId::new("worker"),
        WorkerInstanceId::new(instance),
        [LaneId::new("a,b"), lane()].into(),
        ["gpu\"".to_owned()].into(),
        1_000,
        Namespace::new("default"),
        START,
    )
}

#[tokio::test]
async fn a_workers_names_are_json_arrays() {
    let opened = open().await;
    opened.backend.register_worker(register("instance")).await.unwrap();
    let stored = "SELECT lanes || ' ' || capabilities FROM ff_worker_registry";
    assert_eq!(texts(&opened, stored).await, [r#"["a,b","default"] ["gpu\""]"#]);
}

#[tokio::test]
async fn workers_that_cannot_be_read_are_named_and_do_not_starve_a_sweep() {
    let opened = open().await;
    for number in 0..20 {
        opened.backend.register_worker(register(&format!("a-{number}"))).await.unwrap();
    }
    execute(&opened, "UPDATE ff_worker_registry SET lanes = '{}'").await;
    opened.backend.register_worker(register("b")).await.unwrap();
    opened.clock.advance(Duration::from_secs(2));

    let report = opened.backend.reconcile(ReconcileTask::SweepWorkers, 1).await.unwrap();

    assert_eq!(report, ScanReport { processed: 1, errors: 20 });
    let events =
        "SELECT worker_instance_id FROM ff_worker_registry_event WHERE event_type = 'ttl_swept'";
    assert_eq!(texts(&opened, events).await, ["b"]);
    match opened.backend.list_workers(ListWorkersArgs::new()).await {
        Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
            assert!(detail.starts_with("ff_worker_registry.lanes of a-0: "), "{detail}");
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_time_to_live_beyond_all_time_never_ends() {
    let opened = open().await;
    let mut args = register("instance");
    args.liveness_ttl_ms = i64::MAX.unsigned_abs();
    opened.backend.register_worker(args).await.unwrap();
    opened.clock.advance(Duration::from_secs(1_000_000));
    let report = opened.backend.reconcile(ReconcileTask::SweepWorkers, 10).await.unwrap();
    assert_eq!(report, ScanReport::default());
}

#[tokio::test]
async fn expired_leases_go_by_the_texts_of_their_ids() {
    let opened = open().await;
    let mut ids = [member(1, 1), member(2, 1), member(1, 10), member(1, 9), member(1, 100)];
    for id in &ids {
        insert_member(&opened, id, RUNS).await;
    }
    let insert = "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, \
                  worker_instance_id, lease_expires_at_ms) \
                  SELECT partition_key, execution_id, 0, 'instance', 7 FROM ff_exec_core";
    execute(&opened, insert).await;
    let mut listed = Vec::new();
    let mut args = ListExpiredLeasesArgs::new(TimestampMs(7));
    args.limit = Some(2);
    loop {
        let page = opened.backend.list_expired_leases(args.clone()).await.unwrap();
        listed.extend(page.entries.into_iter().map(|entry| entry.execution_id));
        match page.cursor {
            Some(cursor) => args.after = Some(cursor),
            None => break,
        }
    }
    ids.sort();
    assert_eq!(listed, ids);
}
