//! Executions at each point of their life, and what a rule does to them in words.

use std::fmt::{Debug, Write as _};

use uuid::Uuid;

use crate::backend::{ClaimPolicy, Handle, HandleKind, HandleLease};
use crate::decision::{Decision, EventKind};
use crate::engine_error::EngineError;
use crate::execution::{Attempt, Execution, ExecutionKey};
use crate::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy, TimeoutPolicy};
use crate::rules::claim::grant;
use crate::rules::lease::Held;
use crate::state::{EligibilityState, LifecyclePhase, OwnershipState, derive_public_state};
use crate::types::{
    AttemptIndex, ExecutionId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerId,
    WorkerInstanceId,
};

pub(crate) const CREATED: TimestampMs = TimestampMs(1_000);
pub(crate) const CLAIMED: TimestampMs = TimestampMs(10_000);
pub(crate) const TTL: u32 = 500;
pub(crate) const EXPIRY: TimestampMs = TimestampMs(10_500);
/// Within the lease of [`claimed`].
pub(crate) const NOW: TimestampMs = TimestampMs(10_200);

pub(crate) fn waiting() -> Execution {
    Execution::submitted(ExecutionKey {
        execution_id: ExecutionId::from_parts(0, Uuid::from_u128(7)),
        lane_id: LaneId::new("lane"),
        namespace: Namespace::new("default"),
        created_at: CREATED,
    })
}

pub(crate) fn delayed(until: TimestampMs) -> Execution {
    let mut execution = waiting();
    execution.eligibility_state = EligibilityState::NotEligibleUntilTime;
    execution.eligible_at = Some(until);
    execution.public_state = crate::state::PublicState::Delayed;
    execution
}

pub(crate) fn worker(name: &str) -> ClaimPolicy {
    ClaimPolicy::new(WorkerId::new(name), WorkerInstanceId::new(format!("{name}/1")), TTL, None)
}

pub(crate) fn handle(execution: &Execution, lease: HandleLease) -> Handle {
    Handle::mint("test", execution.execution_id.clone(), lease)
}

/// The handle of the first claim of an execution by worker `w`.
pub(crate) fn first_handle() -> Handle {
    let lease = HandleLease {
        attempt_index: AttemptIndex::new(0),
        lease_epoch: LeaseEpoch::new(1),
        worker_instance_id: WorkerInstanceId::new("w/1"),
        lease_ttl_ms: TTL,
        kind: HandleKind::Fresh,
    };
    handle(&waiting(), lease)
}

/// The execution in the hands of worker `w` since [`CLAIMED`].
pub(crate) fn claimed_from(execution: &Execution) -> Execution {
    applied(grant(execution, &worker("w"), CLAIMED).unwrap())
}

pub(crate) fn claimed() -> Execution {
    claimed_from(&waiting())
}

pub(crate) fn applied<T>(decision: Decision<T>) -> Execution {
    decision.patch.unwrap().execution
}

pub(crate) fn held<'a>(execution: &'a Execution, handle: &'a Handle, now: TimestampMs) -> Held<'a> {
    Held { execution, attempt: execution.current_attempt.as_ref(), handle, now }
}

pub(crate) fn with_retry(mut execution: Execution, max_retries: u32, delay_ms: u64) -> Execution {
    let policy = execution.policy.get_or_insert_with(ExecutionPolicy::default);
    policy.retry_policy = Some(RetryPolicy {
        max_retries,
        backoff: BackoffStrategy::Fixed { delay_ms },
        ..RetryPolicy::default()
    });
    execution
}

pub(crate) fn with_timeout(mut execution: Execution, timeout: TimeoutPolicy) -> Execution {
    let policy = execution.policy.get_or_insert_with(ExecutionPolicy::default);
    policy.timeout_policy = Some(timeout);
    execution
}

/// `ok`, `repeated` for an answer that changes nothing, or the error's kind.
pub(crate) fn word<T>(answer: &Result<Decision<T>, EngineError>) -> String {
    match answer {
        Ok(Decision { patch: Some(_), .. }) => "ok".to_owned(),
        Ok(Decision { patch: None, .. }) => "repeated".to_owned(),
        Err(EngineError::State(kind)) => format!("{kind:?}"),
        Err(EngineError::Contention(kind)) => format!("{kind:?}"),
        Err(other) => format!("{other:?}"),
    }
}

