//! What another program has written, past the limits that ours keep.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Opened, args, lane, open, policy};
use ff_core::backend::{CapabilitySet, Handle};
use ff_core::contracts::{
    ClaimBatchArgs, CreateExecutionArgs, EventCursor, EventStream, ReconcileTask, RecordedEvent,
    ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::state::{
    AttemptOutcome, AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState,
    derive_public_state,
};
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace, TimestampMs};
use futures::future::join_all;
use sqlx::Row;
use uuid::Uuid;

/// An error that says that this column is corrupt.
fn assert_corrupt<T: std::fmt::Debug>(answer: Result<T, EngineError>, named: &str) {
    match answer {
        Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
            assert!(detail.starts_with(named), "{detail}");
        }
        other => panic!("{named}: {other:?}"),
    }
}

#[tokio::test]
async fn a_row_that_the_rules_cannot_read_is_passed_by_and_holds_up_nothing() {
    for spoil in [
        "raw_fields = '\"x\"'",
        "raw_fields = '[]'",
        "raw_fields = '{\"replay_count\": null}'",
        "raw_fields = '{\"replay_count\": \"1\"}'",
        "raw_fields = '{\"replay_count\": -1}'",
        "raw_fields = '{\"replay_count\": 1.5}'",
        "raw_fields = '{\"replay_count\": 4294967296}'",
        "retry_count = -1",
        "reclaim_count = -1",
        "attempt_index = -1",
        "tags = '[]'",
        "tags = '{\"key\": 1}'",
        "tags = '{\"key\": null}'",
        "policy = 'null'",
        "policy = '5'",
        "lifecycle_phase = 'asleep'",
        "ownership_state = 'asleep'",
        "eligibility_state = 'asleep'",
        "attempt_state = 'asleep'",
        "public_state = 'asleep'",
    ] {
        let opened = open().await;
        let corrupt = opened.create().await;
        opened.execute(&format!("UPDATE ff_exec_core SET {spoil}")).await;
        let healthy = opened.create().await;

        let claimed = opened.claim().await.unwrap();

        assert_eq!(claimed.execution_id(), &healthy, "{spoil}");
        assert!(opened.claim().await.is_none(), "{spoil}");
        let column = spoil.split(' ').next().unwrap();
        let named = format!("ff_exec_core.{column} of {corrupt}");
        assert_corrupt(opened.backend.describe_execution(&corrupt).await, &named);
    }
}

#[tokio::test]
async fn an_attempt_without_a_next_epoch_is_passed_by() {
    for epoch in [-5, i64::MAX] {
        let opened = open().await;
        opened.create().await;
        let insert =
            "INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch)";
        let select = "SELECT partition_key, execution_id, attempt_index";
        opened.execute(&format!("{insert} {select}, {epoch} FROM ff_exec_core")).await;
        let healthy = opened.create().await;
        assert_eq!(opened.claim().await.unwrap().execution_id(), &healthy);
        assert!(opened.claim().await.is_none());
    }
}

#[tokio::test]
async fn a_lane_of_corrupt_rows_is_an_empty_one() {
    let opened = open().await;
    let batch = (0..300).map(|_| args()).collect();
    opened.backend.create_executions(batch).await.unwrap();
    opened.execute("UPDATE ff_exec_core SET tags = '[]'").await;
    assert!(opened.claim().await.is_none());
    let healthy = opened.create().await;
    assert_eq!(opened.claim().await.unwrap().execution_id(), &healthy);
}

/// What the claim's statement takes for a policy, and the rules do not.
const UNREADABLE_POLICY: &str =
    "UPDATE ff_exec_core SET policy = '{\"max_replay_count\": \"x\"}' WHERE execution_id";

async fn spoil_policy(opened: &Opened, id: &ExecutionId) {
    opened.execute(&format!("{UNREADABLE_POLICY} = '{}'", id.uuid())).await;
}

