//! FLOW-7: a handler whose lease somebody has ended hears of it within a second, and its flow that it is gone.

use std::time::Duration;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    AddExecutionToFlowArgs, CancelExecutionArgs, CancelFlowArgs, CancelFlowHeader, CreateFlowArgs,
    ReconcileTask, RevokeLeaseArgs,
};
use ff_core::state::AttemptOutcome::{Cancelled, Interrupted, Success};
use ff_core::types::{CancelSource, ExecutionId, FlowId, Namespace};
use tokio::time::Instant;

use crate::common::{Rig, Running, Told, in_time, plain, start, stopped, stuck_once, teller, told};
use crate::spy::{Fault, transport, unavailable};

const SECOND: Duration = Duration::from_secs(1);

/// A worker that runs this many executions, none of which ends by itself.
async fn running(rig: &Rig, executions: usize) -> (Running, Vec<ExecutionId>, Told) {
    let (tell, mut heard) = teller();
    let worker = start(stuck_once(rig.worker(), tell));
    let mut ids = Vec::new();
    for _ in 0..executions {
        ids.push(rig.submit(plain("stuck")).await);
        assert_eq!(told(&mut heard).await, "started");
    }
    (worker, ids, heard)
}

async fn cancel(rig: &Rig, id: &ExecutionId) {
    let args = CancelExecutionArgs {
        execution_id: id.clone(),
        reason: "not wanted".to_owned(),
        source: CancelSource::OperatorOverride,
        lease_id: None,
        lease_epoch: None,
        attempt_id: None,
        now: rig.store.now().await.unwrap(),
    };
    rig.store.cancel_execution(args).await.unwrap();
}

async fn flow_of(rig: &Rig, members: &[ExecutionId]) -> FlowId {
    let (flow_id, now) = (FlowId::new(), rig.store.now().await.unwrap());
    let flow = CreateFlowArgs {
        flow_id,
        flow_kind: "letters".to_owned(),
        namespace: Namespace::new("default"),
        tags: [].into(),
        now,
    };
    rig.store.create_flow(flow).await.unwrap();
    for execution_id in members.iter().cloned() {
        let args = AddExecutionToFlowArgs { flow_id, execution_id, now };
        rig.store.add_execution_to_flow(args).await.unwrap();
    }
    flow_id
}

async fn cancel_flow(rig: &Rig, flow_id: FlowId) -> CancelFlowHeader {
    let args = CancelFlowArgs {
        flow_id,
        reason: "not wanted".to_owned(),
        cancellation_policy: "cancel_all".to_owned(),
        now: rig.store.now().await.unwrap(),
    };
    rig.store.cancel_flow_header(args).await.unwrap()
}

