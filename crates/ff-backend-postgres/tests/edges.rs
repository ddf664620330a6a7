//! Where limits, locks and other people's rights are met.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::database::{Database, execute_at_last, server};
use common::{Opened, args, execute, keyed, lane, open, open_with, policy};
use ff_backend_postgres::{PostgresBackend, PostgresConfig, apply_migrations};
use ff_core::backend::{CapabilitySet, Handle, HandleKind, HandleLease};
use ff_core::contracts::{Completion, CreateExecutionArgs, CreateExecutionResult, ReconcileTask};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};
use ff_core::partition::PartitionConfig;
use ff_core::policy::{ExecutionPolicy, RoutingRequirements, TimeoutPolicy};
use ff_core::state::PublicState;
use ff_core::types::{AttemptIndex, ExecutionId, LeaseEpoch, TimestampMs, WorkerInstanceId};
use futures::future::join_all;
use sqlx::postgres::PgPool;
use sqlx::{ConnectOptions, Connection, Row};

/// A handle that no row has.
fn stale(id: &ExecutionId) -> Handle {
    let lease = HandleLease {
        attempt_index: AttemptIndex(0),
        lease_epoch: LeaseEpoch::new(77),
        worker_instance_id: WorkerInstanceId::new("other"),
        lease_ttl_ms: 1_000,
        kind: HandleKind::Fresh,
    };
    Handle::mint("postgres", id.clone(), lease)
}

fn requiring(capability: &str, priority: i32) -> CreateExecutionArgs {
    let required_capabilities = [capability.to_owned()].into_iter().collect();
    let routing = RoutingRequirements { required_capabilities };
    let policy = ExecutionPolicy { routing_requirements: Some(routing), ..Default::default() };
    CreateExecutionArgs { policy: Some(policy), priority, ..args() }
}

/// SAFE-4. A sweep and a renewal lock attempts in the same order, whatever order a sweep finds them in.
#[tokio::test]
async fn sweeps_and_renewals_do_not_deadlock() {
    let opened = open().await;
    let timeout = TimeoutPolicy { attempt_timeout_ms: Some(1_000), ..TimeoutPolicy::default() };
    let mut handles = Vec::new();
    // The later a start, the lower the id.
    for priority in 0..20 {
        let timeout_policy = Some(timeout.clone());
        let policy = Some(ExecutionPolicy { timeout_policy, ..ExecutionPolicy::default() });
        opened
            .backend
            .create_execution(CreateExecutionArgs { policy, priority, ..args() })
            .await
            .unwrap();
    }
    for _ in 0..20 {
        handles.push(opened.claim().await.unwrap());
        opened.clock.advance(Duration::from_millis(1));
    }
    opened.clock.advance(Duration::from_secs(1));
    let mut session = opened.session().await;
    let middle = handles[10].execution_id().uuid();
    let lock =
        format!("BEGIN; SELECT 1 FROM ff_attempt WHERE execution_id = '{middle}' FOR UPDATE");
    execute(&mut session, &lock).await;
    let waiting = async |statements: i64| {
        let mut session = opened.session().await;
        let count = "SELECT count(*) AS n FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(count).fetch_one(&mut session).await.unwrap().get::<i64, _>("n")
            < statements
        {}
    };
    let release = async {
        waiting(2).await;
        execute(&mut session, "ROLLBACK").await;
    };
    let sweep = async {
        waiting(1).await;
        opened.backend.reconcile(ReconcileTask::TimeOutAttempts, 100).await.unwrap();
    };
    let (renewed, (), ()) = tokio::join!(opened.backend.renew_batch(&handles), sweep, release);
    renewed.unwrap();
    drop(session);
    opened.assert_no_deadlock().await;
}

