//! What the small numbers of a script stand for, the same in every store.

use std::collections::{BTreeSet, HashMap};

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, HandleKind, HandleLease};
use ff_core::contracts::{CreateExecutionArgs, ExecutionFilter};
use ff_core::partition::{PartitionConfig, flow_partition};
use ff_core::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy,
};
use ff_core::rules::input;
use ff_core::state::PublicState;
use ff_core::types::{
    AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, Namespace, TimestampMs, WorkerId,
    WorkerInstanceId,
};
use uuid::Uuid;

use super::step::{ClaimFlaw, Creation, CreationFlaw, Filter, Forgery, PolicyShape, Text};

/// How long leases last.
const LEASE_TTL_MS: u32 = 1_000;
const CAPABILITY: &str = "gpu";
const TAG: (&str, &str) = ("colour", "red");

/// In the first partition, which every store has. The order of the ids is not that of the numbers.
pub(super) fn execution_id(number: u8) -> ExecutionId {
    let scattered = u128::from(number.wrapping_mul(151).wrapping_add(77));
    ExecutionId::from_parts(0, Uuid::from_u128((scattered << 100) | 0x7000_8000_0000_0000_0001))
}

/// Flows whose members lie in the first partition, however many partitions a store has.
pub(super) fn flow_id(number: u8) -> FlowId {
    let base = u128::from(number) << 64;
    let candidates = (0..u128::from(u32::MAX)).map(|salt| FlowId(Uuid::from_u128(base | salt)));
    let mut first =
        candidates.filter(|id| flow_partition(id, &PartitionConfig::default()).index == 0);
    first.next().unwrap_or(FlowId(Uuid::nil()))
}

pub(super) fn lane_id(number: u8) -> LaneId {
    LaneId::new(format!("lane-{number}"))
}

pub(super) fn namespace(number: u8) -> Namespace {
    Namespace::new(if number == 0 { "default".to_owned() } else { format!("tenant-{number}") })
}

pub(super) fn worker_id(number: u8) -> WorkerId {
    WorkerId::new(format!("worker-{number}"))
}

pub(super) fn instance_id(number: u8) -> WorkerInstanceId {
    WorkerInstanceId::new(format!("worker-{number}/1"))
}

pub(super) fn capabilities(capable: bool) -> CapabilitySet {
    CapabilitySet::new(capable.then_some(CAPABILITY))
}

pub(super) fn capability_names() -> BTreeSet<String> {
    BTreeSet::from([CAPABILITY.to_owned()])
}

/// A text as an operation may be given it, `limit` the most bytes that it takes.
pub(super) fn text(text: Text, plain: &str, limit: usize) -> String {
    match text {
        Text::Plain => plain.to_owned(),
        Text::Long => "x".repeat(limit + 1),
        Text::Control => format!("{plain}\u{7}"),
    }
}

pub(super) fn claim_policy(worker: u8, flaw: Option<ClaimFlaw>) -> ClaimPolicy {
    let ttl = if flaw == Some(ClaimFlaw::NoLeaseTime) { 0 } else { LEASE_TTL_MS };
    let long = flaw == Some(ClaimFlaw::LongWorker);
    let worker_id = if long { WorkerId::new("w".repeat(300)) } else { worker_id(worker) };
    ClaimPolicy::new(worker_id, instance_id(worker), ttl, None)
}

/// A handle that was never given.
pub(super) fn unheard_handle(label: &'static str) -> Handle {
    let lease = HandleLease {
        attempt_index: AttemptIndex::new(0),
        lease_epoch: LeaseEpoch::new(1),
        worker_instance_id: instance_id(0),
        lease_ttl_ms: LEASE_TTL_MS,
        kind: HandleKind::Fresh,
    };
    Handle::mint(label, execution_id(0), lease)
}

pub(super) fn forge(handle: &Handle, label: &'static str, forgery: Forgery) -> Handle {
    let mut lease = HandleLease {
        attempt_index: handle.attempt_index(),
        lease_epoch: handle.lease_epoch(),
        worker_instance_id: handle.worker_instance_id().clone(),
        lease_ttl_ms: handle.lease_ttl_ms(),
        kind: handle.kind(),
    };
    let mut label = label;
    match forgery {
        Forgery::NextEpoch => lease.lease_epoch = LeaseEpoch::new(lease.lease_epoch.0 + 1),
        Forgery::NextAttempt => lease.attempt_index = AttemptIndex::new(lease.attempt_index.0 + 1),
        Forgery::OtherInstance => lease.worker_instance_id = WorkerInstanceId::new("elsewhere/9"),
        Forgery::OtherBackend => label = "elsewhere",
    }
    Handle::mint(label, handle.execution_id().clone(), lease)
}

