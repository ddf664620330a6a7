use std::collections::BTreeSet;

use super::*;
use crate::policy::{RetryPolicy, RoutingRequirements, TimeoutPolicy};
use crate::types::{ExecutionId, Namespace, TimestampMs, WorkerId, WorkerInstanceId};

const LIMITS: InputLimits = InputLimits { payload_max_bytes: 8, partitions: 4 };

fn valid() -> CreateExecutionArgs {
    CreateExecutionArgs {
        execution_id: ExecutionId::from_parts(3, uuid::Uuid::nil()),
        namespace: Namespace::new("default"),
        lane_id: LaneId::new("default"),
        execution_kind: "kind".to_owned(),
        input_payload: vec![0; 8],
        payload_encoding: None,
        priority: i32::MIN,
        creator_identity: String::new(),
        idempotency_key: None,
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 9,
        now: TimestampMs(0),
    }
}

fn with_policy(policy: ExecutionPolicy) -> CreateExecutionArgs {
    CreateExecutionArgs { policy: Some(policy), ..valid() }
}

fn with_retry(retry_policy: RetryPolicy) -> CreateExecutionArgs {
    with_policy(ExecutionPolicy { retry_policy: Some(retry_policy), ..ExecutionPolicy::default() })
}

fn with_multiplier(multiplier: f64) -> CreateExecutionArgs {
    with_retry(RetryPolicy {
        backoff: BackoffStrategy::Exponential {
            initial_delay_ms: 1,
            max_delay_ms: 1,
            multiplier,
            jitter: false,
        },
        ..RetryPolicy::default()
    })
}

fn with_timeout(timeout_policy: TimeoutPolicy) -> CreateExecutionArgs {
    with_policy(ExecutionPolicy {
        timeout_policy: Some(timeout_policy),
        ..ExecutionPolicy::default()
    })
}

fn with_capabilities(names: impl IntoIterator<Item = String>) -> CreateExecutionArgs {
    with_policy(ExecutionPolicy {
        routing_requirements: Some(RoutingRequirements {
            required_capabilities: names.into_iter().collect::<BTreeSet<_>>(),
        }),
        ..ExecutionPolicy::default()
    })
}

fn with_tag(key: &str, value: &str) -> CreateExecutionArgs {
    CreateExecutionArgs { tags: HashMap::from([(key.to_owned(), value.to_owned())]), ..valid() }
}

#[test]
fn what_is_at_its_limit_is_accepted() {
    let long = "n".repeat(NAME_MAX_BYTES);
    let accepted = [
        valid(),
        CreateExecutionArgs { lane_id: LaneId::new(long.clone()), ..valid() },
        CreateExecutionArgs { idempotency_key: Some(long), ..valid() },
        with_tag(&"k".repeat(64), ""),
        with_tag("aZ0_.:-", &"v".repeat(TAG_VALUE_MAX_BYTES)),
        with_multiplier(1.0),
        with_capabilities((0..CAPABILITIES_MAX).map(|n| format!("c{n}"))),
    ];
    for args in accepted {
        check_create(&args, &LIMITS).unwrap();
    }
}

