//! What cannot be opened says why in one error, which tells no password, and nothing is half-written.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::database::{Database, execute_at_last, server, url_of};
use common::{args, claim, execute, open};
use ff_backend_postgres::{PostgresBackend, PostgresConfig, apply_migrations};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};
use futures::future::join_all;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PASSWORD: &str = "geheim";

/// How a store is opened that is not there.
fn impatient() -> PostgresConfig {
    PostgresConfig { connect_timeout: Duration::from_millis(100), ..PostgresConfig::default() }
}

async fn refused(url: &str) -> (OpenKind, String) {
    refused_with(url, PostgresConfig::default()).await
}

async fn refused_with(url: &str, config: PostgresConfig) -> (OpenKind, String) {
    let Err(error) = PostgresBackend::connect_with(url, config).await else {
        panic!("{url} was opened");
    };
    let told = format!("{error} {error:?}");
    assert!(!told.contains(PASSWORD), "{told}");
    match error {
        EngineError::Open { kind, detail } => (kind, detail),
        other => panic!("{other:?}"),
    }
}

/// A user of the server, who goes after the databases that are declared behind it.
struct Role(String);

impl Role {
    async fn new(name: &str) -> Self {
        let name = format!("ff_role_{}_{name}", std::process::id());
        let mut conn = server().connect().await.unwrap();
        let create =
            format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'");
        execute(&mut conn, &create).await;
        Self(name)
    }

    fn url(&self, database: &Database) -> String {
        as_user(&self.0, &database.url())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute_at_last(format!("DROP ROLE IF EXISTS {}", self.0));
    }
}

/// The URL with another user.
fn as_user(name: &str, url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, rest) = rest.split_once('/').unwrap();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    format!("{scheme}://{name}:{PASSWORD}@{place}/{rest}")
}

async fn execute_in(database: &Database, statements: &str) {
    execute(&mut database.options().connect().await.unwrap(), statements).await;
}

