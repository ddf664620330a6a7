//! SAFE-3 on a real connection, for what answers otherwise once it is done: its caller gets the first answer
//! though the word that it is done was lost, and it is done once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::cuttable::{COMMIT, Cuttable, RUN, cuttable};
use common::proxy::Cut;
use common::{START, cancel_args, claim, flow_args, header_args, lane, member_args, register_args};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CancelExecutionResult, CancelFlowHeader,
    CancelFlowResult, ChangePriorityArgs, ChangePriorityResult, CreateFlowResult,
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, MarkWorkerDeadArgs, MarkWorkerDeadOutcome,
    ReconcileTask, RegisterWorkerOutcome, ReplayExecutionArgs, ReplayExecutionResult,
    RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, Namespace, WorkerInstanceId};

impl Cuttable {
    async fn worker_events(&self) -> String {
        let events = "SELECT string_agg(event_type, ',' ORDER BY event_id) \
                      FROM ff_worker_registry_event";
        self.opened.read_text(events).await
    }
}

fn cuts() -> impl Iterator<Item = Cut> {
    RUN.into_iter().chain(COMMIT)
}

#[tokio::test]
async fn a_cancellation_is_done_once() {
    for cut in cuts() {
        let store = cuttable().await;
        let id = store.opened.create().await;
        claim(&store.backend).await.unwrap();
        let cancelled = store.cut(cut, store.backend.cancel_execution(cancel_args(&id))).await;
        let expected = CancelExecutionResult::Cancelled {
            execution_id: id.clone(),
            public_state: PublicState::Cancelled,
        };
        assert_eq!(cancelled.unwrap(), expected, "{cut:?}");
        let events = ["lease acquired", "lease revoked", "completion cancelled"];
        assert_eq!(store.opened.events(&id).await, events, "{cut:?}");
    }
}

