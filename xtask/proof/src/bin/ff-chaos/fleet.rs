//! The nodes, each in its slot: when one has ended, another takes its place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use crate::Outcome;
use crate::ledger::{self, Entry};
use crate::node::{Arguments, STOP, ledger_of};
use crate::tally::Tally;

/// Looks after which what must happen is given up.
const LOOKS: usize = 1_200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How long a node may take to end when it is told to.
const STOP_PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Fleet {
    folder: PathBuf,
    slots: Vec<Slot>,
    tally: Arc<Tally>,
}

/// A place for a node, and what is fixed of it.
pub(crate) struct Slot {
    arguments: Arguments,
    node: Mutex<Node>,
}

#[derive(Default)]
pub(crate) struct Node {
    child: Option<Child>,
    /// Nodes that there have been in this slot.
    number: u32,
}

impl Fleet {
    /// Slots for nodes with these arguments, in which their names are those of the slots.
    pub(crate) fn new(folder: &Path, nodes: Vec<Arguments>, tally: Arc<Tally>) -> Outcome<Self> {
        fs::create_dir(folder.join("ledgers"))?;
        fs::create_dir(folder.join("logs"))?;
        let slot = |arguments| Slot { arguments, node: Mutex::default() };
        let slots = nodes.into_iter().map(slot).collect();
        Ok(Self { folder: folder.to_path_buf(), slots, tally })
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) async fn start_all(&self) -> Outcome<()> {
        for slot in &self.slots {
            slot.start(&mut *slot.node.lock().await)?;
        }
        Ok(())
    }

    /// Starts a node again that has ended by itself, which none may but one that has nothing more to submit.
    pub(crate) async fn look(&self) -> Outcome<()> {
        for slot in &self.slots {
            let Ok(mut node) = slot.node.try_lock() else { continue };
            let Some(child) = &mut node.child else { continue };
            if let Some(status) = child.try_wait()? {
                if status.success() && !slot.arguments.works && self.folder.join(STOP).exists() {
                    continue;
                }
                let name = slot.name(node.number);
                self.tally.problem(format!("node {name} ended by itself: {status}"));
                slot.start(&mut node)?;
            }
        }
        Ok(())
    }

    /// Tells those who submit to stop, and waits until they have.
    pub(crate) async fn stop_submitting(&self) -> Outcome<()> {
        File::create(self.folder.join(STOP))?;
        for slot in self.slots.iter().filter(|slot| slot.arguments.submits) {
            let mut looks = 0;
            while !slot.has_stopped_submitting().await? {
                looks += 1;
                if looks > LOOKS {
                    return Err(format!("{} does not stop submitting", slot.arguments.name).into());
                }
                self.look().await?;
                sleep(BETWEEN_LOOKS).await;
            }
        }
        Ok(())
    }

    /// Tells every node to end, and waits until it has.
    pub(crate) async fn stop(&self) {
        for slot in &self.slots {
            let mut node = slot.node.lock().await;
            let name = slot.name(node.number);
            if let Some(child) = node.child.take()
                && let Err(problem) = slot.stop(child).await
            {
                self.tally.problem(format!("node {name} did not stop: {problem}"));
            }
        }
    }

    /// What all nodes that there have been have noted.
    pub(crate) fn read_ledgers(&self) -> Outcome<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(self.folder.join("ledgers"))? {
            entries.extend(ledger::read(&file?.path())?);
        }
        Ok(entries)
    }
}

impl Slot {
    /// The node that is there, unless something is being done to it.
    pub(crate) fn try_take(&self) -> Option<MutexGuard<'_, Node>> {
        self.node.try_lock().ok()
    }

    pub(crate) async fn take(&self) -> MutexGuard<'_, Node> {
        self.node.lock().await
    }

    /// Starts a node in place of the one that was there.
    pub(crate) fn start(&self, node: &mut Node) -> Outcome<()> {
        let predecessor = (node.number > 0).then(|| self.name(node.number));
        node.number += 1;
        let name = self.name(node.number);
        let given = &self.arguments;
        let log = File::create(given.folder.join("logs").join(&name))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", "--backend", given.backend.name(), "--url", &given.url]);
        command.arg("--folder").arg(&given.folder).args(["--name", &name]);
        command.args(["--seed", &given.seed.to_string(), "--pool", &given.pool.to_string()]);
        if let Some(predecessor) = predecessor {
            command.args(["--predecessor", &predecessor]);
        }
        command.args(given.works.then_some("--works")).args(given.submits.then_some("--submits"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        node.child = Some(command.spawn()?);
        Ok(())
    }

    fn name(&self, number: u32) -> String {
        format!("{}-{number}", self.arguments.name)
    }

    async fn has_stopped_submitting(&self) -> Outcome<bool> {
        let node = self.node.lock().await;
        let path = ledger_of(&self.arguments.folder, &self.name(node.number));
        Ok(ledger::read(&path)?.iter().any(|entry| matches!(entry, Entry::End)))
    }

    /// One that only submits ends by itself when it is told to stop.
    async fn stop(&self, mut child: Child) -> Outcome<()> {
        if self.arguments.works {
            signal(&child, "TERM").await?;
        }
        // Waiting would close the input, which ends it at once.
        let _input = child.stdin.take();
        let status = timeout(STOP_PATIENCE, child.wait()).await??;
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    }
}

impl Node {
    /// Kills it at once.
    pub(crate) async fn kill(&mut self) -> Outcome<Option<ExitStatus>> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        child.kill().await?;
        Ok(Some(child.wait().await?))
    }

    /// Stops it where it is, for this long. It goes on even when this process does not.
    pub(crate) async fn freeze(&self, time: Duration) -> Outcome<()> {
        let Some(id) = self.child.as_ref().and_then(Child::id) else { return Ok(()) };
        let script = r#"kill -STOP "$1" && sleep "$2" && kill -CONT "$1""#;
        let mut freeze = Command::new("sh");
        freeze.args(["-c", script, "sh", &id.to_string(), &time.as_secs_f64().to_string()]);
        let status = freeze.status().await?;
        if status.success() { Ok(()) } else { Err(format!("freezing a node: {status}").into()) }
    }
}

async fn signal(child: &Child, name: &str) -> Outcome<()> {
    let Some(id) = child.id() else { return Ok(()) };
    let status = Command::new("kill").args([format!("-{name}"), id.to_string()]).status().await?;
    if status.success() { Ok(()) } else { Err(format!("kill: {status}").into()) }
}
