//! What a server and its other clients do to a backend: connections that run out or are ended, locks that
//! are held, and batches that meet each other.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Opened, TTL_MS, args, claim, execute, keyed, lane, open, open_with, policy};
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{CapabilitySet, FailureClass, FailureReason, Handle};
use ff_core::clock::Clock;
use ff_core::contracts::{
    ClaimBatchArgs, Completion, CreateExecutionArgs, CreateExecutionResult, EventStream, Failure,
    ReconcileTask, ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, TimestampMs};
use futures::future::join_all;
use sqlx::postgres::PgPool;

fn reason() -> FailureReason {
    FailureReason::new("out of memory")
}

fn assert_contention<T: Debug>(answer: Result<T, EngineError>, expected: ContentionKind) {
    match answer {
        Err(EngineError::Contention(kind)) => assert_eq!(kind, expected),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pool_in_use_is_exhausted_and_recovers() {
    let narrow = PostgresConfig { max_connections: 1, listen: false, ..Default::default() };
    let opened = open_with(narrow).await;
    let handle = claim_beside(&opened).await;
    let held = opened.pool().acquire().await.unwrap();
    // Nothing but time ends these waits.
    tokio::time::pause();
    let (lane, capabilities) = (lane(), CapabilitySet::default());

    let backend = &opened.backend;
    assert_contention(backend.create_execution(args()).await, ContentionKind::PoolExhausted);
    assert_contention(backend.complete(&handle, None).await, ContentionKind::PoolExhausted);
    let failed = backend.fail(&handle, reason(), FailureClass::Transient).await;
    assert_contention(failed, ContentionKind::PoolExhausted);
    let claimed = backend.claim(&lane, &capabilities, policy("instance")).await;
    assert_contention(claimed, ContentionKind::PoolExhausted);
    assert_contention(backend.ping().await, ContentionKind::PoolExhausted);

    tokio::time::resume();
    drop(held);
    backend.complete(&handle, None).await.unwrap();
    backend.create_execution(args()).await.unwrap();
}

/// A claimed execution that the backend's own pool has nothing to do with.
async fn claim_beside(opened: &Opened) -> Handle {
    let other = opened.beside(PostgresConfig::default()).await;
    other.create_execution(args()).await.unwrap();
    claim(&other).await.unwrap()
}

#[tokio::test]
async fn a_lease_begins_when_it_is_given_and_not_when_it_was_asked_for() {
    let opened = open_with(PostgresConfig { max_connections: 1, ..Default::default() }).await;
    opened.create().await;
    let held = opened.pool().acquire().await.unwrap();
    let backend = Arc::clone(&opened.backend);
    let claiming = tokio::spawn(async move { claim(&backend).await });
    // Whether or not the claim has begun to wait by now: it is given after this.
    tokio::task::yield_now().await;
    opened.clock.advance(Duration::from_millis(u64::from(TTL_MS)));
    drop(held);

    let handle = claiming.await.unwrap().unwrap();

    let execution = opened.backend.describe_execution(handle.execution_id()).await.unwrap();
    let lease = execution.unwrap().lease().unwrap();
    assert_eq!(lease.expires_at.0, opened.clock.now().0 + i64::from(TTL_MS));
}

/// SAFE-2, where a transaction that stays open would be met again: on the one connection that there is.
#[tokio::test]
async fn a_dropped_call_leaves_no_transaction_behind() {
    let opened = open_with(PostgresConfig { max_connections: 1, ..Default::default() }).await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    for polls in 0..60 {
        let fail = opened.backend.fail(&handle, reason(), FailureClass::Transient);
        poll_at_most(fail, polls).await;
        // It is refused in a transaction.
        sqlx::raw_sql("VACUUM ff_lane").execute(opened.pool()).await.unwrap();
    }
    opened.backend.fail(&handle, reason(), FailureClass::Transient).await.unwrap();
    let execution = opened.backend.describe_execution(handle.execution_id()).await.unwrap();
    assert_eq!(execution.unwrap().retry_count, 1);
}

/// Polls a future so often, whenever it asks to be, and drops it.
async fn poll_at_most<F: Future>(future: F, polls: u32) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| ())
    })
    .await;
}

/// Fewer connections than an operation has tries: every one of them may meet an ended one.
const FEW: u32 = 3;

fn few() -> PostgresConfig {
    PostgresConfig { max_connections: FEW, ..PostgresConfig::default() }
}

/// Ends every connection to the database but its own.
async fn end_connections(opened: &Opened) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    opened.execute(end).await;
}

/// Fills the pool.
async fn open_connections(pool: &PgPool) {
    let connections = pool.options().get_max_connections();
    let acquired = join_all((0..connections).map(|_| pool.acquire())).await;
    assert!(acquired.iter().all(Result::is_ok));
}

