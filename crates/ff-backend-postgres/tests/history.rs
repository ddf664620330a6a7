//! Histories: many tasks on one database, three processes on one database, and one of them killed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/database.rs"]
mod database;
#[path = "common/fixture.rs"]
mod fixture;

use std::path::PathBuf;
use std::sync::Arc;

use database::Database;
use ff_backend_postgres::PostgresBackend;
use ff_conformance::history::{
    Cast, Counts, Kept, Log, Part, Violation, Workload, catch_up, check, drain, hammer,
};
use ff_core::engine_backend::EngineBackend;
use tempfile::TempDir;

/// The steps of each process. Real leases expire in real time: they are short.
fn workload() -> Workload {
    Workload { clients: 4, ..Workload::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_on_one_database_keep_to_one_history() {
    let counts = hammer(&fixture::DatabaseFixture, &Workload::default()).await;

    let counts = counts.unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(counts.unknown(), 0, "{counts}");
    assert!(counts.never_done().is_empty() && counts.expired > 0, "{counts}");
}

/// Not a test of its own: what the processes of the tests below are started for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_plays_its_part() {
    let Some(part) = Part::given() else { return };
    let backend = open(part.store()).await;
    part.play(backend, &workload()).await;
}

async fn open(url: &str) -> Arc<dyn EngineBackend> {
    PostgresBackend::connect(url).await.unwrap()
}

/// A database and a log.
struct Stage {
    database: Database,
    directory: TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self { database: Database::migrated().await, directory: tempfile::tempdir().unwrap() }
    }

    fn cast(&self) -> Cast {
        Cast::new("a_process_plays_its_part", &self.database.url(), &self.log())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("history.log")
    }

    async fn conclude(&self) -> Result<Counts, Violation> {
        let (backend, log) = (open(&self.database.url()).await, Arc::new(Log::at(&self.log())));
        drain(&backend, &log, None).await;
        self.database.settle().await;
        catch_up(&backend, &log).await;
        check(&log.entries(), &Kept::read(&backend).await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_on_one_database_keep_to_one_history() {
    let stage = Stage::new().await;
    let mut cast = stage.cast();
    for name in ["one", "two", "three"] {
        cast.start(name);
    }
    cast.play();
    cast.join();

    let counts = stage.conclude().await.unwrap_or_else(|violation| panic!("{violation}"));

    assert_eq!(counts.unknown(), 0, "{counts}");
    assert!(counts.expired > 0, "{counts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_leaves_a_history_that_holds() {
    let stage = Stage::new().await;
    let mut cast = stage.cast();
    cast.start("one");
    cast.start("two");
    cast.start_doomed("three");
    cast.play();
    cast.kill("three", 150);
    cast.join();

    let counts = stage.conclude().await.unwrap_or_else(|violation| panic!("{violation}"));

    assert!(counts.expired > 0, "{counts}");
}