/// Each try takes another of the pool's ended connections, and there are more of them than tries.
#[tokio::test]
async fn a_whole_pool_of_ended_connections_is_replaced() {
    let opened = open().await;
    let acquired = join_all((0..10).map(|_| opened.pool().acquire())).await;
    assert!(acquired.iter().all(Result::is_ok));
    drop(acquired);
    while opened.pool().num_idle() < 10 {
        tokio::task::yield_now().await;
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    opened.execute(end).await;
    opened.backend.create_execution(args()).await.unwrap();
}

/// What another claim has locked is made up for from the same queue only (CLAIM-1).
#[tokio::test]
async fn a_claim_passes_by_a_locked_queue() {
    let opened = open().await;
    opened.backend.create_execution(requiring("gpu", 5)).await.unwrap();
    let free = opened.create().await;
    let mut session = opened.session().await;
    execute(&mut session, "BEGIN; SELECT 1 FROM ff_exec_core WHERE priority = 5 FOR UPDATE").await;
    let capabilities = CapabilitySet::new(["gpu"]);
    let claimed = opened.backend.claim(&lane(), &capabilities, policy("instance")).await.unwrap();
    assert_eq!(claimed.map(|handle| handle.execution_id().clone()), Some(free));
}

/// As above, as it is met: as many claims at once as there is work for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_claim_comes_back_with_nothing_while_there_is_work() {
    let opened = open().await;
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    let batch = (0..).zip(&names).map(|(priority, name)| requiring(name, priority));
    opened.backend.create_executions(batch.collect()).await.unwrap();
    let capabilities = CapabilitySet::new(names);
    let claims = (0..8).map(|_| {
        let (backend, capabilities) = (Arc::clone(&opened.backend), capabilities.clone());
        tokio::spawn(async move {
            backend.claim(&lane(), &capabilities, policy("instance")).await.unwrap()
        })
    });
    let claimed = join_all(claims.collect::<Vec<_>>()).await;
    let taken = claimed.into_iter().filter(|claimed| claimed.as_ref().unwrap().is_some()).count();
    assert_eq!(taken, 8);
}

/// The lane's row, not yet committed, is what every other creation in the lane waits for (SAFE-4).
#[tokio::test]
async fn an_open_transaction_holds_up_no_other_creation_in_a_new_lane() {
    let lock_timeout = Duration::from_millis(100);
    let opened = open_with(PostgresConfig { lock_timeout, ..Default::default() }).await;
    let mut conn = opened.session().await;
    let mut transaction = conn.begin().await.unwrap();
    opened.backend.create_execution_in(&mut transaction, args()).await.unwrap();
    opened.backend.create_execution(args()).await.unwrap();
}

/// Polls a call until it waits for a lock, and drops it outside the runtime.
fn drop_outside<T>(
    runtime: &tokio::runtime::Runtime,
    opened: &Opened,
    call: impl Future<Output = T>,
) {
    let mut call = Box::pin(call);
    runtime.block_on(async {
        tokio::select! {
            _ = &mut call => panic!("it did not wait for the lock"),
            () = opened.until_one_waits() => {}
        }
    });
    drop(call);
}

/// SAFE-2: the driver's pool panics where there is no runtime.
#[test]
fn a_call_may_be_dropped_outside_the_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (opened, handle) = runtime.block_on(async {
        let opened = open().await;
        opened.create().await;
        let handle = opened.claim().await.unwrap();
        (opened, handle)
    });
    let mut session = runtime.block_on(opened.session());
    let lock = "BEGIN; SELECT 1 FROM ff_exec_core FOR UPDATE; INSERT INTO ff_idempotency \
                SELECT 'default', 'default', 'key', 0, execution_id FROM ff_exec_core";
    runtime.block_on(execute(&mut session, lock));
    drop_outside(&runtime, &opened, opened.backend.complete(&handle, None));
    // A batch that names an execution twice is a transaction.
    let batch = vec![keyed("key"); 2];
    drop_outside(&runtime, &opened, opened.backend.create_executions(batch));
}

/// Counts end where their columns do, and one that cannot rise holds up whole sweeps and batches for good.
#[tokio::test]
async fn a_count_that_cannot_rise_holds_up_nothing_else() {
    for spoil in ["attempt_index = 2147483647", "reclaim_count = 2147483647"] {
        let opened = open().await;
        opened.create().await;
        opened.execute(&format!("UPDATE ff_exec_core SET {spoil}")).await;
        opened.claim().await;
        let healthy = opened.create().await;
        while opened.claim().await.is_some() {}
        opened.clock.advance(Duration::from_secs(60));
        let swept = opened.backend.reconcile(ReconcileTask::ExpireLeases, 10).await;
        assert!(swept.is_ok(), "{spoil}: {swept:?}");
        let execution = opened.backend.describe_execution(&healthy).await.unwrap().unwrap();
        assert_eq!(execution.reclaim_count, 1, "{spoil}");
    }
}

/// As above, where a claim gives back what it cannot read.
#[tokio::test]
async fn an_unreadable_policy_is_put_back_whatever_its_attempt() {
    let opened = open().await;
    opened.create().await;
    let spoil = "UPDATE ff_exec_core \
                 SET attempt_index = 2147483647, policy = '{\"max_replay_count\": \"x\"}'";
    opened.execute(spoil).await;
    assert!(opened.claim().await.is_none());
}

