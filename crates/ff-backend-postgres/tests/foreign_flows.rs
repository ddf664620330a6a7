//! Operators and flows on rows that another program has written, with the columns only that a row must have.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Opened, START, cancel_args, flow_args, header_args, open, policy, register_args};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, CapabilitySet};
use ff_core::contracts::{
    CancelFlowHeader, CancelFlowResult, ChangePriorityArgs, CreateFlowResult, HeartbeatWorkerArgs,
    HeartbeatWorkerOutcome, ListExpiredLeasesArgs, ListFlowsArgs, ListWorkersArgs, ReconcileTask,
    RegisterWorkerOutcome, ReplayExecutionArgs, ReplayExecutionResult, RevokeLeaseArgs,
    RevokeLeaseResult, ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::state::{LifecyclePhase, PublicFlowState, PublicState};
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace, WorkerInstanceId};
use uuid::Uuid;

/// The words of a row: phase, ownership, eligibility, public state, state of the attempt.
type Words = [&'static str; 5];

const RUNNABLE: Words = ["runnable", "unowned", "eligible_now", "pending", "initial"];
const ACTIVE: Words = ["active", "leased", "not_applicable", "claimed", "running_attempt"];

const ALL: CancelFlowPolicy = CancelFlowPolicy::CancelAll;
const PENDING: CancelFlowPolicy = CancelFlowPolicy::CancelPending;

/// Inserts an execution, of a flow or of none.
async fn insert(opened: &Opened, flow_id: Option<FlowId>, words: Words) -> ExecutionId {
    let config = PartitionConfig::default();
    let id = match &flow_id {
        Some(flow_id) => ExecutionId::for_flow(flow_id, &config),
        None => ExecutionId::solo(&LaneId::new("default"), &config),
    };
    let (partition, uuid) = (id.partition(), id.uuid());
    let flow_id = flow_id.map_or("NULL".to_owned(), |flow_id| format!("'{flow_id}'"));
    let words = words.map(|word| format!("'{word}'")).join(", ");
    let insert = format!(
        "INSERT INTO ff_exec_core (partition_key, execution_id, flow_id, lane_id, lifecycle_phase, \
         ownership_state, eligibility_state, public_state, attempt_state, created_at_ms) \
         VALUES ({partition}, '{uuid}', {flow_id}, 'default', {words}, {START})"
    );
    opened.execute(&insert).await;
    id
}

/// Inserts a flow in a state.
async fn insert_flow(opened: &Opened, state: &str) -> FlowId {
    let flow_id = FlowId::new();
    let partition = flow_partition(&flow_id, &PartitionConfig::default()).index;
    let insert = format!(
        "INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms) \
         VALUES ({partition}, '{flow_id}', '{state}', {START})"
    );
    opened.execute(&insert).await;
    flow_id
}

async fn cancel(opened: &Opened, flow_id: &FlowId, policy: CancelFlowPolicy) -> Vec<String> {
    let cancelled = opened.backend.cancel_flow(flow_id, policy, CancelFlowWait::NoWait).await;
    match cancelled.unwrap() {
        CancelFlowResult::Cancelled { cancellation_policy, member_execution_ids } => {
            assert_eq!(cancellation_policy, policy.as_str());
            member_execution_ids
        }
        other => unreachable!("{other:?}"),
    }
}

async fn phase(opened: &Opened, id: &ExecutionId) -> LifecyclePhase {
    opened.backend.describe_execution(id).await.unwrap().unwrap().lifecycle_phase
}

fn assert_corrupt<T: std::fmt::Debug>(answer: Result<T, EngineError>, named: &str) {
    let error = answer.unwrap_err();
    let is_corrupt =
        matches!(error, EngineError::Validation { kind: ValidationKind::Corruption, .. });
    assert!(is_corrupt && error.to_string().contains(named), "{named}: {error}");
}

#[tokio::test]
async fn what_is_seeded_runnable_is_claimed_moved_and_cancelled() {
    let opened = open().await;
    let id = insert(&opened, None, RUNNABLE).await;
    let args = ChangePriorityArgs {
        execution_id: id.clone(),
        new_priority: 7,
        lane_id: LaneId::new(""),
        now: START,
    };
    opened.backend.change_priority(args).await.unwrap();
    let handle = opened.claim().await.unwrap();
    assert_eq!(handle.execution_id(), &id);
    let moved = "SELECT event_type || details::text || execution_id FROM ff_operator_event";
    let expected = format!("priority_changed{{\"new\": 7, \"old\": 0}}{}", id.uuid());
    assert_eq!(opened.read_text(moved).await, expected);

    opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();

    let events = ["lease acquired", "lease revoked", "completion cancelled"];
    let told = opened.events(&id).await;
    let told: Vec<_> = told.iter().filter(|event| !event.starts_with("operator")).collect();
    assert_eq!(told, events.iter().collect::<Vec<_>>());
    assert!(opened.backend.renew(&handle).await.is_err());
}

#[tokio::test]
async fn cancelling_a_claimed_execution_leaves_these_rows_and_no_others() {
    let opened = open().await;
    let id = opened.create().await;
    opened.claim().await.unwrap();
    opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();
    opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();

    let lease = "SELECT string_agg(event_type || ':' || execution_id || ':' || namespace, ',' \
                 ORDER BY event_id) FROM ff_lease_event";
    let uuid = id.uuid();
    assert_eq!(
        opened.read_text(lease).await,
        format!("acquired:{uuid}:default,revoked:{uuid}:default")
    );
    let completion =
        "SELECT string_agg(outcome || ':' || execution_id, ',') FROM ff_completion_event";
    assert_eq!(opened.read_text(completion).await, format!("cancelled:{uuid}"));
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_operator_event").await, "0");
    let attempt = "SELECT outcome || lease_epoch || ':' || coalesce(lease_expires_at_ms, 0) \
                   FROM ff_attempt";
    assert_eq!(opened.read_text(attempt).await, "cancelled2:0");
}

#[tokio::test]
async fn an_execution_that_is_leased_without_an_attempt_is_cancelled_and_not_revoked() {
    let opened = open().await;
    let id = insert(&opened, None, ACTIVE).await;
    let revoke = RevokeLeaseArgs {
        execution_id: id.clone(),
        expected_lease_id: None,
        worker_instance_id: WorkerInstanceId::new("instance"),
        reason: String::new(),
    };
    let answer = opened.backend.revoke_lease(revoke).await.unwrap();
    assert_eq!(
        answer,
        RevokeLeaseResult::AlreadySatisfied { reason: "no_active_lease".to_owned() }
    );

    opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();

    assert_eq!(phase(&opened, &id).await, LifecyclePhase::Cancelled);
    assert_eq!(opened.events(&id).await, ["lease revoked", "completion cancelled"]);
    let replay = ReplayExecutionArgs { execution_id: id.clone(), now: START };
    let replayed = opened.backend.replay_execution(replay).await.unwrap();
    assert_eq!(replayed, ReplayExecutionResult::Replayed { public_state: PublicState::Waiting });
    assert_eq!(opened.claim().await.unwrap().attempt_index().0, 1);
}

#[tokio::test]
async fn an_open_flow_of_another_program_is_cancelled_with_its_members() {
    let opened = open().await;
    let flow_id = insert_flow(&opened, "open").await;
    opened.execute("UPDATE ff_flow_core SET raw_fields = '{\"theirs\": [1]}'").await;
    let mut ids = Vec::new();
    for words in [RUNNABLE, ACTIVE, RUNNABLE] {
        ids.push(insert(&opened, Some(flow_id), words).await);
    }
    ids.sort_by_key(ExecutionId::uuid);
    let other = insert(&opened, Some(FlowId::new()), RUNNABLE).await;

    let cancelled = cancel(&opened, &flow_id, ALL).await;

    assert_eq!(cancelled, ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    for id in &ids {
        assert_eq!(phase(&opened, id).await, LifecyclePhase::Cancelled);
    }
    assert_eq!(phase(&opened, &other).await, LifecyclePhase::Runnable);
    assert_eq!(cancel(&opened, &flow_id, ALL).await, cancelled);
    let fields = "SELECT raw_fields::text FROM ff_flow_core";
    let expected = "{\"theirs\": [1], \"cancel_reason\": \"the flow was cancelled\", \
                    \"cancellation_policy\": \"cancel_all\"}";
    assert_eq!(opened.read_text(fields).await, expected);
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_cancel_backlog").await, "0");
}

#[tokio::test]
async fn members_that_only_say_that_they_are_held_are_spared() {
    let opened = open().await;
    let flow_id = insert_flow(&opened, "open").await;
    let waiting = insert(&opened, Some(flow_id), RUNNABLE).await;
    let held = insert(&opened, Some(flow_id), ACTIVE).await;
    assert_eq!(cancel(&opened, &flow_id, PENDING).await, [waiting.to_string()]);
    assert_eq!(phase(&opened, &held).await, LifecyclePhase::Active);
}

/// FLOW-3. A stale outcome of the current attempt goes, and with it whatever could be taken for an open one.
#[tokio::test]
async fn a_stale_outcome_goes_and_the_attempt_is_not_open() {
    let opened = open().await;
    let flow_id = insert_flow(&opened, "open").await;
    let id = insert(&opened, Some(flow_id), RUNNABLE).await;
    let attempt = format!(
        "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_instance_id, \
         lease_expires_at_ms, started_at_ms, outcome) \
         VALUES ({}, '{}', 0, 'gone', 1, 1, 'retry')",
        id.partition(),
        id.uuid()
    );
    opened.execute(&attempt).await;
    cancel(&opened, &flow_id, ALL).await;
    let outcome =
        "SELECT coalesce(outcome, 'none') || (terminal_at_ms IS NOT NULL) FROM ff_attempt";
    assert_eq!(opened.read_text(outcome).await, "nonetrue");
    opened.clock.advance(Duration::from_secs(60));
    for task in [ReconcileTask::ExpireLeases, ReconcileTask::TimeOutAttempts] {
        let report = opened.backend.reconcile(task, 10).await.unwrap();
        assert_eq!(report, ScanReport::default());
    }
    let replay = ReplayExecutionArgs { execution_id: id, now: START };
    opened.backend.replay_execution(replay).await.unwrap();
    opened.backend.complete(&opened.claim().await.unwrap(), None).await.unwrap();
}

/// A foreign replay that keeps its attempt's index claims the attempt that a flow's cancellation ended.
#[tokio::test]
async fn a_lease_on_an_attempt_that_a_flow_ended_expires_like_any_other() {
    let opened = open().await;
    let (flow_id, ids) = opened.create_flow(1).await;
    opened.claim().await.unwrap();
    cancel(&opened, &flow_id, ALL).await;
    let revive = "UPDATE ff_exec_core SET lifecycle_phase = 'runnable', \
                  eligibility_state = 'eligible_now', public_state = 'waiting'";
    opened.execute(revive).await;
    let handle = opened.claim().await.unwrap();
    assert_eq!((handle.attempt_index().0, handle.lease_epoch().0), (0, 3));
    opened.clock.advance(Duration::from_secs(60));
    let listed = ListExpiredLeasesArgs::new(opened.backend.now().await.unwrap());
    let listed = opened.backend.list_expired_leases(listed).await.unwrap();
    assert_eq!(listed.entries.len(), 1);
    assert_eq!(listed.entries[0].execution_id, ids[0]);
    let report = opened.backend.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();
    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
}

#[tokio::test]
async fn a_member_that_cannot_be_read_holds_up_no_other_and_is_named() {
    let opened = open().await;
    let (flow_id, ids) = opened.create_flow(3).await;
    let spoil = format!(
        "UPDATE ff_exec_core SET retry_count = -1 WHERE execution_id = '{}'",
        ids[1].uuid()
    );
    opened.execute(&spoil).await;
    let cancelled = opened.backend.cancel_flow(&flow_id, ALL, CancelFlowWait::NoWait).await;
    let expected = CancelFlowResult::PartiallyCancelled {
        cancellation_policy: "cancel_all".to_owned(),
        member_execution_ids: vec![ids[0].to_string(), ids[2].to_string()],
        failed_member_execution_ids: vec![ids[1].clone()],
    };
    assert_eq!(cancelled.unwrap(), expected);

    let (flow_id, ids) = opened.create_flow(2).await;
    let spoil = format!(
        "UPDATE ff_exec_core SET retry_count = -1 WHERE execution_id = '{}'",
        ids[1].uuid()
    );
    opened.execute(&spoil).await;
    let flow_only = CancelFlowPolicy::FlowOnly;
    assert_eq!(cancel(&opened, &flow_id, flow_only).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_flow_that_cannot_be_read_is_named() {
    for spoil in
        ["graph_revision = -1", "public_flow_state = 'opened'", "tags = '[]'", "raw_fields = '1'"]
    {
        let opened = open().await;
        let (flow_id, _) = opened.create_flow(1).await;
        opened.execute(&format!("UPDATE ff_flow_core SET {spoil}")).await;
        let named = format!("ff_flow_core.{} of {flow_id}: ", spoil.split(' ').next().unwrap());
        assert_corrupt(opened.backend.describe_flow(&flow_id).await, &named);
        assert_corrupt(opened.backend.list_flows(ListFlowsArgs::default()).await, &named);
        let cancelled = opened.backend.cancel_flow(&flow_id, ALL, CancelFlowWait::NoWait).await;
        assert_corrupt(cancelled, &named);
        assert_corrupt(opened.backend.cancel_flow_header(header_args(&flow_id)).await, &named);
    }
}

#[tokio::test]
async fn flows_of_another_program_are_listed_by_state() {
    let opened = open().await;
    let (open_flow, done) =
        (insert_flow(&opened, "open").await, insert_flow(&opened, "completed").await);
    let list = async |state| {
        let args = ListFlowsArgs { public_flow_state: state, ..ListFlowsArgs::default() };
        let listed = opened.backend.list_flows(args).await.unwrap();
        listed.flows.into_iter().map(|flow| flow.flow_id).collect::<Vec<_>>()
    };
    assert_eq!(list(Some(PublicFlowState::Open)).await, [open_flow]);
    assert_eq!(list(Some(PublicFlowState::Completed)).await, [done]);
    let mut both = [open_flow, done];
    both.sort();
    assert_eq!(list(None).await, both);
    let cancelled = opened.backend.cancel_flow_header(header_args(&done)).await.unwrap();
    let expected = CancelFlowHeader::AlreadyTerminal {
        stored_cancellation_policy: None,
        stored_cancel_reason: None,
        member_execution_ids: Vec::new(),
    };
    assert_eq!(cancelled, expected);
}

/// The rows of a backlog that name nothing that is there, and a flow in it that no member is left of.
#[tokio::test]
async fn what_is_left_in_a_backlog_is_drained() {
    let opened = open().await;
    let nil = Uuid::nil();
    let flow_id = FlowId::new();
    let (members, flows) = ("ff_cancel_backlog_member", "ff_cancel_backlog");
    opened
        .execute(&format!(
            "INSERT INTO {flows} (partition_key, flow_id) VALUES (1, '{nil}'), (2, '{flow_id}'); \
             INSERT INTO {members} (partition_key, flow_id, execution_id) VALUES (1, '{nil}', '{nil}')"
        ))
        .await;
    let report = opened.backend.reconcile(ReconcileTask::DrainCancelBacklog, 10).await.unwrap();
    assert_eq!(report, ScanReport { processed: 2, errors: 0 });
    for table in [members, flows] {
        assert_eq!(opened.read_text(&format!("SELECT count(*) FROM {table}")).await, "0");
    }
}

#[tokio::test]
async fn members_whose_worker_lives_are_not_drained() {
    let opened = open().await;
    let (flow_id, _) = opened.create_flow(2).await;
    let policy = policy("alive");
    let capabilities = CapabilitySet::default();
    opened.backend.claim(&LaneId::new("default"), &capabilities, policy).await.unwrap().unwrap();
    let mut args = register_args("alive");
    args.namespace = Namespace::new("elsewhere");
    args.liveness_ttl_ms = i64::MAX.unsigned_abs();
    opened.backend.register_worker(args).await.unwrap();
    let spoil = "INSERT INTO ff_worker_registry (namespace, worker_instance_id, worker_id, \
                 last_heartbeat_ms, liveness_ttl_ms, registered_at_ms) \
                 VALUES ('spoilt', 'other', 'worker', 0, -9223372036854775808, 0)";
    opened.execute(spoil).await;
    opened.backend.cancel_flow_header(header_args(&flow_id)).await.unwrap();
    // As another program would have written the rows.
    opened.execute("UPDATE ff_cancel_backlog_member SET held_until_ms = NULL").await;

    let drain = ReconcileTask::DrainCancelBacklog;
    let report = opened.backend.reconcile(drain, 10).await.unwrap();

    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    opened.clock.advance(Duration::from_secs(3_600));
    assert_eq!(opened.backend.reconcile(drain, 10).await.unwrap(), ScanReport::default());
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_cancel_backlog_member").await, "1");
    opened.execute("DELETE FROM ff_worker_registry").await;
    let report = opened.backend.reconcile(drain, 10).await.unwrap();
    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_cancel_backlog").await, "0");
}

#[tokio::test]
async fn a_worker_that_cannot_be_read_is_named_and_holds_up_no_sweep() {
    let opened = open().await;
    let spoilt = "INSERT INTO ff_worker_registry (namespace, worker_instance_id, worker_id, \
                  last_heartbeat_ms, liveness_ttl_ms, registered_at_ms) \
                  VALUES ('default', 'i-' || n, 'worker', 0, -1, 0)";
    let spoilt =
        spoilt.replace("VALUES (", "SELECT ").replace(", 0)", ", 0 FROM generate_series(1, 5) n");
    opened.execute(&spoilt).await;
    let named = "ff_worker_registry.liveness_ttl_ms of i-1: ";
    assert_corrupt(opened.backend.list_workers(ListWorkersArgs::new()).await, named);
    assert_corrupt(opened.backend.register_worker(register_args("i-1")).await, named);
    opened.backend.register_worker(register_args("healthy")).await.unwrap();
    opened.clock.advance(Duration::from_secs(3_600));
    let report = opened.backend.reconcile(ReconcileTask::SweepWorkers, 2).await.unwrap();
    assert_eq!(report, ScanReport { processed: 1, errors: 5 });
}

#[tokio::test]
async fn a_worker_of_another_program_is_refreshed_and_beats() {
    let opened = open().await;
    let insert = format!(
        "INSERT INTO ff_worker_registry (namespace, worker_instance_id, worker_id, \
         last_heartbeat_ms, liveness_ttl_ms, registered_at_ms) \
         VALUES ('default', 'theirs', 'worker', {START}, 1000, 5)"
    );
    opened.execute(&insert).await;
    let namespace = Namespace::new("default");
    let beat = HeartbeatWorkerArgs::new(WorkerInstanceId::new("theirs"), namespace, START);
    let beaten = opened.backend.heartbeat_worker(beat).await.unwrap();
    assert!(matches!(beaten, HeartbeatWorkerOutcome::Refreshed { .. }));
    let registered = opened.backend.register_worker(register_args("theirs")).await.unwrap();
    assert_eq!(registered, RegisterWorkerOutcome::Refreshed);
    let listed = opened.backend.list_workers(ListWorkersArgs::new()).await.unwrap();
    assert_eq!(listed.entries[0].registered_at_ms.0, 5);
    assert_eq!(listed.entries[0].lanes.len(), 1);
}

#[tokio::test]
async fn a_flow_that_is_there_is_a_duplicate() {
    let opened = open().await;
    let flow_id = insert_flow(&opened, "completed").await;
    let mut args = flow_args();
    args.flow_id = flow_id;
    let created = opened.backend.create_flow(args).await.unwrap();
    assert_eq!(created, CreateFlowResult::Duplicate { flow_id });
    let flow = opened.backend.describe_flow(&flow_id).await.unwrap().unwrap();
    assert_eq!(flow.public_flow_state, PublicFlowState::Completed);
}

/// However many there are: a sweep of few gets past them.
#[tokio::test]
async fn workers_whose_arrays_cannot_be_read_hold_up_no_sweep() {
    for lanes in ["'{NULL}'", "'{{a,b},{c,d}}'"] {
        let opened = open().await;
        let spoilt = format!(
            "INSERT INTO ff_worker_registry (namespace, worker_instance_id, worker_id, lanes, \
             last_heartbeat_ms, liveness_ttl_ms, registered_at_ms) \
             SELECT 'default', 'i-' || n, 'worker', {lanes}::text[], 0, 1000, 0 \
             FROM generate_series(1, 5) n"
        );
        opened.execute(&spoilt).await;
        opened.backend.register_worker(register_args("j-healthy")).await.unwrap();
        opened.clock.advance(Duration::from_secs(3_600));
        let report = opened.backend.reconcile(ReconcileTask::SweepWorkers, 2).await.unwrap();
        assert_eq!(report.processed, 1, "{lanes}: {report:?}");
    }
}
