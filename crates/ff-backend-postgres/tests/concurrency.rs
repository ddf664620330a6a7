//! Operations beside one another: one acts, the others get the idempotent answer or a typed refusal, and none
//! a transport error or a deadlock (OP-7, SAFE-4).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Opened, START, cancel_args, claim, execute, flow_args, header_args, member_args, open,
    register_args,
};
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait, Handle};
use ff_core::contracts::{
    AddExecutionToFlowArgs, CancelExecutionResult, CancelFlowHeader, CancelFlowResult, Completion,
    CreateFlowResult, HeartbeatWorkerArgs, HeartbeatWorkerOutcome, ReconcileTask,
    RegisterWorkerOutcome, ReplayExecutionArgs, RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::PublicState;
use ff_core::types::{FlowId, Namespace, WorkerInstanceId};
use futures::future::join_all;

const ROUNDS: usize = 30;

/// Runs calls beside one another, each on a task of its own.
async fn at_once<T, F>(
    opened: &Opened,
    calls: impl IntoIterator<Item = impl FnOnce(Arc<PostgresBackend>) -> F>,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> =
        calls.into_iter().map(|call| tokio::spawn(call(Arc::clone(&opened.backend)))).collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_cancels_at_once_one_acts_and_all_are_answered_alike() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let id = opened.create().await;
        let handle = opened.claim().await.unwrap();
        let cancels = (0..4).map(|_| {
            let args = cancel_args(&id);
            move |backend: Arc<PostgresBackend>| async move { backend.cancel_execution(args).await }
        });
        for answer in at_once(&opened, cancels).await {
            let expected = CancelExecutionResult::Cancelled {
                execution_id: id.clone(),
                public_state: PublicState::Cancelled,
            };
            assert_eq!(answer.unwrap(), expected);
        }
        assert_eq!(
            opened.events(&id).await,
            ["lease acquired", "lease revoked", "completion cancelled"]
        );
        assert!(opened.backend.renew(&handle).await.is_err());
    }
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_beside_a_completion_finishes_the_execution_once() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let id = opened.create().await;
        let handle = opened.claim().await.unwrap();
        let (canceller, completer) = (Arc::clone(&opened.backend), Arc::clone(&opened.backend));
        let args = cancel_args(&id);
        let cancel = tokio::spawn(async move { canceller.cancel_execution(args).await });
        let complete = tokio::spawn(async move { completer.complete(&handle, None).await });

        let (cancelled, completed) = (cancel.await.unwrap(), complete.await.unwrap());

        let ending = match (cancelled, completed) {
            (Ok(_), Err(error)) => {
                assert!(matches!(error, EngineError::State(_) | EngineError::Contention(_)));
                "completion cancelled"
            }
            (Err(error), Ok(())) => {
                let outcome = PublicState::Completed;
                let kind = ContentionKind::ExecutionNotActive { outcome };
                assert_eq!(error.to_string(), EngineError::Contention(kind).to_string());
                "completion success"
            }
            other => panic!("{other:?}"),
        };
        let events = opened.events(&id).await;
        let endings: Vec<_> = events.iter().filter(|event| event.starts_with("comp")).collect();
        assert_eq!(endings, [ending]);
    }
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replays_or_revocations_at_once_one_acts() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let id = opened.create().await;
        opened.claim().await.unwrap();
        let revocations = (0..2).map(|_| {
            let args = RevokeLeaseArgs {
                execution_id: id.clone(),
                expected_lease_id: None,
                worker_instance_id: WorkerInstanceId::new("instance"),
                reason: "enough".to_owned(),
            };
            move |backend: Arc<PostgresBackend>| async move { backend.revoke_lease(args).await }
        });
        let answers = at_once(&opened, revocations).await;
        let revoked =
            |answer: &&Result<_, _>| matches!(answer, Ok(RevokeLeaseResult::Revoked { .. }));
        assert_eq!(answers.iter().filter(revoked).count(), 1, "{answers:?}");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");

        opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();
        let replays = (0..2).map(|_| {
            let args = ReplayExecutionArgs { execution_id: id.clone(), now: START };
            move |backend: Arc<PostgresBackend>| async move { backend.replay_execution(args).await }
        });
        let answers = at_once(&opened, replays).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let refused = answers.into_iter().find_map(Result::err).unwrap();
        let expected = EngineError::State(StateKind::ExecutionNotTerminal);
        assert_eq!(refused.to_string(), expected.to_string());
        opened.backend.cancel_execution(cancel_args(&id)).await.unwrap();
    }
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_is_created_once() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let args = flow_args();
        let creations = (0..4).map(|_| {
            let args = args.clone();
            move |backend: Arc<PostgresBackend>| async move { backend.create_flow(args).await }
        });
        let answers = at_once(&opened, creations).await;
        let created =
            |answer: &&Result<_, _>| matches!(answer, Ok(CreateFlowResult::Created { .. }));
        assert_eq!(answers.iter().filter(created).count(), 1, "{answers:?}");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    opened.assert_no_deadlock().await;
}