/// A column of an execution's row, as text.
async fn column(opened: &Opened, id: &ExecutionId, name: &str) -> String {
    let select = "SELECT to_jsonb(e) ->> $3 AS text FROM ff_exec_core AS e \
                  WHERE partition_key = $1 AND execution_id = $2";
    let select = sqlx::query(select).bind(i64::from(id.partition())).bind(id.uuid()).bind(name);
    select.fetch_one(opened.pool()).await.unwrap().get("text")
}

#[tokio::test]
async fn an_unreadable_policy_blocks_its_execution_and_names_itself() {
    let opened = open().await;
    let corrupt = opened.create().await;
    spoil_policy(&opened, &corrupt).await;
    let healthy = opened.create().await;

    assert_eq!(opened.claim().await.unwrap().execution_id(), &healthy);

    assert!(opened.claim().await.is_none());
    let word = async |name| column(&opened, &corrupt, name).await;
    let phase: LifecyclePhase = word("lifecycle_phase").await.parse().unwrap();
    let eligibility: EligibilityState = word("eligibility_state").await.parse().unwrap();
    let public: PublicState = word("public_state").await.parse().unwrap();
    assert_eq!(
        (phase, eligibility),
        (LifecyclePhase::Runnable, EligibilityState::BlockedByOperator)
    );
    assert_eq!(derive_public_state(phase, eligibility, None), Some(public));
    assert_eq!(word("ownership_state").await, OwnershipState::Unowned.as_str());
    assert_eq!(word("attempt_state").await, AttemptState::AttemptInterrupted.as_str());
    assert_eq!(word("attempt_index").await, "1");
    let reason = word("blocking_reason").await;
    assert!(reason.contains(&format!("ff_exec_core.policy of {corrupt}: ")), "{reason}");
}

#[tokio::test]
async fn a_blocked_execution_has_its_lease_taken_back_and_goes_on_once_it_is_mended() {
    let opened = open().await;
    let id = opened.create().await;
    spoil_policy(&opened, &id).await;

    assert!(opened.claim().await.is_none());

    let attempts = opened.backend.list_attempts(&id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome, Some(AttemptOutcome::Released));
    assert_eq!(attempts[0].lease_expires_at, None);
    assert_eq!(lease_events(&opened, &id).await, ["acquired", "released"]);
    let mend = "UPDATE ff_exec_core \
                SET policy = NULL, eligibility_state = 'eligible_now', blocking_reason = NULL";
    opened.execute(mend).await;
    let handle = opened.claim().await.unwrap();
    assert_eq!(handle.attempt_index().0, 1);
    opened.backend.complete(&handle, None).await.unwrap();
}

async fn lease_events(opened: &Opened, id: &ExecutionId) -> Vec<String> {
    let events = opened.backend.list_execution_events(id).await.unwrap();
    let leases = events.into_iter().filter(|event| event.stream == EventStream::Lease);
    leases.map(|event| event.name).collect()
}

#[tokio::test]
async fn an_unreadable_policy_is_claimed_by_nobody_twice_and_healthy_work_once() {
    let opened = open().await;
    let batch: Vec<_> = (0..20).map(|_| args()).collect();
    let ids: Vec<_> = batch.iter().map(|args| args.execution_id.clone()).collect();
    opened.backend.create_executions(batch).await.unwrap();
    let (corrupt, healthy): (Vec<_>, Vec<_>) =
        ids.iter().cloned().enumerate().partition(|(place, _)| place % 2 == 0);
    for (_, id) in &corrupt {
        spoil_policy(&opened, id).await;
    }

    let claims = (0..4).map(|_| claim_all(&opened));
    let claimed: Vec<_> = join_all(claims).await.into_iter().flatten().collect();

    let taken: BTreeSet<_> = claimed.iter().map(|handle| handle.execution_id()).collect();
    assert_eq!(claimed.len(), taken.len());
    assert_eq!(taken, healthy.iter().map(|(_, id)| id).collect());
    for (_, id) in &corrupt {
        assert_eq!(lease_events(&opened, id).await, ["acquired", "released"]);
    }
}

