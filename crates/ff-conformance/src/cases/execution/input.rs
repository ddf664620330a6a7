use std::collections::{BTreeSet, HashMap};

use ff_core::contracts::CreateExecutionArgs;
use ff_core::engine_error::EngineError;
use ff_core::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy,
};
use ff_core::types::{ExecutionId, LaneId, Namespace};

use crate::assertions::{assert_invalid, assert_too_large};
use crate::cx::{Cx, timeouts};

/// Creates, expects a refusal, and expects that nothing was stored.
async fn refused(cx: &Cx, change: impl FnOnce(&mut CreateExecutionArgs)) -> EngineError {
    let args = cx.args_with(change);
    let error = cx.backend.create_execution(args.clone()).await.unwrap_err();
    assert_eq!(cx.backend.describe_execution(&args.execution_id).await.unwrap(), None);
    error
}

/// EXEC-3. A name that must be there is there.
pub(crate) async fn an_empty_name_is_refused(cx: Cx) {
    let namespace = refused(&cx, |args| args.namespace = Namespace::new("")).await;
    let lane = refused(&cx, |args| args.lane_id = LaneId::new("")).await;
    let kind = refused(&cx, |args| args.execution_kind.clear()).await;
    let key = refused(&cx, |args| args.idempotency_key = Some(String::new())).await;

    assert_invalid(namespace, "namespace");
    assert_invalid(lane, "lane_id");
    assert_invalid(kind, "execution_kind");
    assert_invalid(key, "idempotency_key");
}

/// EXEC-3. A name has 256 bytes at most.
pub(crate) async fn a_long_name_is_refused(cx: Cx) {
    let (fits, long) = ("\u{e9}".repeat(128), "\u{e9}".repeat(129));
    cx.create(|args| {
        args.namespace = Namespace::new(&fits);
        args.lane_id = LaneId::new(&fits);
        args.execution_kind.clone_from(&fits);
        args.creator_identity.clone_from(&fits);
        args.idempotency_key = Some(fits.clone());
    })
    .await;

    let namespace = refused(&cx, |args| args.namespace = Namespace::new(&long)).await;
    let lane = refused(&cx, |args| args.lane_id = LaneId::new(&long)).await;
    let kind = refused(&cx, |args| args.execution_kind.clone_from(&long)).await;
    let creator = refused(&cx, |args| args.creator_identity.clone_from(&long)).await;
    let key = refused(&cx, |args| args.idempotency_key = Some(long.clone())).await;

    assert_invalid(namespace, "namespace");
    assert_invalid(lane, "lane_id");
    assert_invalid(kind, "execution_kind");
    assert_invalid(creator, "creator_identity");
    assert_invalid(key, "idempotency_key");
}

/// EXEC-3. A name has no control characters, a NUL among them.
pub(crate) async fn a_control_character_in_a_name_is_refused(cx: Cx) {
    for bad in ["a\0b", "a\nb", "a\u{7f}"] {
        let namespace = refused(&cx, |args| args.namespace = Namespace::new(bad)).await;
        let lane = refused(&cx, |args| args.lane_id = LaneId::new(bad)).await;
        let kind = refused(&cx, |args| args.execution_kind = bad.to_owned()).await;

        assert_invalid(namespace, "namespace");
        assert_invalid(lane, "lane_id");
        assert_invalid(kind, "execution_kind");
    }
}

fn tags(pairs: impl IntoIterator<Item = (String, String)>) -> HashMap<String, String> {
    pairs.into_iter().collect()
}

/// EXEC-3. An execution has 64 tags at most.
pub(crate) async fn too_many_tags_are_refused(cx: Cx) {
    let numbered = |count: u32| tags((0..count).map(|n| (format!("tag-{n}"), String::new())));
    cx.create(|args| args.tags = numbered(64)).await;

    let error = refused(&cx, |args| args.tags = numbered(65)).await;

    assert_invalid(error, "tags");
}

/// EXEC-3. A tag's key has 1 to 64 letters, digits and `_.:-`.
pub(crate) async fn a_bad_tag_key_is_refused(cx: Cx) {
    let one = |key: &str| tags([(key.to_owned(), "value".to_owned())]);
    cx.create(|args| args.tags = one(&"k".repeat(64))).await;
    cx.create(|args| args.tags = one("Aa0_.:-")).await;

    for key in ["", "a b", "a/b", "\u{e9}", "a'b", &"k".repeat(65)] {
        let error = refused(&cx, |args| args.tags = one(key)).await;
        assert_invalid(error, "tags");
    }
}