/// The members that the cancelled flow still waits for.
async fn waits_for(rig: &Rig, flow_id: FlowId) -> Vec<String> {
    match cancel_flow(rig, flow_id).await {
        CancelFlowHeader::AlreadyTerminal { member_execution_ids, .. } => member_execution_ids,
        header @ CancelFlowHeader::Cancelled { .. } => panic!("{header:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_hears_within_a_second_that_its_execution_was_cancelled() {
    let rig = Rig::new();
    let (worker, ids, mut heard) = running(&rig, 1).await;

    let from = Instant::now();
    cancel(&rig, &ids[0]).await;
    stopped(&mut heard).await;

    assert!(from.elapsed() <= SECOND);
    assert_eq!(rig.spy.calls("renew_batch"), 0);
    worker.stop().await;
    assert_eq!(rig.outcomes(&ids[0]).await, [Some(Cancelled)]);
    let ended = ["complete_batch", "fail_batch", "delay"].map(|op| rig.spy.calls(op));
    assert_eq!(ended, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_hears_within_a_second_that_its_lease_was_revoked() {
    let rig = Rig::new();
    let (worker, ids, mut heard) = running(&rig, 1).await;
    let attempt = rig.attempts(&ids[0]).await.remove(0);

    let from = Instant::now();
    let args = RevokeLeaseArgs {
        execution_id: ids[0].clone(),
        expected_lease_id: None,
        worker_instance_id: attempt.worker_instance_id.unwrap(),
        reason: "stuck".to_owned(),
    };
    rig.store.revoke_lease(args).await.unwrap();
    stopped(&mut heard).await;

    assert!(from.elapsed() <= SECOND);
    assert_eq!(in_time(rig.client.result::<String>(&ids[0], None)).await.unwrap(), "done");
    assert_eq!(rig.outcomes(&ids[0]).await, [Some(Interrupted), Some(Success)]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_check_asks_for_all_leases_at_once_and_ends_only_those_that_are_lost() {
    let rig = Rig::new();
    let (worker, ids, mut heard) = running(&rig, 3).await;
    in_time(rig.spy.called("check_leases", rig.spy.calls("check_leases") + 1)).await;
    assert_eq!(rig.spy.checked().last(), Some(&3));

    cancel(&rig, &ids[1]).await;
    stopped(&mut heard).await;

    in_time(rig.spy.called("check_leases", rig.spy.calls("check_leases") + 2)).await;
    assert_eq!(rig.spy.checked().last(), Some(&2));
    assert!(heard.try_recv().is_err());
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_leases_checks_none() {
    let rig = Rig::new();
    let (worker, ..) = running(&rig, 0).await;

    in_time(rig.spy.called("heartbeat_worker", 2)).await;

    assert_eq!(rig.spy.calls("check_leases"), 0);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn renewals_tell_where_the_backend_has_no_checks() {
    let rig = Rig::new();
    rig.spy.fail("check_leases", usize::MAX, (Fault::Before, unavailable));
    let (worker, ids, mut heard) = running(&rig, 1).await;
    in_time(rig.spy.called("check_leases", 1)).await;

    cancel(&rig, &ids[0]).await;
    stopped(&mut heard).await;

    assert_eq!((rig.spy.calls("check_leases"), rig.spy.calls("renew_batch")), (1, 1));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_or_hangs_is_followed_by_another() {
    let rig = Rig::new();
    // No renewal tells first.
    rig.spy.fail("renew_batch", usize::MAX, (Fault::Before, transport));
    rig.spy.fail("check_leases", 5, (Fault::Before, transport));
    let (worker, ids, mut heard) = running(&rig, 1).await;
    in_time(rig.spy.called("check_leases", 6)).await;
    let answers = rig.spy.hold_back("check_leases");
    cancel(&rig, &ids[0]).await;

    let hanging = rig.spy.calls("check_leases") + 1;
    in_time(rig.spy.called("check_leases", hanging)).await;
    in_time(rig.spy.called("check_leases", hanging + 1)).await;
    assert!(heard.try_recv().is_err());
    answers.add_permits(1);

    stopped(&mut heard).await;
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_is_cancelled_hears_when_the_handlers_of_its_members_are_gone() {
    let rig = Rig::new();
    let (worker, ids, mut heard) = running(&rig, 2).await;
    let flow_id = flow_of(&rig, &ids).await;

    cancel_flow(&rig, flow_id).await;
    assert_eq!(waits_for(&rig, flow_id).await.len(), 2);
    stopped(&mut heard).await;
    stopped(&mut heard).await;

    in_time(rig.spy.called("ack_cancel_member", 2)).await;
    assert_eq!(waits_for(&rig, flow_id).await, [""; 0]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_cancelled_flow_is_answered_when_its_workers_have_let_go() {
    let rig = Rig::new();
    let (worker, ids, mut heard) = running(&rig, 1).await;
    let flow_id = flow_of(&rig, &ids).await;

    let wait = CancelFlowWait::WaitIndefinite;
    in_time(rig.store.cancel_flow(&flow_id, CancelFlowPolicy::CancelAll, wait)).await.unwrap();

    stopped(&mut heard).await;
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_repeated_until_it_is_answered() {
    for op in ["describe_execution", "ack_cancel_member"] {
        let rig = Rig::new();
        let (worker, ids, mut heard) = running(&rig, 1).await;
        let flow_id = flow_of(&rig, &ids).await;
        rig.spy.fail(op, 5, (Fault::Before, transport));

        cancel_flow(&rig, flow_id).await;
        stopped(&mut heard).await;
        in_time(rig.spy.called(op, 6)).await;
        worker.stop().await;

        assert_eq!(waits_for(&rig, flow_id).await, [""; 0], "{op}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_could_not_acknowledge_is_acknowledged_for_it_when_it_is_gone() {
    let rig = Rig::new();
    rig.spy.fail("ack_cancel_member", usize::MAX, (Fault::Before, transport));
    let (worker, ids, mut heard) = running(&rig, 1).await;
    let flow_id = flow_of(&rig, &ids).await;
    cancel_flow(&rig, flow_id).await;
    stopped(&mut heard).await;
    in_time(rig.spy.called("ack_cancel_member", 1)).await;

    let drain = || rig.store.reconcile(ReconcileTask::DrainCancelBacklog, 10);
    assert_eq!(drain().await.unwrap().processed, 0);
    worker.stop().await;

    assert_eq!(drain().await.unwrap().processed, 1);
    assert_eq!(waits_for(&rig, flow_id).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_finishes_after_it_was_cancelled_is_let_go_too() {
    let rig = Rig::new();
    // Only the finisher hears that the lease is lost.
    rig.spy.fail("check_leases", usize::MAX, (Fault::Before, unavailable));
    let answers = rig.spy.hold_back("claim_batch");
    let id = rig.submit(plain("stuck")).await;
    let (tell, _heard) = teller();
    let worker = start(stuck_once(rig.worker(), tell));
    in_time(rig.spy.called("claim_batch", 1)).await;
    let flow_id = flow_of(&rig, std::slice::from_ref(&id)).await;
    cancel_flow(&rig, flow_id).await;

    // What a claim takes while the worker stops is given back, and that is refused.
    worker.begin_to_stop();
    tokio::task::yield_now().await;
    answers.add_permits(1);
    worker.ended().await.unwrap();

    assert_eq!(rig.outcomes(&id).await, [None]);
    assert_eq!(waits_for(&rig, flow_id).await, [""; 0]);
}
