//! Any valid value of what has a text or a JSON form.

use std::fmt::Debug;

use proptest::collection::{btree_set, hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use uuid::Uuid;

use crate::backend::{FailureClass, Handle, HandleKind, HandleLease};
use crate::contracts::EventCursor;
use crate::execution::{Attempt, AttemptError, Execution, ExecutionKey};
use crate::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy,
};
use crate::state::{
    AttemptOutcome, AttemptState, EligibilityState, LifecyclePhase, OwnershipState, PublicState,
};
use crate::types::{
    AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerId,
    WorkerInstanceId,
};

/// Any word of a vocabulary.
pub(super) fn word<W: Copy + Debug + 'static>(all: &'static [W]) -> impl Strategy<Value = W> {
    select(all)
}

/// What a name may be.
pub(super) fn name() -> impl Strategy<Value = String> {
    let longest = "a".repeat(256);
    prop_oneof![8 => "[^\\p{Cc}]{1,24}", 1 => Just(longest), 1 => Just("/".to_owned())]
}

pub(super) fn time() -> impl Strategy<Value = TimestampMs> {
    any::<i64>().prop_map(TimestampMs)
}

pub(super) fn execution_id() -> impl Strategy<Value = ExecutionId> {
    (any::<u16>(), any::<u128>())
        .prop_map(|(partition, uuid)| ExecutionId::from_parts(partition, Uuid::from_u128(uuid)))
}

pub(super) fn event_cursor() -> impl Strategy<Value = EventCursor> {
    any::<(u64, u64)>().prop_map(|(transaction, event)| EventCursor::new(transaction, event))
}

pub(super) fn handle() -> impl Strategy<Value = Handle> {
    let lease = (any::<u32>(), any::<u64>(), name(), 1..=u32::MAX, word(HandleKind::ALL));
    (select(&["sqlite", "postgres", "\u{e9} "][..]), execution_id(), lease).prop_map(
        |(backend, id, (index, epoch, instance, lease_ttl_ms, kind))| {
            let lease = HandleLease {
                attempt_index: AttemptIndex(index),
                lease_epoch: LeaseEpoch(epoch),
                worker_instance_id: WorkerInstanceId(instance),
                lease_ttl_ms,
                kind,
            };
            Handle::mint(backend, id, lease)
        },
    )
}

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("JSON has no other", |float| float.is_finite())
}

/// Any JSON.
pub(super) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn backoff() -> impl Strategy<Value = BackoffStrategy> {
    let exponential = (any::<u64>(), any::<u64>(), finite(), any::<bool>());
    prop_oneof![
        any::<u64>().prop_map(|delay_ms| BackoffStrategy::Fixed { delay_ms }),
        exponential.prop_map(|(initial_delay_ms, max_delay_ms, multiplier, jitter)| {
            BackoffStrategy::Exponential { initial_delay_ms, max_delay_ms, multiplier, jitter }
        }),
    ]
}

/// Any policy that another program may have stored, also one that no operation accepts.
pub(super) fn policy() -> impl Strategy<Value = ExecutionPolicy> {
    let retry = (any::<u32>(), backoff(), vec(any::<String>(), 0..3)).prop_map(
        |(max_retries, backoff, retryable_categories)| RetryPolicy {
            max_retries,
            backoff,
            retryable_categories,
        },
    );
    let timeout = (any::<Option<u64>>(), any::<Option<u64>>(), any::<u32>()).prop_map(
        |(attempt_timeout_ms, execution_deadline_ms, max_reclaim_count)| TimeoutPolicy {
            attempt_timeout_ms,
            execution_deadline_ms,
            max_reclaim_count,
        },
    );
    let routing = btree_set(any::<String>(), 0..3)
        .prop_map(|required_capabilities| RoutingRequirements { required_capabilities });
    (option::of(retry), option::of(timeout), option::of(routing), any::<u32>()).prop_map(
        |(retry_policy, timeout_policy, routing_requirements, max_replay_count)| ExecutionPolicy {
            retry_policy,
            timeout_policy,
            routing_requirements,
            max_replay_count,
        },
    )
}

pub(super) fn attempt_error() -> impl Strategy<Value = AttemptError> {
    let detail = (option::of("([0-9a-f]{2}){0,8}"), option::of(time()));
    (word(FailureClass::ALL), any::<String>(), detail).prop_map(
        |(class, message, (detail_hex, retry_at_ms))| AttemptError {
            class,
            message,
            detail_hex,
            retry_at_ms,
        },
    )
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    let worker = (option::of(name()), option::of(name()), any::<u64>());
    let times = (option::of(time()), option::of(time()), option::of(time()));
    let ending = (option::of(word(AttemptOutcome::ALL)), option::of(attempt_error()));
    let progress = option::of(json().prop_filter("null is none", |json| !json.is_null()));
    (any::<u32>(), worker, times, ending, progress).prop_map(
        |(index, (worker, instance, epoch), times, (outcome, error), progress)| Attempt {
            attempt_index: AttemptIndex(index),
            worker_id: worker.map(WorkerId),
            worker_instance_id: instance.map(WorkerInstanceId),
            lease_epoch: LeaseEpoch(epoch),
            lease_expires_at: times.0,
            started_at: times.1,
            terminal_at: times.2,
            outcome,
            error,
            progress,
        },
    )
}

pub(super) fn execution() -> impl Strategy<Value = Execution> {
    let words = (
        word(LifecyclePhase::ALL),
        word(OwnershipState::ALL),
        word(EligibilityState::ALL),
        word(AttemptState::ALL),
        word(PublicState::ALL),
    );
    let key = (execution_id(), name(), name(), time());
    let given = (
        option::of(any::<u128>()),
        any::<String>(),
        hash_map(any::<String>(), any::<String>(), 0..3),
        option::of(policy()),
        any::<i32>(),
    );
    let reasons = (option::of(any::<String>()), option::of(any::<String>()));
    let state = (option::of(time()), any::<(u32, u32, u32, u32)>(), option::of(attempt()));
    (key, given, words, reasons, state).prop_map(
        |((execution_id, lane, namespace, created_at), given, words, reasons, state)| {
            let (lane_id, namespace) = (LaneId(lane), Namespace(namespace));
            let key = ExecutionKey { execution_id, lane_id, namespace, created_at };
            let (retry_count, reclaim_count, replay_count, index) = state.1;
            Execution {
                flow_id: given.0.map(|flow| FlowId(Uuid::from_u128(flow))),
                execution_kind: given.1.clone(),
                creator_identity: given.1,
                tags: given.2,
                policy: given.3,
                priority: given.4,
                lifecycle_phase: words.0,
                ownership_state: words.1,
                eligibility_state: words.2,
                attempt_state: words.3,
                public_state: words.4,
                blocking_reason: reasons.0.clone(),
                cancellation_reason: reasons.1,
                cancelled_by: reasons.0,
                started_at: state.0,
                terminal_at: state.0,
                eligible_at: state.0,
                deadline_at: state.0,
                retry_count,
                reclaim_count,
                replay_count,
                attempt_index: AttemptIndex(index),
                current_attempt: state.2,
                ..Execution::submitted(key)
            }
        },
    )
}
