//! The public API that programs already use, as they use it: what does not compile here breaks them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailOutcome, FailureClass,
    FailureReason, Handle, LeaseRenewal,
};
use ff_core::caps::{CapabilityRequirement, matches};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, StateKind, ValidationKind};
use ff_core::partition::{Partition, PartitionConfig, flow_partition};
use ff_core::policy::{
    BackoffStrategy, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy,
};
use ff_core::state::PublicState;
use ff_core::types::*;

fn id() -> ExecutionId {
    ExecutionId::parse("{fp:17}:550e8400-e29b-41d4-a716-446655440000").unwrap()
}

#[test]
fn arguments_are_built_with_all_their_fields() {
    let create = CreateExecutionArgs {
        execution_id: id(),
        namespace: Namespace::new("default"),
        lane_id: LaneId("default".to_owned()),
        execution_kind: "kind".to_owned(),
        input_payload: Vec::new(),
        payload_encoding: None,
        priority: 0,
        creator_identity: String::new(),
        idempotency_key: None,
        tags: HashMap::new(),
        policy: Some(ExecutionPolicy {
            retry_policy: Some(RetryPolicy {
                max_retries: 5,
                backoff: BackoffStrategy::Fixed { delay_ms: 10 },
                ..RetryPolicy::default()
            }),
            timeout_policy: Some(TimeoutPolicy {
                attempt_timeout_ms: Some(1),
                ..TimeoutPolicy::default()
            }),
            routing_requirements: Some(RoutingRequirements {
                required_capabilities: BTreeSet::from(["gpu".to_owned()]),
            }),
            ..ExecutionPolicy::default()
        }),
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 17,
        now: TimestampMs::from_millis(0),
    };
    let cancel = CancelExecutionArgs {
        execution_id: id(),
        reason: "operator".to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: Some(LeaseEpoch::new(1)),
        attempt_id: None,
        now: TimestampMs::from_millis(1),
    };
    let revoke = RevokeLeaseArgs {
        execution_id: id(),
        expected_lease_id: Some(LeaseId::new()),
        worker_instance_id: WorkerInstanceId::new("instance"),
        reason: "operator".to_owned(),
    };
    let change = ChangePriorityArgs {
        execution_id: id(),
        new_priority: 7,
        lane_id: LaneId::new(""),
        now: TimestampMs(1),
    };
    let replay = ReplayExecutionArgs { execution_id: id(), now: TimestampMs(1) };
    let cancel_flow = CancelFlowArgs {
        flow_id: FlowId::new(),
        reason: "operator".to_owned(),
        cancellation_policy: "cancel_all".to_owned(),
        now: TimestampMs(1),
    };
    assert_eq!(create.clone().partition_id, create.execution_id.partition());
    assert_eq!(cancel.clone().source, CancelSource::OperatorOverride);
    assert_eq!(revoke.worker_instance_id.as_str(), "instance");
    assert_eq!((change.new_priority, replay.now), (7, TimestampMs(1)));
    assert_eq!(cancel_flow.cancellation_policy, "cancel_all");
}

#[test]
fn results_are_matched_with_all_their_fields() {
    let RevokeLeaseResult::AlreadySatisfied { reason } =
        (RevokeLeaseResult::AlreadySatisfied { reason: "no_active_lease".to_owned() })
    else {
        unreachable!()
    };
    let ReplayExecutionResult::Replayed { public_state } =
        ReplayExecutionResult::Replayed { public_state: PublicState::Waiting };
    let header = CancelFlowHeader::AlreadyTerminal {
        stored_cancellation_policy: None,
        stored_cancel_reason: None,
        member_execution_ids: vec![id().to_string()],
    };
    let members = match header {
        CancelFlowHeader::Cancelled { cancellation_policy: _, member_execution_ids } => {
            member_execution_ids
        }
        CancelFlowHeader::AlreadyTerminal {
            stored_cancellation_policy: _,
            stored_cancel_reason: _,
            member_execution_ids,
        } => member_execution_ids,
    };
    assert_eq!((reason.as_str(), public_state), ("no_active_lease", PublicState::Waiting));
    assert_eq!(members, [id().as_str()]);
}