/// Claims until there is nothing left.
async fn claim_all(opened: &Opened) -> Vec<Handle> {
    let mut handles = Vec::new();
    loop {
        let (lanes, policy) = (vec![lane()], policy("instance"));
        let args = ClaimBatchArgs { lanes, capabilities: CapabilitySet::default(), policy, max: 3 };
        let claimed = opened.backend.claim_batch(args).await.unwrap();
        if claimed.is_empty() && !any_is_claimable(opened).await {
            return handles;
        }
        handles.extend(claimed.into_iter().map(|claimed| claimed.handle));
    }
}

/// Whether a claim that found nothing was only passed by those beside it.
async fn any_is_claimable(opened: &Opened) -> bool {
    let find = "SELECT 1 FROM ff_exec_core WHERE eligibility_state = 'eligible_now'";
    sqlx::query(find).fetch_optional(opened.pool()).await.unwrap().is_some()
}

/// The words that the claim's statement takes in a column.
async fn readable(opened: &Opened, column: &str, words: &BTreeSet<&str>) -> Vec<String> {
    let select = "SELECT word FROM unnest($2::text[]) AS item (word), ff_exec_core AS e \
                  WHERE ff_is_readable(jsonb_populate_record(e, jsonb_build_object($1, word))) \
                  ORDER BY word COLLATE \"C\"";
    let words: Vec<&str> = words.iter().copied().collect();
    let rows = sqlx::query(select).bind(column).bind(words).fetch_all(opened.pool()).await.unwrap();
    rows.iter().map(|row| row.get("word")).collect()
}

/// Every spelling of a state word that the rules read, and no other, is readable.
#[tokio::test]
async fn the_claim_reads_the_words_that_the_rules_read() {
    let opened = open().await;
    opened.create().await;
    let ownership: BTreeSet<_> =
        OwnershipState::ALL.iter().flat_map(|word| word.spellings()).copied().collect();
    let attempt: BTreeSet<_> =
        AttemptState::ALL.iter().flat_map(|word| word.spellings()).copied().collect();
    let public: BTreeSet<_> =
        PublicState::ALL.iter().flat_map(|word| word.spellings()).copied().collect();
    let eligibility = EligibilityState::ALL.iter().map(|word| word.as_str());
    let mut every: BTreeSet<&str> =
        eligibility.chain(["", "Waiting", "leased ", "asleep"]).collect();
    for vocabulary in [&ownership, &attempt, &public] {
        every.extend(vocabulary);
    }
    for (column, vocabulary) in
        [("ownership_state", ownership), ("attempt_state", attempt), ("public_state", public)]
    {
        let readable = readable(&opened, column, &every).await;
        assert_eq!(readable, vocabulary.into_iter().collect::<Vec<_>>(), "{column}");
    }
}

#[tokio::test]
async fn corrupt_rows_do_not_starve_a_sweep() {
    let opened = open().await;
    let delayed =
        || CreateExecutionArgs { delay_until: Some(TimestampMs(args().now.0 + 1_000)), ..args() };
    opened.backend.create_executions((0..20).map(|_| delayed()).collect()).await.unwrap();
    opened.execute("UPDATE ff_exec_core SET retry_count = -1").await;
    opened.backend.create_execution(delayed()).await.unwrap();
    opened.clock.advance(Duration::from_secs(2));

    let report = opened.backend.reconcile(ReconcileTask::PromoteDue, 1).await.unwrap();

    assert_eq!(report, ScanReport { processed: 1, errors: 20 });
}

#[tokio::test]
async fn corrupt_leases_do_not_keep_others_from_expiring() {
    let opened = open().await;
    for _ in 0..5 {
        opened.create().await;
        opened.claim().await.unwrap();
    }
    opened.execute("UPDATE ff_exec_core SET tags = '[]'").await;
    opened.execute("UPDATE ff_attempt SET lease_expires_at_ms = 1").await;
    opened.create().await;
    opened.claim().await.unwrap();
    opened.clock.advance(Duration::from_secs(3_600));

    let report = opened.backend.reconcile(ReconcileTask::ExpireLeases, 1).await.unwrap();

    assert_eq!(report, ScanReport { processed: 1, errors: 5 });
}

