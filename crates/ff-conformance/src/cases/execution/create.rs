use std::collections::{BTreeSet, HashMap};

use ff_core::contracts::CreateExecutionResult;
use ff_core::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy,
};
use ff_core::state::PublicState;
use ff_core::types::{LaneId, Namespace, TimestampMs};

use crate::cx::{Cx, after_start, retries, timeouts};

/// EXEC-1, STATE-1. What is created waits for a worker.
pub(crate) async fn a_created_execution_is_waiting(cx: Cx) {
    let args = cx.args();

    let result = cx.backend.create_execution(args.clone()).await.unwrap();

    let (execution_id, public_state) = (args.execution_id.clone(), PublicState::Waiting);
    assert_eq!(result, CreateExecutionResult::Created { execution_id, public_state });
    let words = cx.words(&args.execution_id).await;
    assert_eq!(words, "submitted unowned eligible_now pending waiting");
    assert!(cx.attempts(&args.execution_id).await.is_empty());
}

/// EXEC-1. What is created for later is delayed until then.
pub(crate) async fn an_execution_created_for_later_is_delayed(cx: Cx) {
    let args = cx.args_with(|args| args.delay_until = Some(after_start(1)));

    let result = cx.backend.create_execution(args.clone()).await.unwrap();

    let (execution_id, public_state) = (args.execution_id.clone(), PublicState::Delayed);
    assert_eq!(result, CreateExecutionResult::Created { execution_id, public_state });
    let words = cx.words(&args.execution_id).await;
    assert_eq!(words, "submitted unowned not_eligible_until_time pending delayed");
    assert_eq!(cx.describe(&args.execution_id).await.eligible_at, Some(after_start(1)));
}

/// EXEC-1. A start that is not in the future delays nothing.
pub(crate) async fn an_execution_created_for_now_is_waiting(cx: Cx) {
    let now = cx.now();

    let id = cx.create(|args| args.delay_until = Some(now)).await;

    assert_eq!(cx.words(&id).await, "submitted unowned eligible_now pending waiting");
    assert_eq!(cx.describe(&id).await.eligible_at, None);
}

/// EXEC-1. Everything that an execution was created with can be read again.
pub(crate) async fn a_created_execution_keeps_what_it_was_given(cx: Cx) {
    let args = cx.args_with(|args| {
        args.namespace = Namespace::new("tenant-1");
        args.lane_id = LaneId::new("lane-1");
        args.execution_kind = "send_mail".to_owned();
        args.input_payload = vec![0, 255, 10, 13];
        args.payload_encoding = Some("msgpack".to_owned());
        args.priority = -7;
        args.creator_identity = "a person".to_owned();
        args.tags = HashMap::from([("team.name".to_owned(), "blue".to_owned())]);
        args.policy = Some(retries(5, 250));
    });

    cx.backend.create_execution(args.clone()).await.unwrap();

    let stored = cx.describe(&args.execution_id).await;
    assert_eq!(stored.execution_id, args.execution_id);
    assert_eq!((&stored.namespace, &stored.lane_id), (&args.namespace, &args.lane_id));
    assert_eq!((&stored.execution_kind, stored.priority), (&args.execution_kind, -7));
    assert_eq!((&stored.creator_identity, &stored.tags), (&args.creator_identity, &args.tags));
    assert_eq!((&stored.policy, stored.created_at), (&args.policy, args.now));
    let context = cx.backend.read_execution_context(&args.execution_id).await.unwrap();
    assert_eq!(context.input_payload, args.input_payload);
    assert_eq!(context.payload_encoding, args.payload_encoding);
    assert_eq!((context.tags, context.policy), (args.tags, args.policy));
}

/// EXEC-1. The time of creation is the caller's, not the store's.
pub(crate) async fn the_time_of_creation_is_the_callers(cx: Cx) {
    let earlier = TimestampMs::from_millis(cx.now().0 - 86_400_000);

    let id = cx.create(|args| args.now = earlier).await;

    assert_eq!(cx.describe(&id).await.created_at, earlier);
}

