//! `examine` and `migrate`: what is found, and what is changed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::path::Path;

use common::{args, open};
use ff_backend_sqlite::{SqliteBackend, examine, migrate};
use ff_core::contracts::{Examination, Finding, Severity};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

async fn look(path: &Path) -> Examination {
    examine(path.to_str().unwrap()).await.unwrap()
}

/// The one finding.
async fn finding(path: &Path) -> Finding {
    let findings = look(path).await.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

fn files(path: &Path) -> Vec<String> {
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut files: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

async fn execute(path: &Path, statement: &str) {
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_sound_store_has_no_findings_while_it_is_open_and_when_it_is_not() {
    let opened = open().await;
    opened.backend.create_execution(args()).await.unwrap();
    let examination = look(&opened.path).await;
    assert!(examination.server.starts_with("SQLite 3."), "{}", examination.server);
    assert_eq!((examination.schema_version, examination.findings), (Some(2), vec![]));
    opened.backend.shutdown().await.unwrap();

    let examination = look(&opened.path).await;

    assert_eq!((examination.schema_version, examination.findings), (Some(2), vec![]));
    assert_eq!(files(&opened.path), ["jobs.db"], "looking leaves nothing behind");
}

#[tokio::test]
async fn a_missing_file_is_an_error_and_stays_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let error = examine(path.to_str().unwrap()).await.unwrap_err();
    assert!(matches!(error, EngineError::Open { kind: OpenKind::MissingDatabase, .. }), "{error}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_migration_says_what_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    File::create(&path).unwrap();
    let found = finding(&path).await;
    assert_eq!(found.what, "there is no store in the database");
    assert!(found.remedy.contains("ff migrate"), "{}", found.remedy);

    let migrated = migrate(path.to_str().unwrap()).await.unwrap();
    assert_eq!((migrated.before, migrated.after), (None, 2));
    let again = migrate(path.to_str().unwrap()).await.unwrap();
    assert!(again.was_up_to_date());
    assert_eq!(files(&path), ["jobs.db"]);
    assert!(look(&path).await.is_sound());
}

#[tokio::test]
async fn other_programs_migrations_are_problems() {
    let opened = open().await;
    for (statement, what) in [
        (
            "INSERT INTO ff_migration_annotation \
             (version, description, success, checksum, execution_time) \
             VALUES (9999, 'from the future', 1, x'00', 0)",
            "the schema has migration 9999, which this program does not know",
        ),
        (
            "DELETE FROM ff_migration_annotation WHERE version = 9999; \
             UPDATE ff_migration_annotation SET checksum = x'00' WHERE version = 1",
            "migration 1 of the schema is not the one that this program has",
        ),
    ] {
        execute(&opened.path, statement).await;
        assert_eq!(finding(&opened.path).await.what, what);
    }
}

#[tokio::test]
async fn what_migrations_made_and_is_gone_is_told_with_the_way_back() {
    let opened = open().await;
    execute(&opened.path, "DROP INDEX ff_exec_core_listed; DROP TABLE ff_cancel_backlog_member")
        .await;
    let findings = look(&opened.path).await.findings;
    let [table, index] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(table.what.contains("the table ff_cancel_backlog_member"), "{}", table.what);
    assert!(index.what.contains("the index ff_exec_core_listed"), "{}", index.what);
    let (_, statement) = index.remedy.split_once(": ").unwrap();
    execute(&opened.path, statement).await;
    assert_eq!(look(&opened.path).await.findings.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    fs::write(&path, "no database, but longer than a header of one hundred bytes ".repeat(20))
        .unwrap();
    let found = finding(&path).await;
    assert_eq!(found.severity, Severity::Problem);
    assert!(found.what.contains("is not a SQLite database"), "{}", found.what);
}

#[tokio::test]
async fn a_damaged_file_is_a_problem() {
    let opened = open().await;
    for _ in 0..50 {
        opened.backend.create_execution(args()).await.unwrap();
    }
    opened.backend.shutdown().await.unwrap();
    let mut bytes = fs::read(&opened.path).unwrap();
    // Every page but the first, which has the schema's root.
    bytes[4_096..].fill(0x5a);
    fs::write(&opened.path, bytes).unwrap();
    let examination = look(&opened.path).await;
    assert!(!examination.is_sound());
    assert!(examination.findings[0].what.contains("damaged"), "{:?}", examination.findings);
}

#[tokio::test]
async fn another_journal_mode_is_a_note_until_a_program_opens_the_store() {
    let opened = open().await;
    opened.backend.shutdown().await.unwrap();
    execute(&opened.path, "PRAGMA journal_mode = DELETE").await;
    let found = finding(&opened.path).await;
    assert_eq!(found.severity, Severity::Note);
    assert!(found.what.contains("has no write-ahead log"), "{}", found.what);
    let backend = SqliteBackend::new(opened.path.to_str().unwrap()).await.unwrap();
    assert_eq!(look(&opened.path).await.findings, []);
    backend.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_write_ahead_log_that_outgrows_the_database_is_a_note() {
    let opened = open().await;
    opened.backend.create_execution(args()).await.unwrap();
    let log = opened.path.with_extension("db-wal");
    // What follows the last whole frame counts for nothing.
    File::options().write(true).open(log).unwrap().set_len(1 << 30).unwrap();
    let found = finding(&opened.path).await;
    assert_eq!(found.severity, Severity::Note);
    assert!(found.what.contains("has 1024 MiB"), "{}", found.what);
}