/// All that a decision changes, and nothing that it leaves; checks what holds after every rule.
pub(crate) fn effect<T: Debug>(before: &Execution, decision: &Decision<T>) -> String {
    let mut text = String::new();
    if let Some(patch) = &decision.patch {
        assert_sound(&patch.execution);
        write_changes(&mut text, &fields(before), &fields(&patch.execution));
        if let Some(attempt) = &patch.attempt {
            let unclaimed = Attempt::unclaimed(before.attempt_index);
            let old = before.current_attempt.as_ref().unwrap_or(&unclaimed);
            write_changes(&mut text, &attempt_fields(old), &attempt_fields(attempt));
        }
        writeln!(text, "result: {:?}", patch.result).unwrap();
    }
    for event in &decision.events {
        let what = match &event.kind {
            EventKind::Completion(outcome) => format!("completion {outcome}"),
            EventKind::Lease(event_type) => format!("lease {event_type}"),
            EventKind::Operator { event_type, .. } => format!("operator {event_type}"),
        };
        writeln!(text, "event at {}: {what}", event.occurred_at).unwrap();
    }
    writeln!(text, "answer: {:?}", decision.outcome).unwrap();
    text
}

/// What holds of an execution after every rule (STATE-1 and the meaning of each word).
pub(crate) fn assert_sound(execution: &Execution) {
    let phase = execution.lifecycle_phase;
    let outcome = execution.current_attempt.as_ref().and_then(|attempt| attempt.outcome);
    assert_eq!(
        derive_public_state(phase, execution.eligibility_state, outcome),
        Some(execution.public_state),
        "{execution:?}"
    );
    let is_active = phase == LifecyclePhase::Active;
    assert_eq!(is_active, execution.ownership_state == OwnershipState::Leased, "{execution:?}");
    assert_eq!(is_active, execution.lease().is_some(), "{execution:?}");
    assert_eq!(phase.is_finished(), execution.terminal_at.is_some(), "{execution:?}");
    assert_eq!(
        execution.eligibility_state == EligibilityState::NotEligibleUntilTime,
        execution.eligible_at.is_some(),
        "{execution:?}"
    );
    if let Some(attempt) = &execution.current_attempt {
        assert_eq!(attempt.attempt_index, execution.attempt_index, "{execution:?}");
        let is_open = attempt.terminal_at.is_none();
        assert_eq!(is_open, attempt.lease_expires_at.is_some(), "{execution:?}");
        assert!(!is_open || attempt.outcome.is_none(), "{execution:?}");
    }
}

type Fields = Vec<(&'static str, String)>;

fn write_changes(text: &mut String, before: &Fields, after: &Fields) {
    for ((name, old), (_, new)) in before.iter().zip(after) {
        if old != new {
            writeln!(text, "{name}: {old} -> {new}").unwrap();
        }
    }
}

macro_rules! fields_of {
    ($value:expr, $prefix:literal: $($name:ident),+) => {
        vec![$((concat!($prefix, stringify!($name)), plain(&$value.$name))),+]
    };
}

/// A value's debug text, a wrapped number or text without its wrapper.
fn plain(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let text = text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&text);
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    match inner {
        Some(inner) if !inner.contains([' ', '(']) => inner.to_owned(),
        _ => text.to_owned(),
    }
}

fn fields(execution: &Execution) -> Fields {
    let mut fields = fields_of!(
        execution, "":
        execution_id, flow_id, lane_id, namespace, execution_kind, creator_identity, tags, policy,
        priority, created_at, deadline_at, lifecycle_phase, ownership_state, eligibility_state,
        attempt_state, public_state, blocking_reason, cancellation_reason, cancelled_by, started_at,
        terminal_at, eligible_at, retry_count, reclaim_count, replay_count, attempt_index
    );
    let current = execution.current_attempt.as_ref().map(|attempt| attempt.attempt_index);
    fields.push(("current_attempt", plain(&current)));
    fields
}

fn attempt_fields(attempt: &Attempt) -> Fields {
    fields_of!(
        attempt, "attempt.":
        attempt_index, worker_id, worker_instance_id, lease_epoch, lease_expires_at, started_at,
        terminal_at, outcome, error, progress
    )
}
