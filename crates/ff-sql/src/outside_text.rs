//! Properties of the rows: another program may have written anything into a column.
//!
//! What a decision writes reads back. Whatever else a column holds is read as a value, or is a corruption that
//! names the table and the column.

#[path = "../../ff-core/src/outside_text/mutate.rs"]
#[expect(dead_code, reason = "the parsers of ff-core have more properties")]
mod mutate;

use std::collections::HashMap;

use ff_core::backend::FailureClass;
use ff_core::decision::Patch;
use ff_core::engine_error::{EngineError, ValidationKind};
use ff_core::execution::{Attempt, AttemptError, Execution, ExecutionKey};
use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy};
use ff_core::state::{
    AttemptOutcome, AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState,
};
use ff_core::types::{
    AttemptIndex, ExecutionId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerId,
};
use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use uuid::Uuid;

use crate::document::{AttemptDocument, PatchDocument};
use crate::event_row::EventRow;
use crate::flow_row::FlowRow;
use crate::row::{AttemptRow, ContextRow, ExecutionRow, KeyRow};
use crate::worker_row::{self, WorkerRow};
use mutate::{any_text, mutated};

/// A value, or a corruption that names one of the columns of the table.
fn is_sound<T>(
    read: Result<T, EngineError>,
    table: &str,
    columns: &[&str],
) -> Result<(), TestCaseError> {
    match read {
        Ok(_) => Ok(()),
        Err(EngineError::Validation { kind: ValidationKind::Corruption, detail }) => {
            let named = columns.iter().any(|it| detail.starts_with(&format!("{table}.{it} of ")));
            prop_assert!(named, "{detail}");
            Ok(())
        }
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

fn json_of(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// What a column of text may hold: what belongs there, almost that, or anything.
fn column(valid: &'static [&'static str]) -> impl Strategy<Value = String> {
    let valid = || select(valid).prop_map(str::to_owned);
    prop_oneof![valid(), mutated(valid()), any_text()]
}

fn number() -> impl Strategy<Value = i64> {
    let ends = vec![-1, i64::MAX, i64::from(u32::MAX), i64::from(i32::MAX)];
    prop_oneof![0..3_i64, any::<i64>(), select(ends)]
}

const OBJECTS: &[&str] = &["{}", r#"{"a":"b"}"#, r#"{"replay_count":4294967295}"#];
const POLICIES: &[&str] =
    &["{}", r#"{"retry_policy":{"backoff":{"type":"fixed","delay_ms":1}},"max_replay_count":3}"#];
const UUIDS: &[&str] =
    &["550e8400-e29b-41d4-a716-446655440000", "550E8400E29B41D4A716446655440000"];

fn execution_row() -> impl Strategy<Value = ExecutionRow> {
    let words = (
        column(&["submitted", "active"]),
        column(&["unowned", "leased"]),
        column(&["eligible_now", "not_applicable"]),
        column(&["pending", "initial"]),
        column(&["waiting", "claimed"]),
    );
    let json = (column(OBJECTS), option::of(column(POLICIES)), column(OBJECTS));
    let numbers = (number(), number(), number(), number(), number());
    (words, json, numbers, any::<String>(), option::of(number())).prop_map(
        |(words, json, numbers, text, time)| ExecutionRow {
            key: KeyRow { partition_key: numbers.0, execution_id: Uuid::from_u128(7) },
            flow_id: None,
            lane_id: text.clone(),
            namespace: text.clone(),
            execution_kind: text.clone(),
            creator_identity: text.clone(),
            tags: json.0,
            policy: json.1,
            priority: numbers.1,
            created_at_ms: numbers.1,
            deadline_at_ms: time,
            lifecycle_phase: words.0,
            ownership_state: words.1,
            eligibility_state: words.2,
            attempt_state: words.3,
            public_state: words.4,
            blocking_reason: Some(text.clone()),
            cancellation_reason: Some(text.clone()),
            cancelled_by: Some(text),
            started_at_ms: time,
            terminal_at_ms: time,
            eligible_at_ms: time,
            retry_count: numbers.2,
            reclaim_count: numbers.3,
            attempt_index: numbers.4,
            raw_fields: json.2,
        },
    )
}

fn attempt_row() -> impl Strategy<Value = AttemptRow> {
    let error = column(&[r#"{"class":"transient","message":"m"}"#, r#"["transient","m"]"#, "null"]);
    let json = (option::of(error), option::of(column(&["[1]", "null", "1.5"])));
    let outcome = option::of(column(&["retry", "success"]));
    (number(), number(), option::of(number()), outcome, json, option::of(any::<String>())).prop_map(
        |(attempt_index, lease_epoch, time, outcome, (error, progress), worker)| AttemptRow {
            attempt_index,
            worker_id: worker.clone(),
            worker_instance_id: worker,
            lease_epoch,
            lease_expires_at_ms: time,
            started_at_ms: time,
            terminal_at_ms: time,
            outcome,
            error,
            progress,
        },
    )
}

fn key() -> KeyRow {
    KeyRow { partition_key: 3, execution_id: Uuid::from_u128(7) }
}

fn policy() -> impl Strategy<Value = ExecutionPolicy> {
    let finite = any::<u64>().prop_map(f64::from_bits).prop_filter("JSON", |it| it.is_finite());
    (any::<u32>(), any::<u64>(), finite, any::<bool>()).prop_map(
        |(max_retries, delay, multiplier, jitter)| ExecutionPolicy {
            retry_policy: Some(RetryPolicy {
                max_retries,
                backoff: BackoffStrategy::Exponential {
                    initial_delay_ms: delay,
                    max_delay_ms: delay,
                    multiplier,
                    jitter,
                },
                retryable_categories: Vec::new(),
            }),
            ..ExecutionPolicy::default()
        },
    )
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let outcome = option::of(select(AttemptOutcome::ALL));
    let error = (select(FailureClass::ALL), any::<String>(), option::of("([0-9a-f]{2}){1,4}"));
    let progress = prop_oneof![
        any::<String>().prop_map(Value::from),
        vec(any::<u64>(), 0..3).prop_map(Value::from),
        hash_map(any::<String>(), any::<f64>(), 0..3).prop_map(|it| serde_json::json!(it)),
    ];
    let numbers = (0..i32::MAX as u32, 0..i64::MAX as u64, option::of(any::<i64>()));
    (numbers, outcome, option::of(error), option::of(progress)).prop_map(
        |((index, epoch, time), outcome, error, progress)| {
            let mut attempt = Attempt::unclaimed(AttemptIndex(index));
            attempt.worker_id = time.map(|time| WorkerId(time.to_string()));
            attempt.lease_epoch = LeaseEpoch(epoch);
            attempt.started_at = time.map(TimestampMs);
            attempt.outcome = outcome;
            attempt.error = error.map(|(class, message, detail_hex)| {
                let mut error = AttemptError::new(class, message);
                error.detail_hex = detail_hex;
                error
            });
            attempt.progress = progress;
            attempt
        },
    )
}

proptest! {
    #[test]
    fn whatever_an_execution_holds_is_read_or_named(row in execution_row()) {
        const COLUMNS: &[&str] = &[
            "partition_key", "tags", "policy", "priority", "lifecycle_phase", "ownership_state",
            "eligibility_state", "attempt_state", "public_state", "retry_count", "reclaim_count",
            "attempt_index", "raw_fields",
        ];
        let context = ContextRow {
            key: row.key,
            lane_id: row.lane_id.clone(),
            namespace: row.namespace.clone(),
            execution_kind: row.execution_kind.clone(),
            payload: None,
            payload_encoding: row.lane_id.clone(),
            tags: row.tags.clone(),
            policy: row.policy.clone(),
        };
        is_sound(context.into_context(), "ff_exec_core", COLUMNS)?;
        is_sound(row.into_execution(None), "ff_exec_core", COLUMNS)?;
    }

    #[test]
    fn whatever_an_attempt_holds_is_read_or_named(row in attempt_row()) {
        let columns = ["attempt_index", "lease_epoch", "outcome", "error", "progress"];
        is_sound(row.into_attempt(key()), "ff_attempt", &columns)?;
    }

    #[test]
    fn whatever_an_event_holds_is_read_or_named(
        numbers in (number(), number(), number()),
        execution_id in column(UUIDS),
        flow_id in option::of(column(UUIDS)),
        details in option::of(column(OBJECTS)),
    ) {
        let row = EventRow {
            transaction: numbers.0,
            event_id: numbers.1,
            partition_key: numbers.2,
            execution_id,
            flow_id,
            name: "success".to_owned(),
            details,
            occurred_at_ms: numbers.0,
            namespace: "default".to_owned(),
            instance_tag: None,
        };
        let columns =
            ["transaction", "event_id", "partition_key", "execution_id", "flow_id", "details"];
        is_sound(row.into_event("ff_lease_event"), "ff_lease_event", &columns)?;
    }

    #[test]
    fn whatever_a_flow_holds_is_read_or_named(
        graph_revision in number(),
        state in column(&["open", "cancelled"]),
        tags in column(OBJECTS),
        raw_fields in column(&["{}", r#"{"cancellation_policy":"cancel_all","cancel_reason":null}"#]),
    ) {
        let row = FlowRow {
            flow_id: Uuid::from_u128(7),
            graph_revision,
            public_flow_state: state,
            created_at_ms: graph_revision,
            terminal_at_ms: None,
            namespace: tags.clone(),
            flow_kind: tags.clone(),
            tags,
            raw_fields,
        };
        let columns = ["graph_revision", "public_flow_state", "tags", "raw_fields"];
        is_sound(row.into_flow(), "ff_flow_core", &columns)?;
    }

    #[test]
    fn whatever_a_worker_holds_is_read_or_named(
        ttl in number(),
        names in column(&["[]", r#"["a","b"]"#]),
        lanes in vec(any_text(), 0..3),
    ) {
        let read = worker_row::names("lanes", "i", &names);
        is_sound(read, "ff_worker_registry", &["lanes"])?;
        is_sound(worker_row::names("lanes", "i", &json_of(&lanes)).map(|read| {
            assert_eq!(read, lanes);
        }), "ff_worker_registry", &[])?;
        let row = WorkerRow {
            worker_id: names.clone(),
            worker_instance_id: names,
            namespace: "default".to_owned(),
            lanes: lanes.clone(),
            capabilities: lanes,
            last_heartbeat_ms: ttl,
            liveness_ttl_ms: ttl,
            registered_at_ms: ttl,
        };
        is_sound(row.into_info(), "ff_worker_registry", &["liveness_ttl_ms"])?;
    }

    #[test]
    fn a_stored_attempt_reads_back(attempt in attempt()) {
        let document = AttemptDocument::new(&ExecutionId::from_parts(3, Uuid::from_u128(7)), &attempt);
        let stored = serde_json::to_value(&document).unwrap();
        let text = |column: &str| stored[column].as_str().map(str::to_owned);
        let json = |column: &str| Some(stored[column].to_string()).filter(|json| json != "null");
        let row = AttemptRow {
            attempt_index: stored["attempt_index"].as_i64().unwrap(),
            worker_id: text("worker_id"),
            worker_instance_id: text("worker_instance_id"),
            lease_epoch: stored["lease_epoch"].as_i64().unwrap(),
            lease_expires_at_ms: stored["lease_expires_at_ms"].as_i64(),
            started_at_ms: stored["started_at_ms"].as_i64(),
            terminal_at_ms: stored["terminal_at_ms"].as_i64(),
            outcome: text("outcome"),
            error: json("error"),
            progress: json("progress"),
        };
        prop_assert_eq!(row.into_attempt(key()).unwrap(), attempt);
    }

    #[test]
    fn a_stored_execution_reads_back(
        words in (
            select(LifecyclePhase::ALL), select(OwnershipState::ALL), select(EligibilityState::ALL),
            select(AttemptState::ALL), select(PublicState::ALL),
        ),
        policy in option::of(policy()),
        tags in hash_map(any::<String>(), any::<String>(), 0..4),
        counts in (0..i32::MAX as u32, 0..i32::MAX as u32, any::<u32>(), any::<i32>()),
    ) {
        let mut execution = Execution::submitted(ExecutionKey {
            execution_id: ExecutionId::from_parts(3, Uuid::from_u128(7)),
            lane_id: LaneId::new("lane"),
            namespace: Namespace::new("default"),
            created_at: TimestampMs(i64::MIN),
        });
        execution.lifecycle_phase = words.0;
        execution.ownership_state = words.1;
        execution.eligibility_state = words.2;
        execution.attempt_state = words.3;
        execution.public_state = words.4;
        execution.policy = policy;
        execution.tags = tags;
        execution.retry_count = counts.0;
        execution.attempt_index = AttemptIndex(counts.1);
        execution.replay_count = counts.2;
        execution.priority = counts.3;
        let patch = Patch::new(execution.clone(), None);
        let stored = serde_json::to_value(PatchDocument::new(&patch)).unwrap();
        let text = |column: &str| stored[column].as_str().unwrap().to_owned();
        let number = |column: &str| stored[column].as_i64().unwrap();
        let row = ExecutionRow {
            key: key(),
            flow_id: None,
            lane_id: "lane".to_owned(),
            namespace: "default".to_owned(),
            execution_kind: String::new(),
            creator_identity: String::new(),
            tags: json_of(&execution.tags.iter().collect::<HashMap<_, _>>()),
            policy: execution.policy.as_ref().map(json_of),
            priority: number("priority"),
            created_at_ms: i64::MIN,
            deadline_at_ms: None,
            lifecycle_phase: text("lifecycle_phase"),
            ownership_state: text("ownership_state"),
            eligibility_state: text("eligibility_state"),
            attempt_state: text("attempt_state"),
            public_state: text("public_state"),
            blocking_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            started_at_ms: None,
            terminal_at_ms: None,
            eligible_at_ms: None,
            retry_count: number("retry_count"),
            reclaim_count: number("reclaim_count"),
            attempt_index: number("attempt_index"),
            raw_fields: format!(r#"{{"replay_count":{}}}"#, number("replay_count")),
        };
        prop_assert_eq!(row.into_execution(None).unwrap(), execution);
    }
}