#[tokio::test]
async fn a_revocation_tells_which_lease_it_took() {
    for cut in cuts() {
        let store = cuttable().await;
        let id = store.opened.create().await;
        let handle = claim(&store.backend).await.unwrap();
        let args = RevokeLeaseArgs {
            execution_id: id.clone(),
            expected_lease_id: None,
            worker_instance_id: WorkerInstanceId::new("instance"),
            reason: "enough".to_owned(),
        };
        let revoked = store.cut(cut, store.backend.revoke_lease(args)).await.unwrap();
        let is_ours = matches!(revoked, RevokeLeaseResult::Revoked { lease_epoch, .. }
            if lease_epoch == handle.lease_epoch());
        assert!(is_ours, "{cut:?}: {revoked:?}");
        assert_eq!(store.opened.events(&id).await, ["lease acquired", "lease revoked"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_replay_says_that_it_replayed() {
    for cut in cuts() {
        let store = cuttable().await;
        let id = store.opened.create().await;
        store.backend.cancel_execution(cancel_args(&id)).await.unwrap();
        let args = ReplayExecutionArgs { execution_id: id.clone(), now: START };
        let replayed = store.cut(cut, store.backend.replay_execution(args)).await.unwrap();
        let expected = ReplayExecutionResult::Replayed { public_state: PublicState::Waiting };
        assert_eq!(replayed, expected, "{cut:?}");
        let execution = store.backend.describe_execution(&id).await.unwrap().unwrap();
        assert_eq!(execution.replay_count, 1, "{cut:?}");
        let events = store.opened.events(&id).await;
        assert_eq!(events, ["completion cancelled", "operator replayed"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_priority_is_changed_once() {
    for cut in cuts() {
        let store = cuttable().await;
        let id = store.opened.create().await;
        store.opened.execute("UPDATE ff_exec_core SET lifecycle_phase = 'runnable'").await;
        let args = ChangePriorityArgs {
            execution_id: id.clone(),
            new_priority: 7,
            lane_id: lane(),
            now: START,
        };
        let changed = store.cut(cut, store.backend.change_priority(args)).await.unwrap();
        assert_eq!(changed, ChangePriorityResult::Changed { execution_id: id.clone() });
        assert_eq!(store.opened.events(&id).await, ["operator priority_changed"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_flow_is_created_and_takes_a_member() {
    for cut in cuts() {
        let store = cuttable().await;
        let args = flow_args();
        let flow_id = args.flow_id;
        let created = store.cut(cut, store.backend.create_flow(args.clone())).await.unwrap();
        assert_eq!(created, CreateFlowResult::Created { flow_id }, "{cut:?}");
        let again = store.backend.create_flow(args).await.unwrap();
        assert_eq!(again, CreateFlowResult::Duplicate { flow_id });

        let member = member_args(&flow_id);
        let execution_id = member.execution_id.clone();
        store.backend.create_execution(member).await.unwrap();
        let args = AddExecutionToFlowArgs { flow_id, execution_id, now: START };
        let added = store.cut(cut, store.backend.add_execution_to_flow(args.clone())).await;
        let expected = AddExecutionToFlowResult::Added { graph_revision: 1 };
        assert_eq!(added.unwrap(), expected, "{cut:?}");
        let again = store.backend.add_execution_to_flow(args).await.unwrap();
        assert_eq!(again, AddExecutionToFlowResult::AlreadyMember { graph_revision: 1 });
    }
}

#[tokio::test]
async fn a_flow_is_cancelled_with_the_members_that_it_had() {
    for cut in cuts() {
        let store = cuttable().await;
        let (flow_id, ids) = store.opened.create_flow(3).await;
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
        let cancel = store.backend.cancel_flow(&flow_id, policy, wait);
        let expected = CancelFlowResult::Cancelled {
            cancellation_policy: "cancel_all".to_owned(),
            member_execution_ids: ids.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(store.cut(cut, cancel).await.unwrap(), expected, "{cut:?}");
        for id in &ids {
            assert_eq!(store.opened.events(id).await, ["completion cancelled"], "{cut:?}");
        }
    }
}

#[tokio::test]
async fn a_cancellation_by_policy_name_is_requested_once_and_acknowledged() {
    for cut in cuts() {
        let store = cuttable().await;
        let (flow_id, ids) = store.opened.create_flow(2).await;
        let cancel = store.backend.cancel_flow_header(header_args(&flow_id));
        let expected = CancelFlowHeader::Cancelled {
            cancellation_policy: "cancel_all".to_owned(),
            member_execution_ids: ids.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(store.cut(cut, cancel).await.unwrap(), expected, "{cut:?}");
        let count = "SELECT count(*) FROM ff_operator_event";
        assert_eq!(store.opened.read_text(count).await, "1", "{cut:?}");

        store.cut(cut, store.backend.ack_cancel_member(&flow_id, &ids[0])).await.unwrap();
        let drain = store.backend.reconcile(ReconcileTask::DrainCancelBacklog, 10);
        store.cut(cut, drain).await.unwrap();
        let count = "SELECT count(*) FROM ff_cancel_backlog";
        assert_eq!(store.opened.read_text(count).await, "0", "{cut:?}");
    }
}

#[tokio::test]
async fn a_worker_is_registered_beats_and_is_marked_dead() {
    for cut in cuts() {
        let store = cuttable().await;
        let namespace = Namespace::new("default");
        let instance = WorkerInstanceId::new("instance");
        let register = store.backend.register_worker(register_args("instance"));
        let registered = store.cut(cut, register).await.unwrap();
        assert_eq!(registered, RegisterWorkerOutcome::Registered, "{cut:?}");

        let args = HeartbeatWorkerArgs::new(instance.clone(), namespace.clone(), START);
        let beaten = store.cut(cut, store.backend.heartbeat_worker(args)).await.unwrap();
        assert!(matches!(beaten, HeartbeatWorkerOutcome::Refreshed { .. }), "{cut:?}");

        let args = MarkWorkerDeadArgs::new(instance, namespace, "gone".to_owned(), START);
        let marked = store.cut(cut, store.backend.mark_worker_dead(args)).await.unwrap();
        assert_eq!(marked, MarkWorkerDeadOutcome::Marked, "{cut:?}");
        assert_eq!(store.worker_events().await, "registered,heartbeat,marked_dead", "{cut:?}");
    }
}

#[tokio::test]
async fn a_worker_is_swept_once() {
    for cut in cuts() {
        let store = cuttable().await;
        store.backend.register_worker(register_args("instance")).await.unwrap();
        store.opened.clock.advance(Duration::from_secs(3_600));
        let sweep = store.backend.reconcile(ReconcileTask::SweepWorkers, 10);
        store.cut(cut, sweep).await.unwrap();
        assert_eq!(store.worker_events().await, "registered,ttl_swept", "{cut:?}");
    }
}

/// The answer of the lost try is given even where what it did has been overtaken since.
#[tokio::test]
async fn a_try_that_was_done_is_told_from_one_that_was_not() {
    let store = cuttable().await;
    let id: ExecutionId = store.opened.create().await;
    store.backend.cancel_execution(cancel_args(&id)).await.unwrap();
    let overtake = "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    NEW.lifecycle_phase := 'terminal'; NEW.public_state := 'completed'; \
                    RETURN NEW; END $$; \
                    CREATE TRIGGER overtake BEFORE UPDATE ON ff_exec_core FOR EACH ROW \
                    WHEN (NEW.attempt_index > OLD.attempt_index) EXECUTE FUNCTION overtake()";
    store.opened.execute(overtake).await;
    for (cut, replays) in [(COMMIT[1], 1), (COMMIT[0], 2)] {
        let args = ReplayExecutionArgs { execution_id: id.clone(), now: START };
        let replayed = store.cut(cut, store.backend.replay_execution(args)).await.unwrap();
        let expected = ReplayExecutionResult::Replayed { public_state: PublicState::Waiting };
        assert_eq!(replayed, expected, "{cut:?}");
        let count = "SELECT raw_fields ->> 'replay_count' FROM ff_exec_core";
        assert_eq!(store.opened.read_text(count).await, replays.to_string(), "{cut:?}");
    }
}

/// Where the server cannot tell what became of the try before, nothing is claimed to be done that is not.
#[tokio::test]
async fn what_the_server_cannot_tell_is_not_told_as_done() {
    let store = cuttable().await;
    let id: ExecutionId = store.opened.create().await;
    store.backend.cancel_execution(cancel_args(&id)).await.unwrap();
    let forget = "CREATE FUNCTION public.pg_xact_status(xid8) RETURNS text LANGUAGE plpgsql AS \
                  $$ BEGIN RAISE 'it is unknown' USING ERRCODE = '22023'; END $$; \
                  DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', \
                  current_database()); END $$";
    store.opened.execute(forget).await;
    let args = ReplayExecutionArgs { execution_id: id.clone(), now: START };

    let replayed = store.cut(COMMIT[0], store.backend.replay_execution(args)).await;

    let execution = store.opened.backend.describe_execution(&id).await.unwrap().unwrap();
    assert_eq!(execution.replay_count, u32::from(replayed.is_ok()), "{replayed:?}");
}