/// FIN-7: what asks about the stale item fails, and with it the answers of those that are stored.
#[tokio::test]
async fn a_stale_item_that_somebody_locks_does_not_hold_up_the_batch() {
    let lock_timeout = Duration::from_millis(100);
    let opened = open_with(PostgresConfig { lock_timeout, ..Default::default() }).await;
    opened.create().await;
    let live = opened.claim().await.unwrap();
    let other = opened.create().await;
    let mut session = opened.session().await;
    let lock = format!(
        "BEGIN; SELECT 1 FROM ff_exec_core WHERE execution_id = '{}' FOR UPDATE",
        other.uuid()
    );
    execute(&mut session, &lock).await;
    let batch = [live.clone(), stale(&other)].map(|handle| Completion { handle, result: None });
    let answers = opened.backend.complete_batch(batch.into()).await;
    let execution = opened.backend.describe_execution(live.execution_id()).await.unwrap().unwrap();
    assert_eq!(execution.public_state, PublicState::Completed);
    assert!(answers.unwrap()[0].is_ok());
}

/// The server's settings hold 2^31 - 1 ms, and 0 means for ever.
#[tokio::test]
async fn a_long_or_a_short_patience_is_one() {
    let database = Database::migrated().await;
    for lock_timeout in [Duration::MAX, Duration::from_secs(30 * 86_400), Duration::from_micros(1)]
    {
        let config = PostgresConfig { lock_timeout, ..PostgresConfig::default() };
        let backend = PostgresBackend::connect_with(&database.url(), config).await.unwrap();
        let show = "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'";
        let row = sqlx::query(show).fetch_one(backend.pool_for_test()).await.unwrap();
        assert_ne!(row.get::<String, _>("setting"), "0");
    }
}

async fn kind_of(url: &str) -> OpenKind {
    let config =
        PostgresConfig { connect_timeout: Duration::from_millis(500), ..PostgresConfig::default() };
    match PostgresBackend::connect_with(url, config).await {
        Err(EngineError::Open { kind, .. }) => kind,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("{url} was opened"),
    }
}

/// `connect` says that it refuses a server that takes no writes.
#[tokio::test]
async fn a_migrated_database_that_takes_no_writes_is_read_only() {
    let database = Database::migrated().await;
    let mut conn = server().connect().await.unwrap();
    let set = format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    execute(&mut conn, &set).await;
    assert_eq!(kind_of(&database.url()).await, OpenKind::ReadOnly);
}

/// A user who may connect.
struct Role(String);

impl Role {
    async fn new(name: &str) -> Self {
        let name = format!("ff_finding_{}_{name}", std::process::id());
        let mut conn = server().connect().await.unwrap();
        execute(&mut conn, &format!("CREATE ROLE {name} LOGIN PASSWORD 'geheim'")).await;
        Self(name)
    }

    fn url(&self, database: &Database) -> String {
        let url = database.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("{scheme}://{}:geheim@{place}", self.0)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute_at_last(format!("DROP ROLE IF EXISTS {}", self.0));
    }
}

async fn execute_in(database: &Database, statements: &str) {
    execute(&mut database.options().connect().await.unwrap(), statements).await;
}

/// `apply_migrations` says that it answers `Open` when the user may not create tables.
#[tokio::test]
async fn migrations_that_the_user_may_not_apply_are_told_as_such() {
    let role = Role::new("pool").await;
    let database = Database::empty().await;
    execute_in(&database, "REVOKE CREATE ON SCHEMA public FROM public").await;
    let pool = PgPool::connect(&role.url(&database)).await.unwrap();
    let refused = apply_migrations(&pool).await;
    pool.close().await;
    let denied = OpenKind::AccessDenied;
    assert!(
        matches!(refused, Err(EngineError::Open { kind, .. }) if kind == denied),
        "{refused:?}"
    );
}

/// Without USAGE the server says that there is no schema (3F000).
#[tokio::test]
async fn a_user_who_may_not_use_the_schema_is_told_so() {
    let role = Role::new("schema").await;
    let database = Database::empty().await;
    execute_in(&database, "REVOKE ALL ON SCHEMA public FROM public").await;
    assert_eq!(kind_of(&role.url(&database)).await, OpenKind::AccessDenied);
}

/// A table of that name is there (42P07), or one that is no migrations' (42703).
#[tokio::test]
async fn somebody_elses_tables_are_told_as_such() {
    for create in ["CREATE TABLE ff_lane ()", "CREATE TABLE ff_migration_annotation ()"] {
        let database = Database::empty().await;
        execute_in(&database, create).await;
        assert_eq!(kind_of(&database.url()).await, OpenKind::ForeignSchema, "{create}");
    }
}

/// The driver reads any scheme.
#[tokio::test]
async fn a_url_of_another_database_is_none_of_postgres() {
    for url in ["sqlite:jobs.db", "mysql://ff@127.0.0.1/jobs", "https://db.example/jobs"] {
        assert_eq!(kind_of(url).await, OpenKind::InvalidUrl, "{url}");
    }
}