#[tokio::test]
async fn connections_that_are_ended_between_calls_are_replaced() {
    let opened = open_with(few()).await;
    let end = async || {
        open_connections(opened.pool()).await;
        end_connections(&opened).await;
    };
    let args = args();
    end().await;
    let created = opened.backend.create_execution(args.clone()).await.unwrap();
    assert!(matches!(created, CreateExecutionResult::Created { .. }));
    let handle = opened.claim().await.unwrap();
    end().await;
    opened.backend.renew(&handle).await.unwrap();
    end().await;
    opened.backend.fail(&handle, reason(), FailureClass::Transient).await.unwrap();
    end().await;
    let execution = opened.backend.describe_execution(&args.execution_id).await.unwrap().unwrap();
    assert_eq!(execution.retry_count, 1);
    opened.clock.set(execution.eligible_at.unwrap());
    end().await;
    let report = opened.backend.reconcile(ReconcileTask::PromoteDue, 10).await.unwrap();
    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
    let handle = opened.claim().await.unwrap();
    end().await;
    opened.backend.complete(&handle, None).await.unwrap();
    end().await;
    opened.backend.ping().await.unwrap();
    assert_eq!(completions(&opened).await, BTreeMap::from([(args.execution_id, 1)]));
}

/// How many completion events each execution has.
async fn completions(opened: &Opened) -> BTreeMap<ExecutionId, usize> {
    opened.database.settle().await;
    let events = opened.backend.read_events(EventStream::Completion, None, 10_000).await.unwrap();
    let mut completions = BTreeMap::new();
    for event in events {
        *completions.entry(event.execution_id).or_default() += 1;
    }
    completions
}