pub(super) fn creation(creation: &Creation, now: TimestampMs) -> CreateExecutionArgs {
    let later = |millis: u16| now.saturating_add_millis(u64::from(millis));
    let mut args = CreateExecutionArgs {
        execution_id: execution_id(creation.execution),
        namespace: namespace(creation.namespace),
        lane_id: lane_id(creation.lane),
        execution_kind: "kind".to_owned(),
        input_payload: vec![creation.execution],
        payload_encoding: None,
        priority: i32::from(creation.priority),
        creator_identity: "model".to_owned(),
        idempotency_key: creation.key.map(|key| format!("key-{key}")),
        tags: HashMap::from([(TAG.0.to_owned(), TAG.1.to_owned())]),
        policy: policy(creation.policy),
        delay_until: creation.delay_millis.map(later),
        execution_deadline_at: creation.deadline_millis.map(later),
        partition_id: 0,
        now,
    };
    if creation.execution % 2 == 1 {
        args.tags.clear();
    }
    if let Some(flaw) = creation.flaw {
        spoil(&mut args, flaw);
    }
    args
}

fn spoil(args: &mut CreateExecutionArgs, flaw: CreationFlaw) {
    match flaw {
        CreationFlaw::EmptyLane => args.lane_id = LaneId::new(""),
        CreationFlaw::LongKind => args.execution_kind = "k".repeat(input::NAME_MAX_BYTES + 1),
        CreationFlaw::ControlCharacter => args.namespace = Namespace::new("a\nb"),
        CreationFlaw::BadTagKey => {
            args.tags = HashMap::from([("a b".to_owned(), String::new())]);
        }
        CreationFlaw::TooManyTags => {
            let tags = (0..=input::TAGS_MAX).map(|number| (number.to_string(), String::new()));
            args.tags = tags.collect();
        }
        CreationFlaw::LargePayload => {
            args.input_payload = vec![0; input::DEFAULT_PAYLOAD_MAX_BYTES + 1];
        }
        CreationFlaw::BadPolicy => {
            let backoff = BackoffStrategy::Exponential {
                initial_delay_ms: 1,
                max_delay_ms: 1,
                multiplier: f64::NAN,
                jitter: false,
            };
            args.policy = Some(retries(1, backoff));
        }
    }
}

fn policy(shape: PolicyShape) -> Option<ExecutionPolicy> {
    let timeout = |timeout| ExecutionPolicy {
        timeout_policy: Some(timeout),
        ..retries(1, BackoffStrategy::Fixed { delay_ms: 0 })
    };
    let default = TimeoutPolicy::default;
    Some(match shape {
        PolicyShape::NoPolicy => return None,
        PolicyShape::RetryAtOnce => retries(2, BackoffStrategy::Fixed { delay_ms: 0 }),
        PolicyShape::RetryLater => retries(1, BackoffStrategy::Fixed { delay_ms: 400 }),
        PolicyShape::RetryWithJitter => retries(
            5,
            BackoffStrategy::Exponential {
                initial_delay_ms: 100,
                max_delay_ms: 1_000,
                multiplier: 3.0,
                jitter: true,
            },
        ),
        PolicyShape::NeverRetry => retries(0, BackoffStrategy::default()),
        PolicyShape::RetryOneCategory => {
            let retry = RetryPolicy {
                retryable_categories: vec!["timeout".to_owned()],
                ..RetryPolicy::default()
            };
            ExecutionPolicy { retry_policy: Some(retry), ..ExecutionPolicy::default() }
        }
        PolicyShape::AttemptTimeout => {
            timeout(TimeoutPolicy { attempt_timeout_ms: Some(500), ..default() })
        }
        PolicyShape::NoReclaim => timeout(TimeoutPolicy { max_reclaim_count: 0, ..default() }),
        PolicyShape::Deadline => {
            timeout(TimeoutPolicy { execution_deadline_ms: Some(1_500), ..default() })
        }
        PolicyShape::NoReplay => replays(0),
        PolicyShape::OneReplay => replays(1),
        PolicyShape::NeedsCapability => ExecutionPolicy {
            routing_requirements: Some(RoutingRequirements {
                required_capabilities: capability_names(),
            }),
            ..ExecutionPolicy::default()
        },
    })
}

fn retries(max_retries: u32, backoff: BackoffStrategy) -> ExecutionPolicy {
    ExecutionPolicy {
        retry_policy: Some(RetryPolicy { max_retries, backoff, ..RetryPolicy::default() }),
        ..ExecutionPolicy::default()
    }
}

fn replays(max_replay_count: u32) -> ExecutionPolicy {
    ExecutionPolicy { max_replay_count, ..ExecutionPolicy::default() }
}

pub(super) fn filter(filter: Filter, now: TimestampMs) -> ExecutionFilter {
    let all = ExecutionFilter::default();
    match filter {
        Filter::All => all,
        Filter::OfLane(lane) => ExecutionFilter { lane_id: Some(lane_id(lane)), ..all },
        Filter::OfNamespace(number) => {
            ExecutionFilter { namespace: Some(namespace(number)), ..all }
        }
        Filter::Completed => ExecutionFilter { public_state: Some(PublicState::Completed), ..all },
        Filter::Tagged => {
            ExecutionFilter { tag: Some((TAG.0.to_owned(), TAG.1.to_owned())), ..all }
        }
        Filter::CreatedSince(millis) => ExecutionFilter {
            created_from: Some(TimestampMs::from_millis(now.0 - i64::from(millis))),
            ..all
        },
    }
}