/// EXEC-1. Text is data, whatever is in it.
pub(crate) async fn text_is_kept_as_it_is(cx: Cx) {
    let text = "'; DROP TABLE ff_exec_core; -- \"$1\" {a,b} \\ %_ \u{1F600} \u{e9}";
    let id = cx
        .create(|args| {
            args.namespace = Namespace::new(text);
            args.execution_kind = text.to_owned();
            args.creator_identity = text.to_owned();
            args.idempotency_key = Some(text.to_owned());
            args.tags = HashMap::from([("key".to_owned(), format!("{text}\n"))]);
        })
        .await;

    let stored = cx.describe(&id).await;

    assert_eq!(stored.namespace.as_str(), text);
    assert_eq!((stored.execution_kind.as_str(), stored.creator_identity.as_str()), (text, text));
    assert_eq!(stored.tags["key"], format!("{text}\n"));
}

/// EXEC-1. The ends of each range can be stored and read.
pub(crate) async fn the_ends_of_a_range_are_kept(cx: Cx) {
    let lowest = cx.create(|args| args.priority = i32::MIN).await;
    let highest = cx.create(|args| args.priority = i32::MAX).await;
    let empty = cx.create(|args| args.input_payload.clear()).await;
    let full = cx.create(|args| args.input_payload = vec![7; 1 << 20]).await;

    assert_eq!(cx.describe(&lowest).await.priority, i32::MIN);
    assert_eq!(cx.describe(&highest).await.priority, i32::MAX);
    let payload_of = async |id| {
        let context = cx.backend.read_execution_context(id).await.unwrap();
        context.input_payload
    };
    assert_eq!(payload_of(&empty).await, b"");
    assert_eq!(payload_of(&full).await, vec![7; 1 << 20]);
}

/// EXEC-1. The deadline is the sooner of the caller's and the policy's.
pub(crate) async fn the_deadline_is_the_sooner_of_two(cx: Cx) {
    let policy = |millis| {
        timeouts(TimeoutPolicy { execution_deadline_ms: Some(millis), ..TimeoutPolicy::default() })
    };
    let neither = cx.given_created().await;
    let callers = cx
        .create(|args| {
            args.execution_deadline_at = Some(after_start(5));
            args.policy = Some(policy(9));
        })
        .await;
    let policys = cx
        .create(|args| {
            args.execution_deadline_at = Some(after_start(9));
            args.policy = Some(policy(5));
        })
        .await;

    assert_eq!(cx.describe(&neither).await.deadline_at, None);
    assert_eq!(cx.describe(&callers).await.deadline_at, Some(after_start(5)));
    assert_eq!(cx.describe(&policys).await.deadline_at, Some(after_start(5)));
}

/// EXEC-1. A policy is kept whole, so that what runs later reads what was asked.
pub(crate) async fn a_policy_is_kept_whole(cx: Cx) {
    let required = BTreeSet::from(["gpu".to_owned(), "a, b".to_owned()]);
    let policy = ExecutionPolicy {
        timeout_policy: Some(TimeoutPolicy {
            attempt_timeout_ms: Some(i64::MAX as u64),
            execution_deadline_ms: None,
            max_reclaim_count: u32::MAX,
        }),
        routing_requirements: Some(RoutingRequirements { required_capabilities: required }),
        max_replay_count: 0,
        ..retries(u32::MAX, i64::MAX as u64)
    };

    let id = cx.create(|args| args.policy = Some(policy.clone())).await;

    assert_eq!(cx.describe(&id).await.policy, Some(policy));
}

/// EXEC-1. A multiplier is kept to its last digit.
pub(crate) async fn a_multiplier_is_kept_exactly(cx: Cx) {
    for multiplier in [1.923_695_541_741_717_9, 1.0, 1e16, f64::MAX] {
        let backoff = BackoffStrategy::Exponential {
            initial_delay_ms: 1,
            max_delay_ms: 2,
            multiplier,
            jitter: false,
        };
        let retry_policy = Some(RetryPolicy { backoff, ..RetryPolicy::default() });
        let policy = ExecutionPolicy { retry_policy, ..ExecutionPolicy::default() };

        let id = cx.create(|args| args.policy = Some(policy.clone())).await;

        assert_eq!(cx.describe(&id).await.policy, Some(policy));
    }
}