/// EXEC-3. A tag's value has 1,024 bytes at most and no NUL.
pub(crate) async fn a_bad_tag_value_is_refused(cx: Cx) {
    let one = |value: &str| tags([("key".to_owned(), value.to_owned())]);
    cx.create(|args| args.tags = one(&"v".repeat(1_024))).await;

    for value in ["a\0b", &"v".repeat(1_025)] {
        let error = refused(&cx, |args| args.tags = one(value)).await;
        assert_invalid(error, "tags");
    }
}

/// EXEC-3. A payload has 1 MiB at most unless the backend is set otherwise.
pub(crate) async fn a_large_payload_is_refused(cx: Cx) {
    let error = refused(&cx, |args| args.input_payload = vec![0; (1 << 20) + 1]).await;

    assert_too_large(error);
}

/// EXEC-3. An id whose partition the store does not have is refused.
pub(crate) async fn a_partition_beyond_the_store_is_refused(cx: Cx) {
    let beyond = ExecutionId::from_parts(u16::MAX, cx.mint_id().uuid());

    let error = cx
        .backend
        .create_execution(cx.args_with(|args| args.execution_id = beyond))
        .await
        .unwrap_err();

    assert_invalid(error, "execution_id");
}

fn requiring(names: impl IntoIterator<Item = String>) -> Option<ExecutionPolicy> {
    let required_capabilities: BTreeSet<String> = names.into_iter().collect();
    Some(ExecutionPolicy {
        routing_requirements: Some(RoutingRequirements { required_capabilities }),
        ..ExecutionPolicy::default()
    })
}

/// EXEC-3. An execution requires 256 capabilities and 4,096 bytes of them at most.
pub(crate) async fn too_many_capabilities_are_refused(cx: Cx) {
    let numbered = |count: u32| requiring((0..count).map(|n| format!("capability-{n:04}")));
    cx.create(|args| args.policy = numbered(256)).await;
    let long = |count: u32| requiring((0..count).map(|n| format!("{n:0>256}")));
    cx.create(|args| args.policy = long(16)).await;

    let too_many = refused(&cx, |args| args.policy = numbered(257)).await;
    let too_long = refused(&cx, |args| args.policy = long(17)).await;
    let empty = refused(&cx, |args| args.policy = requiring([String::new()])).await;

    assert_invalid(too_many, "required_capabilities");
    assert_invalid(too_long, "required_capabilities");
    assert_invalid(empty, "required_capabilities");
}

fn backoff(backoff: BackoffStrategy) -> Option<ExecutionPolicy> {
    let retry_policy = Some(RetryPolicy { backoff, ..RetryPolicy::default() });
    Some(ExecutionPolicy { retry_policy, ..ExecutionPolicy::default() })
}

fn growing(multiplier: f64) -> Option<ExecutionPolicy> {
    backoff(BackoffStrategy::Exponential {
        initial_delay_ms: 1,
        max_delay_ms: 2,
        multiplier,
        jitter: false,
    })
}

/// EXEC-3. A policy that cannot be kept is refused.
pub(crate) async fn a_policy_that_cannot_be_kept_is_refused(cx: Cx) {
    for multiplier in [0.5, f64::NAN, f64::INFINITY] {
        let error = refused(&cx, |args| args.policy = growing(multiplier)).await;
        assert_invalid(error, "multiplier");
    }
    let beyond = BackoffStrategy::Fixed { delay_ms: u64::MAX };
    let delay = refused(&cx, |args| args.policy = backoff(beyond)).await;
    assert_invalid(delay, "delay_ms");

    let at_once = TimeoutPolicy { attempt_timeout_ms: Some(0), ..TimeoutPolicy::default() };
    let timeout = refused(&cx, |args| args.policy = Some(timeouts(at_once))).await;
    assert_invalid(timeout, "attempt_timeout_ms");

    let retryable_categories = vec!["sometimes".to_owned()];
    let retry_policy = Some(RetryPolicy { retryable_categories, ..RetryPolicy::default() });
    let policy = ExecutionPolicy { retry_policy, ..ExecutionPolicy::default() };
    let category = refused(&cx, |args| args.policy = Some(policy)).await;
    assert_invalid(category, "retryable_categories");
}