/// Creates and completes executions. A claim alone may fail: what it took stays taken until its lease ends.
async fn work(opened: &Opened, lives: usize, done: &AtomicUsize) -> Vec<ExecutionId> {
    let backend = &opened.backend;
    let (lane, capabilities) = (lane(), CapabilitySet::default());
    let mut created = Vec::new();
    for _ in 0..lives {
        let args = args();
        let creation = backend.create_execution(args.clone()).await.unwrap();
        assert!(matches!(creation, CreateExecutionResult::Created { .. }), "{creation:?}");
        created.push(args.execution_id);
        match backend.claim(&lane, &capabilities, policy("instance")).await {
            Ok(Some(handle)) => {
                backend.renew(&handle).await.unwrap();
                backend.progress(&handle, serde_json::json!({"half": true})).await.unwrap();
                backend.complete(&handle, None).await.unwrap();
            }
            Ok(None) | Err(EngineError::Transport { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    created
}

#[tokio::test]
async fn connections_that_are_ended_amid_calls_lose_and_repeat_nothing() {
    let opened = open_with(few()).await;
    let mut created = Vec::new();
    for _ in 0..3 {
        let done = AtomicUsize::new(0);
        let workers = join_all((0..8).map(|_| work(&opened, 6, &done)));
        let end = async {
            while done.load(Ordering::SeqCst) < 16 {
                tokio::task::yield_now().await;
            }
            end_connections(&opened).await;
        };
        let (ids, ()) = tokio::join!(workers, end);
        created.extend(ids.into_iter().flatten());
    }
    opened.clock.advance(Duration::from_secs(60));
    opened.backend.reconcile(ReconcileTask::ExpireLeases, 1_000).await.unwrap();
    while let Some(handle) = opened.claim().await {
        opened.backend.complete(&handle, None).await.unwrap();
    }

    let expected: BTreeMap<_, _> = created.into_iter().map(|id| (id, 1)).collect();
    assert_eq!(expected.len(), 3 * 8 * 6);
    assert_eq!(completions(&opened).await, expected);
    let counts = opened.backend.count_executions(&Default::default()).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].public_state, PublicState::Completed);
    assert_eq!(counts[0].count, expected.len() as u64);
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_told_and_nothing_is_changed() {
    let lock_timeout = Duration::from_millis(50);
    let opened = open_with(PostgresConfig { lock_timeout, ..Default::default() }).await;
    let args = args();
    opened.backend.create_execution(args.clone()).await.unwrap();
    let handle = opened.claim().await.unwrap();
    let before = opened.backend.describe_execution(&args.execution_id).await.unwrap();
    let mut session = opened.session().await;
    execute(&mut session, "BEGIN; SELECT 1 FROM ff_exec_core, ff_attempt FOR UPDATE").await;

    let backend = &opened.backend;
    let busy = ContentionKind::StoreBusy;
    assert_contention(backend.complete(&handle, None).await, busy);
    assert_contention(backend.fail(&handle, reason(), FailureClass::Transient).await, busy);
    assert_contention(backend.renew(&handle).await, busy);
    assert_contention(backend.progress(&handle, serde_json::json!(1)).await, busy);
    assert_contention(backend.delay(&handle, TimestampMs(0)).await, busy);
    assert!(opened.claim().await.is_none());
    opened.clock.advance(Duration::from_secs(60));
    let report = backend.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();
    assert_eq!(report, ScanReport::default());

    assert_eq!(backend.describe_execution(&args.execution_id).await.unwrap(), before);
    assert_eq!(completions(&opened).await, BTreeMap::new());
    execute(&mut session, "ROLLBACK").await;
    let report = backend.reconcile(ReconcileTask::ExpireLeases, 10).await.unwrap();
    assert_eq!(report, ScanReport { processed: 1, errors: 0 });
}

#[tokio::test]
async fn a_key_that_is_held_too_long_is_told_and_nothing_is_stored() {
    let lock_timeout = Duration::from_millis(50);
    let opened = open_with(PostgresConfig { lock_timeout, ..Default::default() }).await;
    opened.create().await;
    let mut session = opened.session().await;
    let hold = "BEGIN; INSERT INTO ff_idempotency SELECT 'default', 'default', 'key', 0, \
                execution_id FROM ff_exec_core";
    execute(&mut session, hold).await;
    let keyed = keyed("key");

    let refused = opened.backend.create_execution(keyed.clone()).await;

    assert_contention(refused, ContentionKind::StoreBusy);
    assert!(opened.backend.describe_execution(&keyed.execution_id).await.unwrap().is_none());
    execute(&mut session, "ROLLBACK").await;
    let created = opened.backend.create_execution(keyed).await.unwrap();
    assert!(matches!(created, CreateExecutionResult::Created { .. }));
}

async fn claim_many(backend: &PostgresBackend, max: u32) -> Vec<Handle> {
    let (lanes, policy) = (vec![lane()], policy("instance"));
    let args = ClaimBatchArgs { lanes, capabilities: CapabilitySet::default(), policy, max };
    let claimed = backend.claim_batch(args).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.handle).collect()
}

/// The items in another order for each number.
fn shuffled<T: Clone>(items: &[T], number: usize) -> Vec<T> {
    // The steps are odd and no multiples of five, so that each comes to every place once.
    let step = [1, 3, 7, 9, 11, 13, 17, 19][number % 8];
    assert!(items.len().is_multiple_of(10));
    (0..items.len()).map(|place| items[(place * step + number) % items.len()].clone()).collect()
}

fn assert_told<T>(answers: Vec<Result<T, EngineError>>) {
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(error.is_lease_lost(), "{error:?}");
    }
}

#[tokio::test]
async fn batches_over_the_same_leases_in_other_orders_do_not_fail_each_other() {
    let opened = open().await;
    let backend = &opened.backend;
    backend.create_executions((0..40).map(|_| args()).collect()).await.unwrap();
    let handles = claim_many(backend, 40).await;
    let later = |number: usize| shuffled(&handles, number).into_iter().skip(number % 3);
    let complete = async |number| {
        let batch = later(number).map(|handle| Completion { handle, result: None });
        assert_told(backend.complete_batch(batch.take(20).collect()).await.unwrap());
    };
    let fail = async |number| {
        let class = FailureClass::Transient;
        let batch = later(number).map(|handle| Failure { handle, reason: reason(), class });
        assert_told(backend.fail_batch(batch.take(20).collect()).await.unwrap());
    };
    let renew = async |number| {
        assert_told(backend.renew_batch(&later(number).collect::<Vec<_>>()).await.unwrap());
    };
    let sweep = async |task| {
        backend.reconcile(task, 100).await.unwrap();
    };
    for round in 0..5 {
        let rounds = |first: usize| (0..4).map(move |number| first + round + number * 2);
        tokio::join!(
            join_all(rounds(0).map(renew)),
            join_all(rounds(1).map(fail)),
            join_all(rounds(2).map(renew)),
            join_all(rounds(3).map(complete)),
            join_all([ReconcileTask::ExpireLeases, ReconcileTask::ExpireDeadlines].map(sweep)),
            join_all([ReconcileTask::PromoteDue, ReconcileTask::TimeOutAttempts].map(sweep)),
        );
    }
    let completed = completions(&opened).await;
    assert!(completed.values().all(|events| *events == 1), "{completed:?}");
}

#[tokio::test]
async fn batches_that_create_the_same_in_other_orders_create_it_once() {
    let opened = open().await;
    let keys: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
    let create = async |number: usize| {
        // New ids for the same keys, and the same ids in every batch.
        let fresh = shuffled(&keys, number).iter().map(|key| keyed(key)).collect();
        opened.backend.create_executions(fresh).await.unwrap()
    };
    let shared: Vec<CreateExecutionArgs> = (0..20).map(|_| args()).collect();
    let share = async |number: usize| {
        opened.backend.create_executions(shuffled(&shared, number)).await.unwrap()
    };
    let (keyed, shared_answers) =
        tokio::join!(join_all((0..8).map(create)), join_all((0..8).map(share)));

    for answers in [keyed, shared_answers] {
        let created = answers
            .iter()
            .flatten()
            .filter(|answer| matches!(answer, CreateExecutionResult::Created { .. }));
        assert_eq!(created.count(), 20);
    }
    assert_eq!(claim_many(&opened.backend, 100).await.len(), 40);
}