#[tokio::test]
async fn a_retention_that_is_none_trims_nothing() {
    let opened = open().await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    opened.backend.complete(&handle, None).await.unwrap();
    opened.backend.set_retention(&Namespace::new("default"), Some(Duration::ZERO)).await.unwrap();
    for retention in ["-1", "-1000000000", "-9223372036854775808", "9223372036854775807", "NULL"] {
        opened.execute(&format!("UPDATE ff_namespace SET retention_ms = {retention}")).await;
        let report = opened.backend.reconcile(ReconcileTask::TrimRetention, 1).await.unwrap();
        assert_eq!(report, ScanReport::default(), "{retention}");
    }
}

#[tokio::test]
async fn requirements_that_only_the_column_tells_count() {
    let opened = open().await;
    opened.create().await;
    opened.execute("UPDATE ff_exec_core SET required_capabilities = '{gpu,big,gpu}'").await;
    let claim = async |capabilities: &[&str]| {
        let capabilities = CapabilitySet::new(capabilities.iter().copied());
        opened.backend.claim(&lane(), &capabilities, policy("instance")).await.unwrap()
    };
    assert!(claim(&[]).await.is_none());
    assert!(claim(&["gpu"]).await.is_none());
    assert!(claim(&["gpu", "big", "fast"]).await.is_some());
}

#[tokio::test]
async fn a_list_is_not_stopped_by_a_lane_in_an_unknown_state() {
    let opened = open().await;
    opened.create().await;
    opened.execute("UPDATE ff_lane SET state = 'draining'").await;
    let page = opened.backend.list_executions(&Default::default(), None, 10).await.unwrap();
    assert_eq!(page.executions.len(), 1);
    assert_corrupt(opened.backend.list_lanes().await, "ff_lane.state of default: ");
}

#[tokio::test]
async fn an_unknown_state_is_told_and_not_left_out() {
    let opened = open().await;
    opened.create().await;
    opened.execute("UPDATE ff_exec_core SET public_state = 'asleep'").await;
    for answer in [
        opened.backend.list_executions(&Default::default(), None, 10).await.map(|_| ()),
        opened.backend.count_executions(&Default::default()).await.map(|_| ()),
    ] {
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("public_state"), "{error}");
    }
}

const INSERT_OPERATOR_EVENT: &str = "INSERT INTO ff_operator_event \
    (partition_key, execution_id, event_type, details, occurred_at_ms, namespace) \
    VALUES (3, '550e8400-e29b-41d4-a716-446655440000', 'paused', '{\"by\": \"me\"}', 5, 'tenant')";

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named() {
    for (stream, spoil) in [
        (EventStream::Lease, "partition_key = -1"),
        (EventStream::Lease, "execution_id = 'x'"),
        (EventStream::Completion, "partition_key = -1"),
        (EventStream::Operator, "execution_id = 'x'"),
        (EventStream::Operator, "details = '1e400'"),
    ] {
        let opened = open().await;
        opened.create().await;
        let handle = opened.claim().await.unwrap();
        opened.backend.complete(&handle, None).await.unwrap();
        opened.execute(INSERT_OPERATOR_EVENT).await;
        opened.execute(&format!("UPDATE ff_{stream}_event SET {spoil}")).await;

        opened.database.settle().await;

        let column = spoil.split(' ').next().unwrap();
        let named = format!("ff_{stream}_event.{column} of 1: ");
        assert_corrupt(opened.backend.read_events(stream, None, 10).await, &named);
    }
}

#[tokio::test]
async fn an_event_of_another_program_is_read_whole() {
    let opened = open().await;
    opened.execute(INSERT_OPERATOR_EVENT).await;
    let nil = Uuid::nil();
    let insert = format!(
        "INSERT INTO ff_completion_event \
         (partition_key, execution_id, flow_id, outcome, occurred_at_ms, instance_tag) \
         VALUES (3, '{nil}', '{nil}', 'success', 5, 'blue')"
    );
    opened.execute(&insert).await;
    opened.database.settle().await;

    let operator = opened.backend.read_events(EventStream::Operator, None, 10).await.unwrap();
    let completion = opened.backend.read_events(EventStream::Completion, None, 10).await.unwrap();

    let event = |read: &[RecordedEvent], uuid, name| {
        let id = ExecutionId::from_parts(3, uuid);
        RecordedEvent::new(read[0].cursor, id, TimestampMs(5), name)
    };
    let uuid = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
    let mut paused = event(&operator, uuid, "paused");
    paused.details = serde_json::json!({"by": "me"});
    paused.namespace = Namespace::new("tenant");
    assert_eq!(operator, [paused]);
    let mut success = event(&completion, nil, "success");
    success.flow_id = Some(FlowId(nil));
    success.instance_tag = Some("blue".to_owned());
    assert_eq!(completion, [success]);
}