/// The migrator creates its table before it looks at what is there, which takes the right to.
#[tokio::test]
async fn a_newer_schema_is_named_to_a_user_who_may_not_create_tables() {
    let role = Role::new("newer").await;
    let database = Database::migrated().await;
    let insert = "INSERT INTO ff_migration_annotation \
                  (version, description, success, checksum, execution_time) \
                  VALUES (9999, 'from the future', true, '\\x00', 0); \
                  REVOKE CREATE ON SCHEMA public FROM public";
    execute_in(&database, insert).await;
    let grant = format!("GRANT SELECT ON ff_migration_annotation TO {}", role.0);
    execute_in(&database, &grant).await;
    assert_eq!(kind_of(&role.url(&database)).await, OpenKind::NewerSchema);
}

/// In another encoding, text that a column cannot hold is called a NUL, and one that a client cannot
/// read makes every claim of its lane fail.
#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let database = Database::empty().await;
        let mut conn = server().connect().await.unwrap();
        let name = &database.name;
        let create = format!(
            "DROP DATABASE {name}; \
             CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
        );
        for statement in create.split("; ") {
            execute(&mut conn, statement).await;
        }
        assert_eq!(kind_of(&database.url()).await, OpenKind::UnsupportedServer);
    }
}

/// A partition is a smallint.
#[tokio::test]
async fn a_partition_beyond_the_column_is_refused_as_input() {
    let database = Database::migrated().await;
    let partitions = PartitionConfig { num_flow_partitions: u16::MAX.try_into().unwrap() };
    let config = PostgresConfig { partitions, ..PostgresConfig::default() };
    let Ok(backend) = PostgresBackend::connect_with(&database.url(), config).await else { return };
    let execution_id = ExecutionId::from_parts(40_000, uuid::Uuid::max());
    let created = backend.create_execution(CreateExecutionArgs { execution_id, ..args() }).await;
    assert!(matches!(created, Err(EngineError::Validation { .. })), "{created:?}");
}

/// Its execution and its key go between the statement that finds the key taken and the next.
#[tokio::test]
async fn a_duplicate_of_what_is_trimmed_meanwhile_is_created() {
    let opened = open().await;
    opened.backend.create_execution(keyed("key")).await.unwrap();
    let hold = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$; \
                CREATE TRIGGER hold AFTER INSERT ON ff_exec_core EXECUTE FUNCTION hold()";
    opened.execute(hold).await;
    let mut session = opened.session().await;
    execute(&mut session, "SELECT pg_advisory_lock(1)").await;
    let trim = async {
        opened.until_one_waits().await;
        let trim = "DELETE FROM ff_exec_core; DELETE FROM ff_idempotency; \
                    SELECT pg_advisory_unlock(1)";
        for statement in trim.split("; ") {
            execute(&mut session, statement).await;
        }
    };
    let (answer, ()) = tokio::join!(opened.backend.create_execution(keyed("key")), trim);
    assert!(matches!(answer, Ok(CreateExecutionResult::Created { .. })), "{answer:?}");
}

/// The server's own patience is told as a failure of the way to it.
#[tokio::test]
async fn a_statement_that_is_cancelled_is_told_as_such() {
    let statement_timeout = Duration::from_millis(100);
    let opened = open_with(PostgresConfig { statement_timeout, ..Default::default() }).await;
    opened.create().await;
    let handle = opened.claim().await.unwrap();
    let mut session = opened.session().await;
    execute(&mut session, "BEGIN; SELECT 1 FROM ff_exec_core FOR UPDATE").await;
    let answer = opened.backend.delay(&handle, TimestampMs(0)).await;
    let is_told = matches!(answer, Err(EngineError::Timeout { .. } | EngineError::Contention(_)));
    assert!(is_told, "{answer:?}");
}

/// A key's race in the caller's transaction needs no round trip of the caller: its savepoint is undone.
#[tokio::test]
async fn a_key_that_another_transaction_takes_meanwhile_is_a_duplicate() {
    let opened = open().await;
    let (mut one, mut other) = (opened.session().await, opened.session().await);
    let first = keyed("key");
    let mut transaction = one.begin().await.unwrap();
    opened.backend.create_execution_in(&mut transaction, first.clone()).await.unwrap();
    let mut waiting = other.begin().await.unwrap();
    let commit = async {
        opened.until_one_waits().await;
        transaction.commit().await.unwrap();
    };
    let creation = opened.backend.create_execution_in(&mut waiting, keyed("key"));
    let (answer, ()) = tokio::join!(creation, commit);
    let execution_id = first.execution_id;
    assert_eq!(answer.unwrap(), CreateExecutionResult::Duplicate { execution_id });
}