/// What is done to the members while their flow is cancelled.
async fn disturb(backend: Arc<PostgresBackend>, flow_id: FlowId, handles: Vec<Handle>) {
    let batch = handles.iter().cloned().map(|handle| Completion { handle, result: None });
    let completed = backend.complete_batch(batch.collect());
    let renewed = backend.renew_batch(&handles);
    let add = async {
        for _ in 0..5 {
            let args = member_args(&flow_id);
            let execution_id = args.execution_id.clone();
            backend.create_execution(args).await.unwrap();
            let add = AddExecutionToFlowArgs { flow_id, execution_id, now: START };
            match backend.add_execution_to_flow(add).await {
                Ok(_) | Err(EngineError::State(StateKind::FlowAlreadyTerminal)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    let cancel_one = backend.cancel_execution(cancel_args(handles[0].execution_id()));
    let sweep = backend.reconcile(ReconcileTask::ExpireLeases, 100);
    let (completed, renewed, (), _, swept) =
        tokio::join!(completed, renewed, add, cancel_one, sweep);
    completed.unwrap();
    renewed.unwrap();
    swept.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_is_cancelled_once_whatever_is_done_to_its_members_meanwhile() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let (flow_id, ids) = opened.create_flow(8).await;
        let mut handles = Vec::new();
        for _ in 0..6 {
            handles.push(opened.claim().await.unwrap());
        }
        let disturbed = tokio::spawn(disturb(Arc::clone(&opened.backend), flow_id, handles));
        let cancels = (0..2).map(|_| {
            move |backend: Arc<PostgresBackend>| async move {
                let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
                backend.cancel_flow(&flow_id, policy, wait).await.unwrap()
            }
        });
        let answers = at_once(&opened, cancels).await;
        disturbed.await.unwrap();

        let members = opened.backend.list_flow_members(&flow_id, None, 100).await.unwrap();
        assert!(members.len() >= ids.len());
        let unfinished = members.iter().filter(|member| !member.is_finished()).count();
        assert_eq!(unfinished, 0);
        let by_flow =
            members.iter().filter(|member| member.cancelled_by.as_deref() == Some("flow"));
        let by_flow: Vec<_> = by_flow.map(|member| member.execution_id.to_string()).collect();
        let expected = CancelFlowResult::Cancelled {
            cancellation_policy: "cancel_all".to_owned(),
            member_execution_ids: by_flow,
        };
        assert_eq!(answers, [expected.clone(), expected]);
        for member in &members {
            let events = opened.events(&member.execution_id).await;
            let endings = events.iter().filter(|event| event.starts_with("comp")).count();
            assert_eq!(endings, 1, "{events:?}");
        }
    }
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_acknowledgements_at_once_leave_no_backlog() {
    let opened = open().await;
    for _ in 0..ROUNDS {
        let (flow_id, ids) = opened.create_flow(3).await;
        let cancelled = opened.backend.cancel_flow_header(header_args(&flow_id)).await.unwrap();
        assert!(matches!(cancelled, CancelFlowHeader::Cancelled { .. }));
        let drain = Arc::clone(&opened.backend);
        let drain = async move { drain.reconcile(ReconcileTask::DrainCancelBacklog, 2).await };
        let drain = tokio::spawn(drain);
        let acks = ids.into_iter().map(|id| {
            move |backend: Arc<PostgresBackend>| async move {
                backend.ack_cancel_member(&flow_id, &id).await
            }
        });
        for answer in at_once(&opened, acks).await {
            answer.unwrap();
        }
        drain.await.unwrap().unwrap();
    }
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_cancel_backlog").await, "0");
    assert_eq!(opened.read_text("SELECT count(*) FROM ff_cancel_backlog_member").await, "0");
    opened.assert_no_deadlock().await;
}

/// FLOW-8, with the worker in another process.
#[tokio::test]
async fn a_cancellation_waits_for_the_member_that_is_held_and_for_no_other() {
    let opened = open().await;
    let worker = opened.beside(PostgresConfig::default()).await;
    let (flow_id, _) = opened.create_flow(3).await;
    let handle = claim(&worker).await.unwrap();
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::WaitIndefinite);
    let cancelled = opened.backend.cancel_flow(&flow_id, policy, wait);
    let let_go = async {
        opened.until("SELECT 1 FROM ff_cancel_backlog").await;
        let late = CancelFlowWait::WaitTimeout(Duration::ZERO);
        let timeout = worker.cancel_flow(&flow_id, policy, late).await.unwrap_err();
        assert!(matches!(timeout, EngineError::Timeout { .. }), "{timeout:?}");
        let lost = worker.check_leases(std::slice::from_ref(&handle)).await.unwrap();
        assert!(lost[0].is_err());
        worker.ack_cancel_member(&flow_id, handle.execution_id()).await.unwrap();
    };
    let (cancelled, ()) = tokio::join!(cancelled, let_go);
    let CancelFlowResult::Cancelled { member_execution_ids, .. } = cancelled.unwrap() else {
        panic!("not all are cancelled");
    };
    assert_eq!(member_execution_ids.len(), 3);
    worker.shutdown().await.unwrap();
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_registrations_at_once_one_registers() {
    let opened = open().await;
    for round in 0..ROUNDS {
        let registrations = (0..4).map(|_| {
            let args = register_args(&format!("instance-{round}"));
            move |backend: Arc<PostgresBackend>| async move {
                backend.register_worker(args).await.unwrap()
            }
        });
        let answers = at_once(&opened, registrations).await;
        let registered = |answer: &&_| **answer == RegisterWorkerOutcome::Registered;
        assert_eq!(answers.iter().filter(registered).count(), 1);
    }
    let events = "SELECT count(*) FROM ff_worker_registry_event WHERE event_type = 'registered'";
    assert_eq!(opened.read_text(events).await, ROUNDS.to_string());
    opened.assert_no_deadlock().await;
}

/// The heartbeats wait for the worker's row, and then one finds the event of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_at_once_record_one_event() {
    let opened = open().await;
    opened.backend.register_worker(register_args("instance")).await.unwrap();
    let mut session = opened.session().await;
    execute(&mut session, "BEGIN; SELECT 1 FROM ff_worker_registry FOR UPDATE").await;
    let beats =
        (0..2).map(|_| {
            let (instance, namespace) =
                (WorkerInstanceId::new("instance"), Namespace::new("default"));
            let args = HeartbeatWorkerArgs::new(instance, namespace, START);
            move |backend: Arc<PostgresBackend>| async move {
                backend.heartbeat_worker(args).await.unwrap()
            }
        });
    let release = async {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' HAVING count(*) = 2";
        opened.until(waiting).await;
        execute(&mut session, "ROLLBACK").await;
    };
    tokio::join!(at_once(&opened, beats), release);
    let events = "SELECT count(*) FROM ff_worker_registry_event WHERE event_type = 'heartbeat'";
    assert_eq!(opened.read_text(events).await, "1");
    drop(session);
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_while_a_worker_registers_record_one_event() {
    let opened = open().await;
    for round in 0..ROUNDS {
        let instance = format!("instance-{round}");
        let beats = (0..4).map(|_| {
            let (instance, namespace) =
                (WorkerInstanceId::new(instance.clone()), Namespace::new("default"));
            let args = HeartbeatWorkerArgs::new(instance, namespace, START);
            move |backend: Arc<PostgresBackend>| async move {
                while backend.heartbeat_worker(args.clone()).await.unwrap()
                    == HeartbeatWorkerOutcome::NotRegistered
                {}
            }
        });
        let register = opened.backend.register_worker(register_args(&instance));
        let (_, registered) = tokio::join!(at_once(&opened, beats), register);
        assert_eq!(registered.unwrap(), RegisterWorkerOutcome::Registered);
    }
    let events = "SELECT count(*) FROM ff_worker_registry_event WHERE event_type = 'heartbeat'";
    assert_eq!(opened.read_text(events).await, ROUNDS.to_string());
    opened.assert_no_deadlock().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_at_once_take_each_worker_off_once() {
    let opened = open().await;
    for number in 0..50 {
        opened.backend.register_worker(register_args(&format!("i-{number}"))).await.unwrap();
    }
    opened.clock.advance(Duration::from_secs(3_600));
    let sweeps = (0..4).map(|_| {
        move |backend: Arc<PostgresBackend>| async move {
            let mut swept = 0;
            for _ in 0..20 {
                let report = backend.reconcile(ReconcileTask::SweepWorkers, 7).await.unwrap();
                assert!(report.processed <= 7 && report.errors == 0, "{report:?}");
                swept += report.processed;
            }
            swept
        }
    });
    assert_eq!(at_once(&opened, sweeps).await.iter().sum::<u32>(), 50);
    let events = "SELECT count(*) FROM ff_worker_registry_event WHERE event_type = 'ttl_swept'";
    assert_eq!(opened.read_text(events).await, "50");
    opened.assert_no_deadlock().await;
}

/// Both remove members of backlogs: the one those whose workers are gone, the other those that are old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_and_a_trim_at_once_do_not_wait_for_one_another() {
    const MEMBERS: u32 = 500;
    let opened = open().await;
    let members = "INSERT INTO ff_exec_core (partition_key, execution_id, flow_id, lane_id, \
                   lifecycle_phase, ownership_state, eligibility_state, public_state, attempt_state, \
                   created_at_ms, terminal_at_ms, cancelled_by) \
                   SELECT 1, gen_random_uuid(), b.flow_id, 'default', 'cancelled', 'unowned', \
                   'not_applicable', 'cancelled', 'attempt_terminal', n, n, 'flow' \
                   FROM ff_cancel_backlog AS b, generate_series(1, 500) AS n; \
                   INSERT INTO ff_cancel_backlog_member (partition_key, flow_id, execution_id) \
                   SELECT 1, flow_id, execution_id FROM ff_exec_core; ANALYZE";
    let namespace = Namespace::new("default");
    opened.backend.set_retention(&namespace, Some(Duration::from_millis(1))).await.unwrap();
    for _ in 0..4 {
        let flow = "INSERT INTO ff_cancel_backlog (partition_key, flow_id) \
                    VALUES (1, gen_random_uuid())";
        opened.execute(flow).await;
        opened.execute(members).await;
        // Holds both up in the middle of what they remove.
        let mut session = opened.session().await;
        let hold = "BEGIN; SELECT 1 FROM ff_cancel_backlog_member \
                    ORDER BY execution_id OFFSET 250 LIMIT 1 FOR UPDATE";
        execute(&mut session, hold).await;
        let tasks = [ReconcileTask::DrainCancelBacklog, ReconcileTask::TrimRetention];
        let sweeps = tasks.map(|task| {
            move |backend: Arc<PostgresBackend>| async move {
                backend.reconcile(task, MEMBERS).await.unwrap();
            }
        });
        let release = async {
            let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                           AND wait_event_type = 'Lock' HAVING count(*) = 2";
            opened.until(waiting).await;
            execute(&mut session, "ROLLBACK").await;
        };
        tokio::join!(at_once(&opened, sweeps), release);
        opened.execute("DELETE FROM ff_cancel_backlog").await;
    }
    opened.assert_no_deadlock().await;
}