#[test]
fn each_kind_of_bad_input_names_its_field() {
    let long = "n".repeat(NAME_MAX_BYTES + 1);
    let tags = (0..=TAGS_MAX).map(|n| (format!("k{n}"), String::new())).collect();
    let cases = [
        (
            "execution_id",
            CreateExecutionArgs {
                execution_id: ExecutionId::from_parts(4, uuid::Uuid::nil()),
                ..valid()
            },
        ),
        ("lane_id", CreateExecutionArgs { lane_id: LaneId::new(""), ..valid() }),
        ("lane_id", CreateExecutionArgs { lane_id: LaneId::new(long.clone()), ..valid() }),
        ("lane_id", CreateExecutionArgs { lane_id: LaneId::new("a\nb"), ..valid() }),
        ("namespace", CreateExecutionArgs { namespace: Namespace::new(""), ..valid() }),
        ("execution_kind", CreateExecutionArgs { execution_kind: String::new(), ..valid() }),
        ("creator_identity", CreateExecutionArgs { creator_identity: long.clone(), ..valid() }),
        (
            "payload_encoding",
            CreateExecutionArgs { payload_encoding: Some("\0".to_owned()), ..valid() },
        ),
        ("idempotency_key", CreateExecutionArgs { idempotency_key: Some(long), ..valid() }),
        (
            "idempotency_key",
            CreateExecutionArgs { idempotency_key: Some(String::new()), ..valid() },
        ),
        ("tags", CreateExecutionArgs { tags, ..valid() }),
        ("tags", with_tag("", "v")),
        ("tags", with_tag("a b", "v")),
        ("tags", with_tag("ü", "v")),
        ("tags", with_tag(&"k".repeat(65), "v")),
        ("tags", with_tag("k", "v\0")),
        ("tags", with_tag("k", &"v".repeat(TAG_VALUE_MAX_BYTES + 1))),
        ("policy.multiplier", with_multiplier(f64::NAN)),
        ("policy.multiplier", with_multiplier(f64::INFINITY)),
        ("policy.multiplier", with_multiplier(0.5)),
        (
            "policy.delay_ms",
            with_retry(RetryPolicy {
                backoff: BackoffStrategy::Fixed { delay_ms: u64::MAX },
                ..RetryPolicy::default()
            }),
        ),
        (
            "policy.retryable_categories",
            with_retry(RetryPolicy {
                retryable_categories: vec!["sometimes".to_owned()],
                ..RetryPolicy::default()
            }),
        ),
        (
            "policy.attempt_timeout_ms",
            with_timeout(TimeoutPolicy { attempt_timeout_ms: Some(0), ..TimeoutPolicy::default() }),
        ),
        (
            "policy.execution_deadline_ms",
            with_timeout(TimeoutPolicy {
                execution_deadline_ms: Some(u64::MAX),
                ..TimeoutPolicy::default()
            }),
        ),
        ("policy.required_capabilities", with_capabilities([String::new()])),
        (
            "policy.required_capabilities",
            with_capabilities((0..=CAPABILITIES_MAX).map(|n| format!("c{n}"))),
        ),
        ("policy.required_capabilities", with_capabilities((0..17).map(|n| format!("{n:0>250}")))),
    ];
    for (field, args) in cases {
        match check_create(&args, &LIMITS) {
            Err(EngineError::Validation { kind: ValidationKind::InvalidInput, detail }) => {
                assert!(detail.starts_with(&format!("{field}:")), "{field}: {detail}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_payload_over_the_limit_is_too_large() {
    let args = CreateExecutionArgs { input_payload: vec![0; 9], ..valid() };
    assert!(matches!(
        check_create(&args, &LIMITS),
        Err(EngineError::Validation { kind: ValidationKind::PayloadTooLarge, .. })
    ));
}

#[test]
fn a_batch_names_its_first_bad_item() {
    let bad = CreateExecutionArgs { lane_id: LaneId::new(""), ..valid() };
    let batch = [valid(), bad.clone(), bad];
    assert!(matches!(
        check_create_batch(&batch, &LIMITS),
        Err(EngineError::BatchItem { index: 1, .. })
    ));
}

#[test]
fn a_claim_names_lanes_a_worker_and_a_lease_time() {
    let policy = |worker: &str, ttl| {
        ClaimPolicy::new(WorkerId::new(worker), WorkerInstanceId::new("i"), ttl, None)
    };
    let args = |lanes: &[&str], max, policy| ClaimBatchArgs {
        lanes: lanes.iter().copied().map(LaneId::new).collect(),
        capabilities: crate::backend::CapabilitySet::default(),
        policy,
        max,
    };
    check_claim_batch(&args(&["a"], 1, policy("w", 1))).unwrap();
    for (field, bad) in [
        ("lanes", args(&[], 1, policy("w", 1))),
        ("lane_id", args(&["a", ""], 1, policy("w", 1))),
        ("max", args(&["a"], 0, policy("w", 1))),
        ("max", args(&["a"], CLAIM_BATCH_MAX + 1, policy("w", 1))),
        ("worker_id", args(&["a"], 1, policy("", 1))),
        ("lease_ttl_ms", args(&["a"], 1, policy("w", 0))),
    ] {
        let error = check_claim_batch(&bad).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn a_batch_has_limits_of_its_own() {
    let many = vec![valid(); CREATE_BATCH_MAX + 1];
    check_create_batch(&many[1..], &LIMITS).unwrap();
    assert!(matches!(
        check_create_batch(&many, &LIMITS),
        Err(EngineError::BatchItem { index: CREATE_BATCH_MAX, .. })
    ));
    let large = InputLimits { payload_max_bytes: CREATE_BATCH_MAX_BYTES, ..LIMITS };
    let half =
        CreateExecutionArgs { input_payload: vec![0; CREATE_BATCH_MAX_BYTES / 2], ..valid() };
    check_create_batch(&[half.clone(), half.clone()], &large).unwrap();
    assert!(matches!(
        check_create_batch(&[half.clone(), half, valid()], &large),
        Err(EngineError::BatchItem { index: 2, .. })
    ));
}

#[test]
fn progress_is_limited_in_size_and_depth() {
    let nested =
        |levels: usize| (0..levels).fold(Value::from(1), |value, _| Value::from(vec![value]));
    let limits = InputLimits { payload_max_bytes: 1_000, ..LIMITS };
    check_progress(&nested(PROGRESS_MAX_DEPTH), &limits).unwrap();
    assert!(matches!(
        check_progress(&nested(PROGRESS_MAX_DEPTH + 1), &limits),
        Err(EngineError::Validation { kind: ValidationKind::InvalidInput, .. })
    ));
    let deep_nul = (0..PROGRESS_MAX_DEPTH).fold(Value::from("\0"), |inner, _| vec![inner].into());
    for with_nul in [Value::from("a\0b"), serde_json::json!([{"\0": 1}]), deep_nul] {
        assert!(matches!(
            check_progress(&with_nul, &limits),
            Err(EngineError::Validation { kind: ValidationKind::InvalidInput, .. })
        ));
    }
    assert!(matches!(
        check_progress(&Value::from("x".repeat(1_000)), &limits),
        Err(EngineError::Validation { kind: ValidationKind::PayloadTooLarge, .. })
    ));
}
