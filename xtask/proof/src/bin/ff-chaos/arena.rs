//! A store of the run's own, what stands around it, and what can be done to it.

mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ff_core::contracts::Examination;
use ff_core::engine_backend::EngineBackend;

use crate::audit::Stored;
use crate::fault::Fault;
use crate::namespace::Disks;
use crate::node::Arguments;
use crate::random::Random;
use crate::{Backend, Outcome};

pub(crate) use postgres::PostgresArena;
pub(crate) use sqlite::SqliteArena;

/// A kind of fault that this run does without, and why.
pub(crate) type LeftOut = (Fault, String);

#[async_trait]
pub(crate) trait Arena: Send + Sync {
    /// The nodes that use the store, named by their slots.
    fn nodes(&self) -> Vec<Arguments>;

    /// What it cannot be done.
    fn left_out(&self) -> Vec<LeftOut>;

    /// Does a fault to the store or to the way there; false when there was nothing to do it to.
    async fn inject(&self, fault: Fault, random: &mut Random) -> Outcome<bool>;

    /// Looks at what a process that was killed has left.
    async fn check_after_kill(&self) -> Outcome<()>;

    /// Brings the store back, whatever was done to it.
    async fn restore(&self) -> Outcome<()>;

    /// Executions that have not finished, and cancellations of flows that wait for workers.
    async fn count_open(&self) -> Outcome<u64>;

    /// Everything that the audit looks at.
    async fn read(&self) -> Outcome<Stored>;

    /// The store as programs open it.
    async fn open(&self) -> Outcome<Arc<dyn EngineBackend>>;

    /// What an operator would be told of it.
    async fn examine(&self) -> Outcome<Examination>;

    /// Copies the store into the folder.
    async fn keep(&self, folder: &Path) -> Outcome<()>;
}

/// What an arena is built for.
#[derive(Clone)]
pub(crate) struct Site<'p> {
    pub(crate) folder: &'p Path,
    pub(crate) seed: u64,
    pub(crate) disks: &'p Disks,
}

impl Site<'_> {
    /// A node of this name at the URL, with this many connections; it works, submits, or both.
    fn node(&self, name: &str, backend: Backend, url: &str) -> Arguments {
        Arguments {
            backend,
            url: url.to_owned(),
            folder: self.folder.to_path_buf(),
            name: name.to_owned(),
            predecessor: None,
            seed: self.seed,
            pool: 1,
            works: false,
            submits: false,
        }
    }
}

/// Builds the backend's arena.
pub(crate) async fn build(backend: Backend, site: &Site<'_>) -> Outcome<Arc<dyn Arena>> {
    Ok(match backend {
        Backend::Sqlite => Arc::new(SqliteArena::build(site).await?),
        Backend::Postgres => Arc::new(PostgresArena::build(site).await?),
    })
}
