use ff_core::engine_error::ValidationKind;
use ff_core::state::{AttemptOutcome, AttemptState, PublicState};

use super::*;

const KEY: KeyRow = KeyRow { partition_key: 3, execution_id: Uuid::from_u128(7) };
const ID: &str = "{fp:3}:00000000-0000-0000-0000-000000000007";

fn execution_row() -> ExecutionRow {
    ExecutionRow {
        key: KEY,
        flow_id: None,
        lane_id: "lane".to_owned(),
        namespace: "default".to_owned(),
        execution_kind: String::new(),
        creator_identity: String::new(),
        tags: "{}".to_owned(),
        policy: None,
        priority: 0,
        created_at_ms: 1,
        deadline_at_ms: None,
        lifecycle_phase: "submitted".to_owned(),
        ownership_state: "unowned".to_owned(),
        eligibility_state: "eligible_now".to_owned(),
        attempt_state: "initial".to_owned(),
        public_state: "pending".to_owned(),
        blocking_reason: None,
        cancellation_reason: None,
        cancelled_by: None,
        started_at_ms: None,
        terminal_at_ms: None,
        eligible_at_ms: None,
        retry_count: 0,
        reclaim_count: 0,
        attempt_index: 0,
        raw_fields: "{}".to_owned(),
    }
}

fn attempt_row() -> AttemptRow {
    AttemptRow {
        attempt_index: 0,
        worker_id: None,
        worker_instance_id: None,
        lease_epoch: 0,
        lease_expires_at_ms: None,
        started_at_ms: None,
        terminal_at_ms: None,
        outcome: Some("retry".to_owned()),
        error: Some(r#"{"class":"transient","message":"m"}"#.to_owned()),
        progress: Some("[1]".to_owned()),
    }
}

fn assert_corrupt<T: std::fmt::Debug>(result: Result<T, EngineError>, column: &str) {
    match result {
        Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
            assert!(detail.starts_with(&format!("{column} of {ID}: ")), "{column}: {detail}");
        }
        other => panic!("{column}: {other:?}"),
    }
}

#[test]
fn a_row_with_older_spellings_is_read() {
    let execution = execution_row().into_execution(None).unwrap();
    assert_eq!(execution.execution_id.as_str(), ID);
    assert_eq!(execution.attempt_state, AttemptState::Pending);
    assert_eq!(execution.public_state, PublicState::Waiting);
}

#[test]
fn every_column_that_can_be_corrupt_is_named() {
    type Spoil = fn(&mut ExecutionRow);
    let cases: [(&str, Spoil); 13] = [
        ("tags", |row| row.tags = "[]".to_owned()),
        ("tags", |row| row.tags = r#"{"a":1}"#.to_owned()),
        ("policy", |row| row.policy = Some("{".to_owned())),
        ("priority", |row| row.priority = i64::MAX),
        ("lifecycle_phase", |row| row.lifecycle_phase = "Active".to_owned()),
        ("ownership_state", |row| row.ownership_state = String::new()),
        ("eligibility_state", |row| row.eligibility_state = "x".to_owned()),
        ("attempt_state", |row| row.attempt_state = "x".to_owned()),
        ("public_state", |row| row.public_state = "x".to_owned()),
        ("retry_count", |row| row.retry_count = -1),
        ("reclaim_count", |row| row.reclaim_count = i64::MAX),
        ("attempt_index", |row| row.attempt_index = -1),
        ("raw_fields", |row| row.raw_fields = r#"{"replay_count":"1"}"#.to_owned()),
    ];
    for (column, spoil) in cases {
        let mut row = execution_row();
        spoil(&mut row);
        assert_corrupt(row.into_execution(None), &format!("ff_exec_core.{column}"));
    }
}

#[test]
fn every_attempt_column_that_can_be_corrupt_is_named() {
    type Spoil = fn(&mut AttemptRow);
    let cases: [(&str, Spoil); 7] = [
        ("attempt_index", |row| row.attempt_index = -1),
        ("lease_epoch", |row| row.lease_epoch = -1),
        ("lease_epoch", |row| row.lease_epoch = i64::MAX),
        ("outcome", |row| row.outcome = Some("won".to_owned())),
        ("error", |row| row.error = Some(r#"{"class":"odd","message":""}"#.to_owned())),
        ("error", |row| row.error = Some(r#"["transient","m"]"#.to_owned())),
        ("progress", |row| row.progress = Some("{".to_owned())),
    ];
    for (column, spoil) in cases {
        let mut row = attempt_row();
        spoil(&mut row);
        assert_corrupt(row.into_attempt(KEY), &format!("ff_attempt.{column}"));
    }
}

#[test]
fn an_attempt_row_is_read() {
    let attempt = attempt_row().into_attempt(KEY).unwrap();
    assert_eq!(attempt.outcome, Some(AttemptOutcome::Retry));
    assert_eq!(attempt.error.unwrap().message, "m");
    assert_eq!(attempt.progress, Some(serde_json::json!([1])));
}

#[test]
fn a_partition_out_of_range_is_corrupt() {
    let key = KeyRow { partition_key: -1, ..KEY };
    assert_eq!(key.to_string(), ID.replace('3', "-1"));
    assert_eq!(KEY.to_string(), ID);
    assert!(matches!(
        key.execution_id(),
        Err(EngineError::Validation { kind: ValidationKind::Corruption, .. })
    ));
}

#[test]
fn a_foreign_row_without_payload_has_an_empty_one() {
    let row = ContextRow {
        key: KEY,
        lane_id: "lane".to_owned(),
        namespace: "default".to_owned(),
        execution_kind: String::new(),
        payload: None,
        payload_encoding: String::new(),
        tags: "{}".to_owned(),
        policy: None,
    };
    let context = row.into_context().unwrap();
    assert_eq!((context.input_payload, context.payload_encoding), (Vec::new(), None));
}
