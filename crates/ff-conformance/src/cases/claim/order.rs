use std::collections::BTreeSet;

use ff_core::backend::{CapabilitySet, Handle};
use ff_core::policy::{ExecutionPolicy, RoutingRequirements};
use ff_core::types::{ExecutionId, LaneId, TimestampMs};

use crate::cx::{Cx, ONE_MS, START, after_start, lane, worker};

async fn claim_with(cx: &Cx, offered: &[&str]) -> Option<Handle> {
    let offered = CapabilitySet::new(offered.iter().copied());
    cx.backend.claim(&lane(), &offered, worker("worker")).await.unwrap()
}

fn requiring(names: &[&str]) -> Option<ExecutionPolicy> {
    let required_capabilities: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    Some(ExecutionPolicy {
        routing_requirements: Some(RoutingRequirements { required_capabilities }),
        ..ExecutionPolicy::default()
    })
}

/// CLAIM-1. The highest priority is claimed first, negative ones last.
pub(crate) async fn the_highest_priority_is_claimed_first(cx: Cx) {
    let mut ids = Vec::new();
    for priority in [0, i32::MIN, 7, -1, i32::MAX] {
        ids.push(cx.create(|args| args.priority = priority).await);
        cx.advance(ONE_MS);
    }

    let claimed = cx.claim_all().await;
    let claimed: Vec<_> = claimed.iter().map(|handle| handle.execution_id().clone()).collect();

    let expected: Vec<ExecutionId> = [4, 2, 0, 3, 1].map(|index: usize| ids[index].clone()).into();
    assert_eq!(claimed, expected);
}

/// CLAIM-1. Of one priority the oldest is claimed first, by its time of creation.
pub(crate) async fn the_oldest_is_claimed_first(cx: Cx) {
    let mut ids = Vec::new();
    for age in [5, 9, 1] {
        let now = TimestampMs::from_millis(START.0 - age);
        ids.push(cx.create(|args| args.now = now).await);
    }

    let claimed = [cx.claim().await, cx.claim().await, cx.claim().await];

    let claimed = claimed.map(|handle| handle.execution_id().clone());
    assert_eq!(claimed, [ids[1].clone(), ids[0].clone(), ids[2].clone()]);
}

/// CLAIM-1. Of one priority and one time the least id is claimed first.
pub(crate) async fn ties_are_broken_by_id(cx: Cx) {
    let mut ids: Vec<ExecutionId> = (0..5).map(|_| cx.mint_id()).collect();
    for id in ids.iter().rev() {
        cx.create(|args| args.execution_id = id.clone()).await;
    }
    ids.sort_by_key(ExecutionId::uuid);

    let claimed = cx.claim_all().await;
    let claimed: Vec<_> = claimed.iter().map(|handle| handle.execution_id().clone()).collect();

    assert_eq!(claimed, ids);
}

/// CLAIM-1. A retry keeps its place: it is as old as its execution.
pub(crate) async fn a_retry_keeps_its_place_in_the_queue(cx: Cx) {
    let first = cx.given_claimed_with(crate::cx::retries(1, 0)).await;
    cx.advance(ONE_MS);
    cx.given_created().await;

    cx.fail(&first, ff_core::backend::FailureClass::Transient).await.unwrap();
    let next = cx.claim().await;

    assert_eq!(next.execution_id(), first.execution_id());
}

/// CLAIM-1. Without work there is nothing to claim.
pub(crate) async fn an_empty_lane_gives_nothing(cx: Cx) {
    assert_eq!(cx.try_claim().await, None);
}

/// CLAIM-1. Each lane is a queue of its own.
pub(crate) async fn a_lane_gives_only_its_own(cx: Cx) {
    cx.create(|args| args.lane_id = LaneId::new("other")).await;
    let own = cx.given_created().await;

    let claimed = cx.claim().await;

    assert_eq!(claimed.execution_id(), &own);
    assert_eq!(cx.try_claim().await, None);
}

