//! Histories: many tasks on one file, two processes on one file, and one of them killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fixture.rs"]
mod fixture;

use std::path::Path;
use std::sync::Arc;

use ff_backend_sqlite::{SqliteBackend, SqliteConfig};
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
async fn tasks_on_one_file_keep_to_one_history() {
    let counts = hammer(&fixture::FileFixture, &Workload::default()).await;

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

async fn open(path: &str) -> Arc<dyn EngineBackend> {
    SqliteBackend::open(path, SqliteConfig::default()).await.unwrap()
}

/// A file and a log.
struct Stage {
    directory: TempDir,
    store: String,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("jobs.db").to_str().unwrap().to_owned();
        Self { directory, store }
    }

    fn cast(&self) -> Cast {
        Cast::new("a_process_plays_its_part", &self.store, &self.log())
    }

    fn log(&self) -> std::path::PathBuf {
        Path::join(self.directory.path(), "history.log")
    }

    async fn conclude(&self) -> Result<Counts, Violation> {
        let (backend, log) = (open(&self.store).await, Arc::new(Log::at(&self.log())));
        drain(&backend, &log, None).await;
        catch_up(&backend, &log).await;
        check(&log.entries(), &Kept::read(&backend).await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_keep_to_one_history() {
    let stage = Stage::new();
    let mut cast = stage.cast();
    cast.start("one");
    cast.start("two");
    cast.play();
    cast.join();

    let counts = stage.conclude().await.unwrap_or_else(|violation| panic!("{violation}"));

    assert_eq!(counts.unknown(), 0, "{counts}");
    assert!(counts.expired > 0, "{counts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_leaves_a_history_that_holds() {
    let stage = Stage::new();
    let mut cast = stage.cast();
    cast.start("one");
    cast.start_doomed("two");
    cast.play();
    cast.kill("two", 150);
    cast.join();

    let counts = stage.conclude().await.unwrap_or_else(|violation| panic!("{violation}"));

    assert!(counts.expired > 0, "{counts}");
}