/// The tables of the engine in the database.
async fn tables(database: &Database) -> i64 {
    let count = "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'ff\\_%' AND relkind = 'r'";
    let mut conn = database.options().connect().await.unwrap();
    sqlx::query(count).fetch_one(&mut conn).await.unwrap().get("n")
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_told_without_what_it_says() {
    for url in [
        "",
        "jobs",
        "postgres://ff:geheim@",
        "postgres://ff:geheim@host:port/jobs",
        "postgres://ff:geheim@host:99999/jobs",
        "postgres://ff:geheim@host/jobs?sslmode=never",
        "postgres://ff:geheim%ff@host/jobs",
    ] {
        let (kind, detail) = refused_with(url, impatient()).await;
        assert_eq!(kind, OpenKind::InvalidUrl, "{url}: {detail}");
    }
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let (kind, detail) = refused(&url_of("ff_test_missing")).await;
    assert_eq!(kind, OpenKind::MissingDatabase);
    assert!(detail.contains("\"ff_test_missing\"") && detail.contains("createdb"), "{detail}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let (kind, detail) = refused(&format!("postgres://ff:{PASSWORD}@{place}/jobs")).await;
    assert_eq!(kind, OpenKind::Unreachable);
    assert!(detail.contains(&place.to_string()) && detail.contains("running"), "{detail}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let url = format!("postgres://ff:{PASSWORD}@{place}/jobs");
    let (kind, detail) = refused_with(&url, impatient()).await;
    assert_eq!(kind, OpenKind::Unreachable);
    assert!(detail.contains("does not answer within 100ms"), "{detail}");
    drop(listener);
}

/// The URL of a server that answers its only caller's first bytes with these, and then hangs up.
async fn server_that_answers(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await.unwrap();
        let mut asked = [0; 256];
        let _ = caller.read(&mut asked).await.unwrap();
        caller.write_all(answer).await.unwrap();
    });
    format!("postgres://ff:{PASSWORD}@{place}/jobs")
}

#[tokio::test]
async fn a_server_that_hangs_up_is_unreachable() {
    let url = format!("{}?sslmode=disable", server_that_answers(b"").await);
    assert_eq!(refused(&url).await.0, OpenKind::Unreachable);
}

#[tokio::test]
async fn a_server_of_another_kind_is_unreachable() {
    let url = server_that_answers(b"HTTP/1.1 400 Bad Request\r\n").await;
    assert_eq!(refused(&url).await.0, OpenKind::Unreachable);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told() {
    let url = format!("{}?sslmode=require", server_that_answers(b"N").await);
    let (kind, detail) = refused(&url).await;
    assert_eq!(kind, OpenKind::Unreachable);
    assert!(detail.contains("TLS"), "{detail}");
}

#[tokio::test]
async fn a_user_whom_the_server_does_not_know_is_named() {
    let database = Database::empty().await;
    let (kind, detail) = refused(&as_user("ff_nobody", &database.url())).await;
    assert_eq!(kind, OpenKind::AccessDenied);
    assert!(detail.contains("\"ff_nobody\""), "{detail}");
}

#[tokio::test]
async fn a_user_who_may_not_create_tables_is_told_so() {
    let role = Role::new("reader").await;
    let database = Database::empty().await;
    execute_in(&database, "REVOKE CREATE ON SCHEMA public FROM public").await;
    let (kind, detail) = refused(&role.url(&database)).await;
    assert_eq!(kind, OpenKind::AccessDenied);
    assert!(detail.contains(&role.0) && detail.contains("may not migrate"), "{detail}");
    assert_eq!(tables(&database).await, 0);
}

#[tokio::test]
async fn a_user_who_may_not_connect_is_told_so() {
    let role = Role::new("stranger").await;
    let database = Database::empty().await;
    let revoke = format!("REVOKE CONNECT ON DATABASE {} FROM public", database.name);
    execute_in(&database, &revoke).await;
    let (kind, detail) = refused(&role.url(&database)).await;
    assert_eq!(kind, OpenKind::AccessDenied);
    assert!(detail.contains(&role.0) && detail.contains("permission denied"), "{detail}");
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_told() {
    let role = Role::new("late").await;
    let database = Database::migrated().await;
    execute_in(&database, &format!("ALTER ROLE {} CONNECTION LIMIT 0", role.0)).await;
    let (kind, detail) = refused(&role.url(&database)).await;
    assert_eq!(kind, OpenKind::Unreachable);
    assert!(detail.contains("too many connections"), "{detail}");
}

#[tokio::test]
async fn a_user_who_may_not_create_tables_opens_a_migrated_database() {
    let role = Role::new("worker").await;
    let database = Database::migrated().await;
    let grant = format!(
        "REVOKE CREATE ON SCHEMA public FROM public; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
        role.0
    );
    execute_in(&database, &grant).await;
    let backend = PostgresBackend::connect(&role.url(&database)).await.unwrap();
    backend.create_execution(args()).await.unwrap();
    let handle = claim(&backend).await.unwrap();
    backend.complete(&handle, None).await.unwrap();
    backend.prepare().await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_read_only() {
    let database = Database::empty().await;
    let read_only =
        format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    execute_in(&database, &read_only).await;
    let (kind, detail) = refused(&database.url()).await;
    assert_eq!(kind, OpenKind::ReadOnly);
    assert!(detail.contains("takes no writes"), "{detail}");
    assert_eq!(tables(&database).await, 0);
}

const INSERT_NEWER: &str = "INSERT INTO ff_migration_annotation \
    (version, description, success, checksum, execution_time) \
    VALUES (9999, 'from the future', true, '\\x00', 0)";

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let database = Database::migrated().await;
    execute_in(&database, INSERT_NEWER).await;
    let before = tables(&database).await;
    let (kind, detail) = refused(&database.url()).await;
    assert_eq!(kind, OpenKind::NewerSchema);
    assert!(detail.contains("9999") && detail.contains("newer program"), "{detail}");
    assert_eq!(tables(&database).await, before);
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let database = Database::migrated().await;
    execute_in(&database, "UPDATE ff_migration_annotation SET checksum = '\\x00'").await;
    assert_eq!(refused(&database.url()).await.0, OpenKind::ForeignSchema);
}

#[tokio::test]
async fn the_users_own_migrations_are_not_in_the_way() {
    let database = Database::empty().await;
    let create = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, checksum bytea)";
    execute_in(&database, create).await;
    let backend = PostgresBackend::connect(&database.url()).await.unwrap();
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn many_can_open_a_new_database_at_once() {
    let database = Database::empty().await;
    let url = database.url();
    for opened in join_all((0..8).map(|_| PostgresBackend::connect(&url))).await {
        opened.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn many_can_migrate_a_new_database_at_once_and_again() {
    let database = Database::empty().await;
    // In which a transaction sees nothing of what commits while it waits.
    let isolation = format!(
        "ALTER DATABASE {} SET default_transaction_isolation = serializable",
        database.name
    );
    execute_in(&database, &isolation).await;
    let pool = || PgPoolOptions::new().max_connections(1).connect_lazy_with(database.options());
    let pools: Vec<_> = (0..8).map(|_| pool()).collect();
    for _ in 0..2 {
        for applied in join_all(pools.iter().map(apply_migrations)).await {
            applied.unwrap();
        }
    }
    let backend = PostgresBackend::from_pool(pool(), Default::default());
    backend.prepare().await.unwrap();
    backend.create_execution(args()).await.unwrap();
}

#[tokio::test]
async fn an_emptied_database_is_noticed_by_a_ping() {
    let opened = open().await;
    opened.backend.ping().await.unwrap();
    opened.execute("DROP SCHEMA public CASCADE").await;
    assert!(matches!(opened.backend.ping().await, Err(EngineError::Transport { .. })));
}

#[tokio::test]
async fn after_shutdown_calls_are_refused() {
    let opened = open().await;
    opened.backend.shutdown().await.unwrap();
    let created = opened.backend.create_execution(args()).await;
    assert!(matches!(created, Err(EngineError::Transport { .. })));
    assert!(matches!(opened.backend.ping().await, Err(EngineError::Transport { .. })));
}

#[tokio::test]
async fn a_shutdown_leaves_no_connection_behind() {
    let opened = open().await;
    opened.create().await;
    opened.backend.shutdown().await.unwrap();
    // The server takes note of a closed connection a moment later.
    let alone =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() HAVING count(*) = 1";
    opened.until(alone).await;
}
