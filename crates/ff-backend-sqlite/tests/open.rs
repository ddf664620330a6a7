//! What cannot be opened says why, and nothing is half-written.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{args, open};
use ff_backend_sqlite::{SqliteBackend, SqliteConfig};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError, OpenKind};
use sqlx::{Connection, SqliteConnection};

async fn refused(path: &Path) -> (OpenKind, String) {
    match SqliteBackend::new(path.to_str().unwrap()).await {
        Err(EngineError::Open { kind, detail }) => (kind, detail),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("jobs.db");
    let (kind, detail) = refused(&path).await;
    assert_eq!(kind, OpenKind::MissingDirectory);
    assert!(detail.contains("create it first"), "{detail}");
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "no database, but longer than a header of one hundred bytes ".repeat(20);
    fs::write(&path, &text).unwrap();
    let (kind, detail) = refused(&path).await;
    assert_eq!(kind, OpenKind::NotADatabase);
    assert!(detail.contains("give another path"), "{detail}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_directory_is_not_a_database() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(refused(directory.path()).await.0, OpenKind::AccessDenied);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_place_that_takes_no_files_is_named() {
    assert_eq!(refused(Path::new("/proc/jobs.db")).await.0, OpenKind::AccessDenied);
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_read_only() {
    let opened = open().await;
    let url = format!("sqlite:{}?immutable=1", opened.path.display());
    let error = SqliteBackend::new(&url).await.err().unwrap();
    assert!(matches!(error, EngineError::Open { kind: OpenKind::ReadOnly, .. }), "{error:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let opened = open().await;
    let insert = "INSERT INTO ff_migration_annotation \
                  (version, description, success, checksum, execution_time) \
                  VALUES (9999, 'from the future', 1, x'00', 0)";
    sqlx::query(insert).execute(opened.backend.pool_for_test()).await.unwrap();
    let (kind, detail) = refused(&opened.path).await;
    assert_eq!(kind, OpenKind::NewerSchema);
    assert!(detail.contains("9999") && detail.contains("newer program"), "{detail}");
}

#[tokio::test]
async fn a_migration_that_was_changed_is_refused() {
    let opened = open().await;
    let update = "UPDATE ff_migration_annotation SET checksum = x'00'";
    sqlx::query(update).execute(opened.backend.pool_for_test()).await.unwrap();
    assert_eq!(refused(&opened.path).await.0, OpenKind::ForeignSchema);
}

#[tokio::test]
async fn the_users_own_migrations_are_not_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    let create = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BLOB)";
    sqlx::query(create).execute(&mut conn).await.unwrap();
    let backend = SqliteBackend::new(path.to_str().unwrap()).await.unwrap();
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn many_can_open_a_new_file_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let opening = (0..8).map(|_| SqliteBackend::new(path.to_str().unwrap()));
    for opened in futures::future::join_all(opening).await {
        opened.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_stays_locked_is_busy_and_recovers() {
    let opened = open().await;
    let config =
        SqliteConfig { busy_timeout: Duration::from_millis(50), ..SqliteConfig::default() };
    let path = opened.path.to_str().unwrap();
    let impatient = SqliteBackend::open(path, config).await.unwrap();
    let mut other = SqliteConnection::connect(path).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let creations = (0..3).map(|_| impatient.create_execution(args()));
    for refused in futures::future::join_all(creations).await {
        let error = refused.unwrap_err();
        assert!(matches!(error, EngineError::Contention(ContentionKind::StoreBusy)), "{error:?}");
    }
    held.rollback().await.unwrap();
    impatient.create_execution(args()).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_leaves_one_file() {
    let opened = open().await;
    opened.backend.create_execution(args()).await.unwrap();
    opened.backend.ping().await.unwrap();
    opened.backend.shutdown().await.unwrap();
    let directory = opened.path.parent().unwrap();
    assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
}

#[tokio::test]
async fn after_shutdown_calls_are_refused() {
    let opened = open().await;
    opened.backend.shutdown().await.unwrap();
    let created = opened.backend.create_execution(args()).await;
    assert!(matches!(created, Err(EngineError::Transport { .. })));
    assert!(matches!(opened.backend.ping().await, Err(EngineError::Transport { .. })));
}