#[test]
fn constructors_take_what_they_took() {
    let (worker, instance) = (WorkerId::new("worker"), WorkerInstanceId::new("instance"));
    let (namespace, now) = (Namespace::new("default"), TimestampMs::from_millis(5));
    let policy =
        ClaimPolicy::new(worker.clone(), instance.clone(), 30_000, Some(Duration::from_secs(1)));
    assert_eq!(policy.clone(), policy);
    let register = RegisterWorkerArgs::new(
        worker.clone(),
        instance.clone(),
        BTreeSet::from([LaneId::new("a,b")]),
        BTreeSet::from(["gpu".to_owned()]),
        60_000,
        namespace.clone(),
        now,
    );
    assert_eq!(register.liveness_ttl_ms, 60_000);
    let heartbeat = HeartbeatWorkerArgs::new(instance.clone(), namespace.clone(), now);
    let dead = MarkWorkerDeadArgs::new(instance.clone(), namespace.clone(), "x".to_owned(), now);
    assert_eq!((heartbeat.now, dead.reason.len()), (now, 1));
    assert_eq!(MARK_WORKER_DEAD_REASON_MAX_BYTES, 256);
    let expired = ListExpiredLeasesArgs::new(now);
    assert!(expired.after.is_none() && expired.max_partitions_per_call.is_none());
    assert_eq!((LIST_EXPIRED_LEASES_DEFAULT_LIMIT, LIST_EXPIRED_LEASES_MAX_LIMIT), (1_000, 10_000));
    let info = ExpiredLeaseInfo::new(
        id(),
        LeaseId::new(),
        LeaseEpoch::new(1),
        instance.clone(),
        now,
        AttemptIndex::new(0),
    );
    let cursor = ExpiredLeasesCursor::new(now, id());
    assert_eq!(ListExpiredLeasesResult::new(vec![info], Some(cursor)).entries.len(), 1);
    let (lanes, capabilities) = (BTreeSet::new(), BTreeSet::new());
    let entry = WorkerInfo::new(worker, instance, namespace, lanes, capabilities, now, 60_000, now);
    assert_eq!(ListWorkersResult::new(vec![entry], None).entries.len(), 1);
    assert_eq!(ListWorkersArgs::new(), ListWorkersArgs::default());
}

#[test]
fn small_types_are_what_they_were() {
    assert_eq!(PartitionConfig::single(), PartitionConfig::single());
    let config = PartitionConfig::default();
    let flow = FlowId::from_uuid(uuid::Uuid::nil());
    let Partition { index, .. } = flow_partition(&flow, &config);
    assert_eq!(ExecutionId::for_flow(&flow, &config).partition(), index);
    assert!(matches(&CapabilityRequirement::new(["a"]), &CapabilitySet::new(["a", "b"])));
    let reason = FailureReason { message: "m".to_owned(), detail: Some(vec![1]) };
    assert_eq!(FailureReason::new("m").message, reason.message);
    let classes = [FailureClass::Transient, FailureClass::Permanent, FailureClass::InfraCrash];
    assert!(
        !classes.contains(&FailureClass::Timeout) && !classes.contains(&FailureClass::Cancelled)
    );
    let renewal = LeaseRenewal { expires_at: TimestampMs(1), lease_epoch: LeaseEpoch(1) };
    assert_eq!(renewal.lease_epoch, LeaseEpoch::new(1));
    let scheduled = FailOutcome::RetryScheduled { delay_until: TimestampMs(1) };
    assert_ne!(scheduled, FailOutcome::TerminalFailed);
    assert_ne!(CancelFlowPolicy::CancelAll, CancelFlowPolicy::CancelPending);
    assert_ne!(CancelFlowWait::NoWait, CancelFlowWait::WaitTimeout(Duration::ZERO));
    let error = EngineError::Validation {
        kind: ValidationKind::InvalidInput,
        detail: "lane_id: it is empty".to_owned(),
    };
    assert!(!error.is_retryable());
    assert!(!EngineError::State(StateKind::StaleLease).is_retryable());
}

/// The trait is object-safe and one import brings every method.
#[expect(dead_code, reason = "it has only to compile")]
async fn calls(backend: Arc<dyn EngineBackend>, handle: Handle) -> Result<(), EngineError> {
    let _ = (handle.execution_id(), handle.attempt_index(), handle.lease_epoch(), handle.kind());
    let _: LeaseRenewal = backend.renew(&handle).await?;
    let _: FailOutcome =
        backend.fail(&handle, FailureReason::new("m"), FailureClass::Permanent).await?;
    let policy = ClaimPolicy::new(WorkerId::new("w"), WorkerInstanceId::new("i"), 1_000, None);
    let _: Option<Handle> =
        backend.claim(&LaneId::new("l"), &CapabilitySet::default(), policy).await?;
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    let _: CancelFlowResult = backend.cancel_flow(&FlowId::new(), policy, wait).await?;
    backend.ack_cancel_member(&FlowId::new(), handle.execution_id()).await?;
    let _: Capabilities = backend.capabilities();
    let _: &'static str = backend.backend_label();
    backend.complete(&handle, Some(Vec::new())).await
}
