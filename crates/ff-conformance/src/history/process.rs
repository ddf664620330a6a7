//! Several processes on one store: this test program, started again.

#![expect(clippy::unwrap_used, reason = "a process that cannot be started is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use ff_core::engine_backend::EngineBackend;

use super::log::Log;
use super::record::What;
use super::workload::{Participant, Workload};

const NAME: &str = "FF_HISTORY_NAME";
const STORE: &str = "FF_HISTORY_STORE";
const LOG: &str = "FF_HISTORY_LOG";
const DOOMED: &str = "FF_HISTORY_DOOMED";

/// What a process prints when it has opened the store.
const READY: &str = "ready to play\n";
/// How many times as long a process that will be killed would go on.
const LONGER: usize = 100;

/// What this process was started for by a [`Cast`].
#[derive(Debug)]
pub struct Part {
    name: String,
    store: String,
    log: PathBuf,
    is_doomed: bool,
}

impl Part {
    /// This process's part; `None` when no [`Cast`] has started it.
    pub fn given() -> Option<Self> {
        let read = |name| std::env::var(name).ok();
        let (name, store, log) = (read(NAME)?, read(STORE)?, read(LOG)?.into());
        Some(Self { name, store, log, is_doomed: read(DOOMED).is_some() })
    }

    /// Where the store is, as the [`Cast`] was told.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Waits until the others have opened the store too, and runs the workload.
    pub async fn play(self, backend: Arc<dyn EngineBackend>, workload: &Workload) {
        let mut stdout = std::io::stdout();
        stdout.write_all(READY.as_bytes()).unwrap();
        stdout.flush().unwrap();
        if std::io::stdin().read_line(&mut String::new()).unwrap() == 0 {
            return;
        }
        let longer = if self.is_doomed { LONGER } else { 1 };
        let workload = Workload { steps: workload.steps * longer, ..workload.clone() };
        let (backends, log) = (vec![backend], Arc::new(Log::at(&self.log)));
        let participant = Participant { name: self.name, backends, clock: None, log };
        workload.run(&participant).await;
    }
}

/// Processes that hammer one store together. Each is this test program, told to run one of its tests, which
/// asks for its [`Part`] and plays it.
///
/// ```no_run
/// # async fn example(path: &std::path::Path, store: &str) {
/// use ff_conformance::history::Cast;
///
/// let mut cast = Cast::new("a_process_plays_its_part", store, path);
/// cast.start("one");
/// cast.start_doomed("two");
/// cast.play();
/// cast.kill("two", 100);
/// cast.join();
/// # }
/// ```
///
/// When it is dropped, it kills the processes that still run. Every method panics when a process does not do
/// its part.
#[derive(Debug)]
pub struct Cast {
    test: String,
    store: String,
    log: PathBuf,
    players: Vec<Player>,
}

#[derive(Debug)]
struct Player {
    name: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Cast {
    /// Nobody yet. `test` is the full name of the test that plays a part; `log` is where all of them note
    /// their calls.
    pub fn new(test: &str, store: &str, log: &Path) -> Self {
        let (test, store, log) = (test.to_owned(), store.to_owned(), log.to_owned());
        Self { test, store, log, players: Vec::new() }
    }

    /// Starts a process.
    pub fn start(&mut self, name: &str) {
        let command = self.command(name);
        self.spawn(name, command);
    }

    /// Starts a process that goes on until it is killed.
    pub fn start_doomed(&mut self, name: &str) {
        let mut command = self.command(name);
        command.env(DOOMED, "1");
        self.spawn(name, command);
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([self.test.as_str(), "--exact", "--nocapture"]);
        command.env(NAME, name).env(STORE, &self.store).env(LOG, &self.log);
        command
    }

    fn spawn(&mut self, name: &str, mut command: Command) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        self.players.push(Player { name: name.to_owned(), child, stdout });
    }

    /// Waits until every process has opened the store, and lets them begin.
    pub fn play(&mut self) {
        for player in &mut self.players {
            let is_ready =
                (&mut player.stdout).lines().any(|line| line.unwrap().contains(READY.trim_end()));
            assert!(is_ready, "{} has ended before it was ready", player.name);
        }
        for player in &mut self.players {
            player.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        }
    }

    /// Kills a process, which has no chance to do anything about it, once it has been given this many answers.
    pub fn kill(&mut self, name: &str, answers: usize) {
        let log = Log::at(&self.log);
        let given = || {
            let entries = log.entries();
            let own = entries.iter().filter(|entry| {
                matches!(entry.what, What::Answered(_))
                    && entry.client.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
            });
            own.count()
        };
        let index = self.players.iter().position(|player| player.name == name).unwrap();
        let mut player = self.players.remove(index);
        while given() < answers {
            assert!(player.child.try_wait().unwrap().is_none(), "{name} has ended by itself");
        }
        player.child.kill().unwrap();
        player.child.wait().unwrap();
    }

    /// Waits until every process has ended.
    pub fn join(mut self) {
        for player in &mut self.players {
            let mut said = String::new();
            player.stdout.read_to_string(&mut said).unwrap();
            let status = player.child.wait().unwrap();
            assert!(status.success(), "{} has failed: {said}", player.name);
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