#[tokio::test]
async fn a_cursor_beyond_every_event_reads_nothing() {
    let opened = open().await;
    opened.create().await;
    opened.claim().await.unwrap();
    opened.database.settle().await;
    let read =
        async |after| opened.backend.read_events(EventStream::Lease, after, 10).await.unwrap();
    let last = read(None).await[0].cursor;
    for beyond in
        [last, EventCursor::new(last.transaction(), u64::MAX), EventCursor::new(u64::MAX, 0)]
    {
        assert_eq!(read(Some(beyond)).await, [], "{beyond}");
    }
}

#[tokio::test]
async fn a_lane_of_another_program_is_claimed_from_listed_and_paused() {
    let opened = open().await;
    opened.create().await;
    opened.execute("UPDATE ff_exec_core SET lane_id = 'theirs'; TRUNCATE ff_lane").await;
    let theirs = LaneId::new("theirs");
    let lanes = opened.backend.list_lanes().await.unwrap();
    assert_eq!(lanes.iter().map(|lane| &lane.lane_id).collect::<Vec<_>>(), [&theirs]);
    let claim = async || {
        opened.backend.claim(&theirs, &CapabilitySet::default(), policy("instance")).await.unwrap()
    };
    opened.backend.pause_lane(&theirs).await.unwrap();
    assert!(claim().await.is_none());
    opened.backend.resume_lane(&theirs).await.unwrap();
    assert!(claim().await.is_some());
}

async fn spoiled(spoil: &str) -> (Opened, ExecutionId) {
    let opened = open().await;
    let id = opened.create().await;
    opened.execute(&format!("UPDATE ff_exec_core SET {spoil}")).await;
    (opened, id)
}

/// jsonb holds numbers that no type of ours does; what is not ours is not read.
#[tokio::test]
async fn fields_of_other_programs_may_hold_any_number() {
    let (opened, id) = spoiled("raw_fields = '{\"theirs\": 1e400}'").await;
    assert!(opened.backend.describe_execution(&id).await.is_ok());
    assert!(opened.claim().await.is_some());
}

/// In the path's lax mode the filter looks into arrays: the tag is taken for a text, and so the row is
/// leased and blocked where it should be passed by.
#[tokio::test]
async fn a_tag_that_is_an_array_is_passed_by() {
    let (opened, id) = spoiled("tags = '{\"key\": [\"text\"]}'").await;
    assert!(opened.claim().await.is_none());
    assert_eq!(opened.backend.list_attempts(&id).await.unwrap().len(), 0);
}

/// The rules read an array as a policy of defaults, and the claim's statement does not: the row looks
/// healthy and is never claimed, nor told.
#[tokio::test]
async fn a_policy_is_claimed_if_and_only_if_it_is_read() {
    let (opened, id) = spoiled("policy = '[]'").await;
    let is_read = opened.backend.describe_execution(&id).await.is_ok();
    assert_eq!(opened.claim().await.is_some(), is_read);
}

/// CLAIM-4. However many unreadable policies stand before it, healthy work is found by one claim.
#[tokio::test]
async fn healthy_work_behind_unreadable_policies_is_claimed() {
    let opened = open().await;
    for _ in 0..6 {
        opened.create().await;
    }
    opened.execute("UPDATE ff_exec_core SET policy = '{\"max_replay_count\": \"x\"}'").await;
    let healthy = opened.create().await;
    let claimed = opened.claim().await;
    assert_eq!(claimed.map(|handle| handle.execution_id().clone()), Some(healthy));
}