/// CLAIM-1. A worker gets what it has all capabilities for, compared as whole names.
pub(crate) async fn a_worker_gets_what_it_can_run(cx: Cx) {
    let id = cx.create(|args| args.policy = requiring(&["gpu", "eu, west"])).await;

    let without = claim_with(&cx, &[]).await;
    let one = claim_with(&cx, &["gpu"]).await;
    let alike = claim_with(&cx, &["gpu", "eu", "west", "gpu2", "GPU", "eu, west "]).await;
    let all = claim_with(&cx, &["eu, west", "gpu", "more"]).await;

    assert_eq!((without, one, alike), (None, None, None));
    assert_eq!(all.unwrap().execution_id(), &id);
}

/// CLAIM-1. An execution that requires nothing is anybody's.
pub(crate) async fn a_worker_with_capabilities_gets_plain_work_too(cx: Cx) {
    let id = cx.given_created().await;

    let claimed = claim_with(&cx, &["gpu"]).await;

    assert_eq!(claimed.unwrap().execution_id(), &id);
}

/// CLAIM-4. What no present worker can take delays no other, however much of it there is.
pub(crate) async fn what_nobody_can_take_delays_nothing(cx: Cx) {
    let blocked: Vec<_> = (0..500)
        .map(|_| {
            cx.args_with(|args| {
                args.policy = requiring(&["nobody-has-it"]);
                args.priority = 9;
            })
        })
        .collect();
    cx.backend.create_executions(blocked).await.unwrap();
    let id = cx.given_created().await;

    let claimed = cx.claim().await;

    assert_eq!(claimed.execution_id(), &id);
}

/// CLAIM-1. A delayed execution is not claimed before its time, and needs nothing but its time.
pub(crate) async fn a_delayed_execution_is_claimed_from_its_time_on(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(after_start(10))).await;
    cx.advance(ONE_MS * 9);
    let early = cx.try_claim().await;
    cx.advance(ONE_MS);

    let due = cx.claim().await;

    assert_eq!(early, None);
    assert_eq!(due.execution_id(), &id);
    assert_eq!(cx.describe(&id).await.eligible_at, None);
}

/// CLAIM-1. A due execution stands where its priority and age put it, promoted or not.
pub(crate) async fn a_due_execution_stands_in_its_place(cx: Cx) {
    let plain = cx.given_created().await;
    let urgent = cx
        .create(|args| {
            args.priority = 1;
            args.delay_until = Some(after_start(10));
        })
        .await;
    cx.advance(ONE_MS * 10);

    let claimed = [cx.claim().await, cx.claim().await];

    assert_eq!(claimed.map(|handle| handle.execution_id().clone()), [urgent, plain]);
}

/// CLAIM-1. A deadline that has passed and was not swept yet does not run the engine out of its rules:
/// what expired is not claimed after the sweep.
pub(crate) async fn an_expired_execution_is_not_claimed(cx: Cx) {
    cx.create(|args| args.execution_deadline_at = Some(after_start(10))).await;
    cx.advance(ONE_MS * 10);
    cx.reconcile(ff_core::contracts::ReconcileTask::ExpireDeadlines).await;

    assert_eq!(cx.try_claim().await, None);
}

/// CLAIM-1, EXEC-3. A claim outside the limits is refused.
pub(crate) async fn a_bad_claim_is_refused(cx: Cx) {
    use crate::assertions::assert_invalid;
    use ff_core::backend::ClaimPolicy;
    use ff_core::types::{WorkerId, WorkerInstanceId};
    let policy = |worker: &str, instance: &str, ttl| {
        ClaimPolicy::new(WorkerId::new(worker), WorkerInstanceId::new(instance), ttl, None)
    };
    let offered = CapabilitySet::default();
    cx.given_created().await;
    let claim = async |lane: &str, policy| {
        cx.backend.claim(&LaneId::new(lane), &offered, policy).await.unwrap_err()
    };

    assert_invalid(claim("", policy("w", "w/1", 1)).await, "lane_id");
    assert_invalid(claim("a\nb", policy("w", "w/1", 1)).await, "lane_id");
    assert_invalid(claim("default", policy("", "w/1", 1)).await, "worker_id");
    assert_invalid(claim("default", policy("w", "", 1)).await, "worker_instance_id");
    assert_invalid(claim("default", policy("w", "w/1", 0)).await, "lease_ttl_ms");
    cx.claim().await;
}
