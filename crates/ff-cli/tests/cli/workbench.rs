//! A directory of its own for a test, and the command run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use flowfabric::core::backend::{CapabilitySet, ClaimPolicy, Handle};
use flowfabric::core::contracts::{EventStream, ExecutionFilter};
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::execution::Execution;
use flowfabric::core::state::{AttemptOutcome, PublicState};
use flowfabric::core::types::{LaneId, WorkerId, WorkerInstanceId};
use flowfabric::{Client, Submission};
use serde_json::Value;
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;

pub(crate) struct Workbench {
    directory: TempDir,
    /// The store's URL; `None` for the file that the command takes by itself.
    db: Option<String>,
}

/// What is kept of the files' executions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) states: BTreeMap<String, usize>,
    /// Attempts of all executions.
    pub(crate) attempts: usize,
}

impl Workbench {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), db: None }
    }

    /// With a store at this URL.
    #[cfg(all(unix, feature = "postgres"))]
    pub(crate) fn at(self, url: impl Into<String>) -> Self {
        Self { db: Some(url.into()), ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes `tree/` with this many small files.
    pub(crate) fn with_files(files: usize) -> Self {
        let bench = Self::new();
        for number in 0..files {
            let name = format!("tree/{}/{number}", number % 10);
            bench
                .write(Path::new(&name), format!("content {number}").repeat(number % 7).as_bytes());
        }
        bench
    }

    pub(crate) fn write(&self, name: &Path, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ff"));
        command.args(arguments).current_dir(self.path()).env_remove("RUST_LOG");
        command.args(self.db.iter().flat_map(|url| ["--db", url]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn ff(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ff(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Executions in a state, as the command tells it.
    pub(crate) fn count(&self, state: &str) -> u64 {
        let stats = self.json(&["stats"]);
        let counts = stats["counts"].as_array().unwrap();
        let counts = counts.iter().filter(|count| count["public_state"] == state);
        counts.map(|count| count["count"].as_u64().unwrap()).sum()
    }

    /// Executions that have completed; none before the store is there.
    #[cfg(unix)]
    pub(crate) fn completed(&self) -> u64 {
        if self.path().join("flowfabric.db").exists() { self.count("completed") } else { 0 }
    }

    #[cfg(unix)]
    pub(crate) fn running(&self) -> Vec<String> {
        let page = self.json(&["list", "--state", "running"]);
        let executions = page["executions"].as_array().unwrap().iter();
        executions.map(|it| it["execution_id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn sums(&self) -> Vec<u8> {
        fs::read(self.path().join("SHA256SUMS")).unwrap()
    }

    /// Whether coreutils' own program accepts the list.
    #[cfg(target_os = "linux")]
    pub(crate) fn assert_sums_check(&self) {
        let check = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(check.status.success(), "{}{}", text(&check.stdout), text(&check.stderr));
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn assert_sums_check(&self) {
        assert!(!self.sums().is_empty());
    }

    /// The store, past the command.
    pub(crate) async fn backend(&self) -> Arc<dyn EngineBackend> {
        let file = self.path().join("flowfabric.db");
        let url = self.db.as_deref().unwrap_or(file.to_str().unwrap());
        flowfabric::connect(url).await.unwrap()
    }

    /// Runs a statement of its own on the file, as another program would.
    pub(crate) async fn execute(&self, statement: &'static str) {
        let file = self.path().join("flowfabric.db");
        let mut conn = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::query(statement).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Looks into the store, and asserts what holds after any crash: the file is whole, and an
    /// execution that completed has one success, as its last attempt, and one completion event.
    pub(crate) async fn kept(&self) -> Kept {
        if self.db.is_none() {
            assert_file_is_whole(&self.path().join("flowfabric.db")).await;
        }
        let backend = self.backend().await;
        let mut kept = Kept { states: BTreeMap::new(), attempts: 0 };
        let (filter, mut after) = (ExecutionFilter::default(), None);
        loop {
            let page = backend.list_executions(&filter, after, 1_000).await.unwrap();
            for execution in &page.executions {
                kept.attempts += assert_sound(&*backend, execution).await;
                *kept.states.entry(execution.public_state.to_string()).or_default() += 1;
            }
            after = page.cursor;
            if after.is_none() {
                return kept;
            }
        }
    }
}

/// An id that no store holds.
pub(crate) const UNKNOWN: &str = "{fp:0}:550e8400-e29b-41d4-a716-446655440000";
/// The process that [`claim`] claims for.
pub(crate) const HOLDER: &str = "tester/1";

pub(crate) fn submission() -> Submission {
    Submission::new("test", &()).unwrap()
}

pub(crate) async fn submit(backend: &Arc<dyn EngineBackend>) -> String {
    Client::new(backend.clone()).submit(submission()).await.unwrap().to_string()
}

pub(crate) async fn claim(backend: &dyn EngineBackend) -> Option<Handle> {
    let (worker, instance) = (WorkerId::new("tester"), WorkerInstanceId::new(HOLDER));
    let policy = ClaimPolicy::new(worker, instance, 600_000, None);
    backend.claim(&LaneId::new("default"), &CapabilitySet::default(), policy).await.unwrap()
}

async fn assert_file_is_whole(file: &Path) {
    let mut conn = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    let check = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    assert_eq!(check.get::<String, _>(0), "ok");
    conn.close().await.unwrap();
}

async fn assert_sound(backend: &dyn EngineBackend, execution: &Execution) -> usize {
    let id = &execution.execution_id;
    let attempts = backend.list_attempts(id).await.unwrap();
    let events = backend.list_execution_events(id).await.unwrap();
    let completions = events.iter().filter(|event| event.stream == EventStream::Completion);
    assert_eq!(completions.count(), usize::from(execution.is_finished()), "{id}");
    let successes =
        attempts.iter().filter(|attempt| attempt.outcome == Some(AttemptOutcome::Success));
    let completed = execution.public_state == PublicState::Completed;
    assert_eq!(successes.count(), usize::from(completed), "{id}");
    if completed {
        let last = attempts.last().unwrap();
        assert_eq!(last.outcome, Some(AttemptOutcome::Success), "{id} ran again");
    }
    attempts.len()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
