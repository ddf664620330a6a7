//! Databases that are set up otherwise than by default, and what processes tell each other.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{TTL_MS, args, claim, execute, keyed, lane, open, open_with};
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::backend::{CapabilitySet, ClaimPolicy, FailureClass, FailureReason};
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult, EventStream};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{TimestampMs, WorkerId, WorkerInstanceId};
use sqlx::postgres::{PgListener, PgPool};
use sqlx::{AssertSqlSafe, Row};

/// A claim that waits for longer than anything here takes.
fn patient() -> ClaimPolicy {
    let (worker, instance) = (WorkerId::new("worker"), WorkerInstanceId::new("instance"));
    ClaimPolicy::new(worker, instance, TTL_MS, Some(Duration::from_secs(60)))
}

/// Creates, claims, fails, retries and completes an execution.
async fn live(backend: &PostgresBackend) {
    let args = CreateExecutionArgs { now: backend.now().await.unwrap(), ..keyed("life") };
    let id = args.execution_id.clone();
    backend.create_execution(args.clone()).await.unwrap();
    let again = backend.create_execution(args).await.unwrap();
    assert_eq!(again, CreateExecutionResult::Duplicate { execution_id: id.clone() });
    let handle = claim(backend).await.unwrap();
    backend.renew(&handle).await.unwrap();
    backend.delay(&handle, TimestampMs(0)).await.unwrap();
    let handle = claim(backend).await.unwrap();
    backend.fail(&handle, FailureReason::new("again"), FailureClass::Transient).await.unwrap();
    let execution = backend.describe_execution(&id).await.unwrap().unwrap();
    assert_eq!(execution.retry_count, 1);
    let capabilities = CapabilitySet::default();
    let retried = backend.claim(&execution.lane_id, &capabilities, patient()).await.unwrap();
    let handle = retried.unwrap();
    backend.complete(&handle, None).await.unwrap();
    let events = backend.list_execution_events(&id).await.unwrap();
    let completions = events.iter().filter(|event| event.stream == EventStream::Completion);
    assert_eq!(completions.count(), 1);
}

#[tokio::test]
async fn a_database_may_be_set_to_another_isolation_level() {
    for level in ["repeatable read", "serializable"] {
        for is_given_a_pool in [false, true] {
            let opened = open().await;
            let name = &opened.database.name;
            let set =
                format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
            opened.execute(&set).await;
            let backend = if is_given_a_pool {
                let pool = PgPool::connect_lazy_with(opened.database.options());
                PostgresBackend::from_pool(pool, Default::default())
            } else {
                PostgresBackend::connect(&opened.database.url()).await.unwrap()
            };
            live(&backend).await;
        }
    }
}

#[tokio::test]
async fn a_backend_of_its_own_works_in_one_isolation_level() {
    for level in ["repeatable read", "serializable"] {
        let opened = open().await;
        let name = &opened.database.name;
        let set = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
        opened.execute(&set).await;
        let backend = PostgresBackend::connect(&opened.database.url()).await.unwrap();
        let show = "SELECT current_setting('transaction_isolation') AS level";
        let row = sqlx::query(show).fetch_one(backend.pool_for_test()).await.unwrap();
        assert_eq!(row.get::<String, _>("level"), "read committed");
    }
}

/// The server's clock, by a function that stands before it in the database, is an hour ahead.
const AHEAD: &str = "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
    AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 hour'''";

#[tokio::test]
async fn the_servers_clock_is_followed() {
    let opened = open().await;
    opened.execute(AHEAD).await;
    let name = &opened.database.name;
    opened.execute(&format!("ALTER DATABASE {name} SET search_path = public, pg_catalog")).await;
    let backend = PostgresBackend::connect(&opened.database.url()).await.unwrap();
    let mut session = opened.session().await;
    let ask = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms";
    let mut there =
        async || -> i64 { sqlx::query(ask).fetch_one(&mut session).await.unwrap().get("now_ms") };
    // Within what a slow look may be off by: far less than the clocks are apart.
    let slack = 60_000;
    let before = there().await - slack;
    let now = backend.now().await.unwrap().0;
    backend.create_execution(args()).await.unwrap();
    let handle = claim(&backend).await.unwrap();
    let execution = backend.describe_execution(handle.execution_id()).await.unwrap().unwrap();
    let after = there().await + slack;

    assert!((before..after).contains(&now), "{before} {now} {after}");
    let expires_at = execution.lease().unwrap().expires_at.0 - i64::from(TTL_MS);
    assert!((before..after).contains(&expires_at), "{before} {expires_at} {after}");
}

/// A claim in one backend waits, and another backend creates.
async fn deliver(config: fn() -> PostgresConfig) {
    let opened = open_with(config()).await;
    let other = opened.beside(config()).await;
    let waiting = Arc::clone(&other);
    let claiming = tokio::spawn(async move {
        waiting.claim(&lane(), &CapabilitySet::default(), patient()).await.unwrap()
    });
    tokio::task::yield_now().await;
    let id = opened.create().await;
    assert_eq!(claiming.await.unwrap().unwrap().execution_id(), &id);
}

#[tokio::test]
async fn a_claim_that_waits_is_given_what_another_process_creates() {
    deliver(PostgresConfig::default).await;
    deliver(|| PostgresConfig { listen: false, ..PostgresConfig::default() }).await;
}

/// A lane with new work is announced to whoever listens, by the name that it has.
#[tokio::test]
async fn new_work_is_announced_to_other_processes() {
    let opened = open().await;
    let mut listener = PgListener::connect_with(opened.pool()).await.unwrap();
    listener.listen("ff_wake").await.unwrap();
    opened.create().await;
    assert_eq!(listener.recv().await.unwrap().payload(), lane().as_str());
}

#[tokio::test]
async fn a_listener_that_is_ended_listens_again() {
    let opened = open().await;
    let listener = "FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE 'LISTEN %ff_wake%'";
    opened.until(&format!("SELECT 1 {listener}")).await;
    let mut session = opened.session().await;
    let find = sqlx::query(AssertSqlSafe(format!("SELECT pid {listener}")));
    let ended: i32 = find.fetch_one(&mut session).await.unwrap().get("pid");
    execute(&mut session, &format!("SELECT pg_terminate_backend({ended})")).await;
    opened.until(&format!("SELECT 1 {listener} AND pid <> {ended}")).await;
}
