//! `examine` finds what is wrong on a real server, tells what helps, and changes nothing; `migrate` tells what
//! it did.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/pooler.rs"]
mod pooler;
use common::database;

use std::time::Duration;

use cluster::Cluster;
use common::database::{Database, url_of};
use common::execute;
use ff_backend_postgres::{Limits, PostgresBackend, examine, examine_for_test, migrate};
use ff_core::contracts::{EventStream, Examination, Finding, Severity};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};
use pooler::Pooler;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

/// Everything is old from its beginning on.
const AT_ONCE: Limits = Limits { transaction_age: Duration::ZERO, transactions_behind: 0 };

async fn connect(database: &Database) -> PgConnection {
    database.options().connect().await.unwrap()
}

async fn execute_in(database: &Database, statements: &str) {
    execute(&mut connect(database).await, statements).await;
}

async fn read(conn: &mut PgConnection, statement: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_all(conn).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What is found in the database, past what is so on the whole server that tests are given.
async fn findings(database: &Database) -> Vec<Finding> {
    let of_server = [
        "fsync",
        "full_page_writes",
        "data checksums",
        "autovacuum is off:",
        "server's clock",
        "has had a transaction open",
    ];
    let mut findings = examine(&database.url()).await.unwrap().findings;
    findings.retain(|finding| !of_server.iter().any(|what| finding.what.contains(what)));
    findings
}

async fn finding(database: &Database) -> Finding {
    let mut findings = findings(database).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

/// The statement that the remedy gives.
fn statement(remedy: &str) -> &str {
    remedy.split_once(": ").unwrap().1
}

/// What is found, past what depends on how this version of the server makes a database.
fn whats(examination: &Examination) -> Vec<&str> {
    let whats = examination.findings.iter().map(|finding| finding.what.as_str());
    whats.filter(|what| !what.starts_with("data checksums are off")).collect()
}

#[tokio::test]
async fn a_migrated_database_has_no_findings() {
    let database = Database::migrated().await;
    let examination = examine(&database.url()).await.unwrap();
    assert!(examination.server.starts_with("PostgreSQL 1"), "{}", examination.server);
    assert_eq!(examination.schema_version, Some(2));
    assert_eq!(findings(&database).await, []);
}

#[tokio::test]
async fn a_migration_tells_what_it_did_and_a_look_makes_nothing() {
    let database = Database::empty().await;
    let missing = finding(&database).await;
    assert_eq!(missing.what, "there is no store in the database");
    assert!(missing.remedy.contains("ff migrate"), "{}", missing.remedy);
    let tables = "SELECT relname::text FROM pg_class WHERE relname LIKE 'ff\\_%'";
    assert_eq!(read(&mut connect(&database).await, tables).await, [""; 0]);

    let migrated = migrate(&database.url()).await.unwrap();

    assert_eq!((migrated.before, migrated.after), (None, 2));
    assert!(migrate(&database.url()).await.unwrap().was_up_to_date());
    assert_eq!(findings(&database).await, []);
}

#[tokio::test]
async fn migrations_of_other_programs_are_problems() {
    let database = Database::migrated().await;
    let insert = "INSERT INTO ff_migration_annotation \
                  (version, description, success, checksum, execution_time) \
                  VALUES (9999, 'from the future', true, '\\x00', 0)";
    execute_in(&database, insert).await;
    assert!(finding(&database).await.what.contains("migration 9999"));
    execute_in(&database, "DELETE FROM ff_migration_annotation WHERE version = 9999").await;
    execute_in(&database, "UPDATE ff_migration_annotation SET checksum = '\\x00'").await;
    assert!(finding(&database).await.what.contains("is not the one that this program has"));
}

#[tokio::test]
async fn each_missing_index_is_named_and_made_again_by_its_remedy() {
    let database = Database::migrated().await;
    let mut conn = connect(&database).await;
    let all = "SELECT indexrelid::regclass::text FROM pg_index \
               WHERE indrelid::regclass::text LIKE 'ff\\_%' AND NOT indisprimary \
                   AND indrelid <> 'ff_migration_annotation'::regclass";
    let indexes = read(&mut conn, all).await;
    assert!(indexes.len() > 10, "{indexes:?}");
    for index in indexes {
        execute(&mut conn, &format!("DROP INDEX {index}")).await;
        let missing = finding(&database).await;
        assert_eq!(missing.severity, Severity::Problem);
        assert!(missing.what.starts_with(&format!("the index {index} is missing")), "{missing:?}");
        execute(&mut conn, statement(&missing.remedy)).await;
        assert_eq!(findings(&database).await, [], "{index}");
    }
}

#[tokio::test]
async fn each_missing_table_and_primary_key_is_named() {
    let database = Database::migrated().await;
    let mut conn = connect(&database).await;
    let all = "SELECT relname::text FROM pg_class \
               WHERE relname LIKE 'ff\\_%' AND relkind = 'r' AND relname <> 'ff_migration_annotation' \
               ORDER BY relname";
    let tables = read(&mut conn, all).await;
    for table in &tables {
        execute(&mut conn, &format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")).await;
    }
    let mut found: Vec<String> =
        findings(&database).await.into_iter().map(|finding| finding.what).collect();
    found.sort();
    let expected =
        |what: fn(&str) -> String| tables.iter().map(|name| what(name)).collect::<Vec<_>>();
    let keys = expected(|table| {
        format!("the primary key of {table} is missing: rows may be stored twice")
    });
    assert_eq!(found, keys);

    for table in &tables {
        execute(&mut conn, &format!("DROP TABLE {table} CASCADE")).await;
    }

    let mut found: Vec<String> =
        findings(&database).await.into_iter().map(|finding| finding.what).collect();
    found.sort();
    let missing =
        expected(|table| format!("the table {table} is missing, which the migrations have made"));
    assert_eq!(found, missing);
}

#[tokio::test]
async fn an_invalid_index_is_made_anew_or_dropped() {
    let database = Database::migrated().await;
    let mut conn = connect(&database).await;
    execute(&mut conn, "CREATE INDEX ff_exec_core_active_ccnew ON ff_exec_core (started_at_ms)")
        .await;
    for index in ["ff_exec_core_active", "ff_lane_pkey", "ff_exec_core_active_ccnew"] {
        let break_it = format!(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass"
        );
        execute(&mut conn, &break_it).await;
        let invalid = finding(&database).await;
        assert!(invalid.what.starts_with(&format!("the index {index} is invalid")), "{invalid:?}");
        execute(&mut conn, statement(&invalid.remedy)).await;
        assert_eq!(findings(&database).await, [], "{index}");
    }
}

#[tokio::test]
async fn a_table_without_autovacuum_is_named() {
    let database = Database::migrated().await;
    execute_in(&database, "ALTER TABLE ff_attempt SET (autovacuum_enabled = false)").await;
    let unattended = finding(&database).await;
    assert!(unattended.what.starts_with("autovacuum is off for ff_attempt"), "{unattended:?}");
    execute_in(&database, statement(&unattended.remedy)).await;
    assert_eq!(findings(&database).await, []);
}

#[tokio::test]
async fn settings_of_the_database_that_risk_or_refuse_writes_are_named() {
    let database = Database::migrated().await;
    let set = |setting: &str| format!("ALTER DATABASE {} SET {setting}", database.name);
    execute_in(&database, &set("synchronous_commit = off")).await;
    assert!(finding(&database).await.what.starts_with("synchronous_commit is off"));
    execute_in(&database, &set("synchronous_commit = on")).await;
    execute_in(&database, &set("default_transaction_read_only = on")).await;
    assert!(finding(&database).await.what.starts_with("default_transaction_read_only is on"));
}

#[tokio::test]
async fn events_from_another_server_are_told_and_read_again_after_the_remedy() {
    let database = Database::migrated().await;
    let restored = "INSERT INTO ff_completion_event \
                    (transaction_id, partition_key, execution_id, outcome, occurred_at_ms) \
                    SELECT '9000000000000000000', 0, gen_random_uuid(), 'success', n \
                    FROM generate_series(1, 3) AS n";
    execute_in(&database, restored).await;
    let future = finding(&database).await;
    assert!(future.what.starts_with("ff_completion_event has events"), "{future:?}");
    let (remedy, _) = future.remedy.split_once("; ").unwrap();
    execute_in(&database, remedy).await;
    assert_eq!(findings(&database).await, []);

    let backend = PostgresBackend::connect(&database.url()).await.unwrap();
    let stream = EventStream::Completion;
    let mut events = Vec::new();
    // Transactions of other tests make readers wait.
    while events.is_empty() {
        events = backend.read_events(stream, None, 10).await.unwrap();
    }
    let times: Vec<i64> = events.iter().map(|event| event.occurred_at.0).collect();
    assert_eq!(times, [1, 2, 3]);
}

/// The finding of the session's transaction, once transactions count as old at once.
async fn held_by(session: &mut PgConnection, url: &str) -> Option<Finding> {
    let process = read(session, "SELECT pg_backend_pid()::text").await.remove(0);
    let examination = examine_for_test(url, AT_ONCE).await.unwrap();
    let what = format!("process {process} ");
    examination.findings.into_iter().find(|finding| finding.what.starts_with(&what))
}

#[tokio::test]
async fn an_old_transaction_is_told_where_it_holds_something_back() {
    let (here, elsewhere) = (Database::empty().await, Database::empty().await);
    for (database, begin, is_held) in [
        (&here, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", true),
        (&here, "BEGIN; SELECT pg_current_xact_id()", true),
        (&here, "BEGIN; SELECT 1", false),
        (&elsewhere, "BEGIN; SELECT pg_current_xact_id()", true),
        (&elsewhere, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", false),
    ] {
        let mut session = connect(database).await;
        execute(&mut session, begin).await;
        let held = held_by(&mut session, &here.url()).await;
        assert_eq!(held.is_some(), is_held, "{begin} in {}", database.name);
        let Some(held) = held else { continue };
        assert_eq!(held.severity, Severity::Problem);
        assert!(held.what.contains(&database.name), "{held:?}");
        let of_here = findings(&here).await;
        assert!(!of_here.iter().any(|young| young.what.contains("open for")), "{of_here:?}");
        execute_in(&here, statement(&held.remedy)).await;
    }
}

#[tokio::test]
async fn a_pooler_that_keeps_no_session_is_a_note() {
    let Some(program) = Pooler::program() else { return };
    let pooler = Pooler::start(&program).unwrap();
    let database = Database::migrated().await;
    let examination = examine(&pooler.url(&database.name)).await.unwrap();
    let note = &examination.findings[..];
    let note = note.iter().find(|finding| finding.what.contains("transaction pooler")).unwrap();
    assert_eq!(note.severity, Severity::Note);
    assert_eq!(examination.schema_version, Some(2));
}

#[tokio::test]
async fn what_cannot_be_opened_is_an_error_as_for_a_backend() {
    let error = examine(&url_of("ff_test_missing")).await.unwrap_err();
    assert!(matches!(error, EngineError::Open { kind: OpenKind::MissingDatabase, .. }), "{error}");
    let error = examine("postgres://ff:geheim@host:port/jobs").await.unwrap_err();
    assert!(matches!(error, EngineError::Open { kind: OpenKind::InvalidUrl, .. }), "{error}");
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[tokio::test]
async fn a_durable_server_is_sound() {
    let durable = [("fsync", "on"), ("full_page_writes", "on")];
    let cluster = Cluster::start_with(&durable).unwrap();
    let url = cluster.url("postgres");
    migrate(&url).await.unwrap();
    let examination = examine(&url).await.unwrap();
    assert!(examination.is_sound(), "{:?}", examination.findings);
    assert_eq!(whats(&examination), [""; 0]);
}

#[tokio::test]
async fn a_server_that_may_lose_data_is_not_sound() {
    let risky = [("fsync", "off"), ("full_page_writes", "off"), ("autovacuum", "off")];
    let cluster = Cluster::start_with(&risky).unwrap();
    let url = cluster.url("postgres");
    migrate(&url).await.unwrap();
    let examination = examine(&url).await.unwrap();
    assert!(!examination.is_sound());
    let whats = whats(&examination);
    for (what, setting) in whats.iter().zip(["fsync", "full_page_writes", "autovacuum"]) {
        assert!(what.starts_with(&format!("{setting} is off")), "{what}");
    }
    assert_eq!(whats.len(), 3, "{whats:?}");
}

#[tokio::test]
async fn what_outlives_sessions_and_holds_back_vacuum_is_told_with_its_end() {
    let settings = [("max_prepared_transactions", "2"), ("wal_level", "logical")];
    let cluster = Cluster::start_with(&settings).unwrap();
    let url = cluster.url("postgres");
    let sql = |sql: &str| cluster.psql("postgres", sql).unwrap();
    // In this order: a slot waits for the transactions that are there.
    sql("SELECT pg_create_logical_replication_slot('left_over', 'pgoutput')");
    sql("BEGIN; CREATE TABLE t (x integer); PREPARE TRANSACTION 'it''s'");

    let examination = examine_for_test(&url, AT_ONCE).await.unwrap();
    let found = |what: &str| {
        let mut findings = examination.findings.iter();
        findings.find(|finding| finding.what.starts_with(what)).cloned()
    };
    let prepared = found("the prepared transaction \"it's\"").unwrap();
    let slot = found("the replication slot").unwrap();
    let (_, rollback) = prepared.remedy.split_once(" or ").unwrap();
    sql(rollback);
    sql(statement(&slot.remedy));
}

#[tokio::test]
async fn a_user_who_may_not_see_or_read_all_is_told_so() {
    let cluster = Cluster::start().unwrap();
    let (url, sql) = (cluster.url("postgres"), |sql: &str| cluster.psql("postgres", sql).unwrap());
    migrate(&url).await.unwrap();
    sql("CREATE ROLE onlooker LOGIN");
    let onlooker = url.replace("postgres@", "onlooker@");
    let error = examine(&onlooker).await.unwrap_err();
    assert!(matches!(error, EngineError::Open { kind: OpenKind::AccessDenied, .. }), "{error}");
    assert!(error.to_string().contains("may not look at the store"), "{error}");

    sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker");
    let backend = PostgresBackend::connect(&url).await.unwrap();
    let examination = examine(&onlooker).await.unwrap();
    let hidden = |finding: &&Finding| finding.what.contains("hide how old");
    let note = examination.findings.iter().find(hidden).unwrap();
    assert_eq!(note.severity, Severity::Note);
    sql("GRANT pg_read_all_stats TO onlooker");
    let examination = examine(&onlooker).await.unwrap();
    assert_eq!(examination.findings.iter().find(hidden), None);
    backend.shutdown().await.unwrap();
}
