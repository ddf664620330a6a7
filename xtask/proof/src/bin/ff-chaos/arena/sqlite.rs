//! A SQLite file that a few processes share, each of which works and submits.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_backend_sqlite::SqliteBackend;
use ff_core::contracts::Examination;
use ff_core::engine_backend::EngineBackend;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tokio::time::sleep;

use super::{Arena, LeftOut, Site};
use crate::audit::{COUNT_OPEN, Stored, read_from};
use crate::disk::Disk;
use crate::fault::Fault;
use crate::node::Arguments;
use crate::random::Random;
use crate::{Backend, Outcome};

const PROCESSES: u32 = 4;
/// Room for a run of many minutes.
const DISK_MIB: u32 = 512;
/// How long this process waits for the others' locks.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at the file after which one that cannot be read is taken for damaged.
const LOOKS: usize = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

pub(crate) struct SqliteArena {
    file: PathBuf,
    disk: Result<Disk, String>,
    nodes: Vec<Arguments>,
}

impl SqliteArena {
    pub(super) async fn build(site: &Site<'_>) -> Outcome<Self> {
        let folder = site.folder.join("store");
        let disk = match site.disks {
            Ok(()) => Ok(Disk::mount(&folder, DISK_MIB, None)?),
            Err(reason) => {
                fs::create_dir(&folder)?;
                Err(reason.clone())
            }
        };
        let file = folder.join("jobs.db");
        let url = file.to_string_lossy().into_owned();
        ff_backend_sqlite::migrate(&url).await?;
        let node = |number| {
            let node = site.node(&format!("embedder{number}"), Backend::Sqlite, &url);
            Arguments { works: true, submits: true, ..node }
        };
        let nodes = (1..=PROCESSES).map(node).collect();
        Ok(Self { file, disk, nodes })
    }

    async fn connect(&self) -> Outcome<SqliteConnection> {
        let options = SqliteConnectOptions::from_str(&self.url())?.busy_timeout(PATIENCE);
        Ok(options.disable_statement_logging().connect().await?)
    }

    async fn check_file(&self) -> Outcome<String> {
        let mut conn = self.connect().await?;
        let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await?;
        Ok(row.try_get(0)?)
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.file.display())
    }

    /// Begins a transaction, and rolls it back after a time.
    async fn hold(&self, begin: &'static str, time: Duration) -> Outcome<bool> {
        let mut conn = self.connect().await?;
        sqlx::raw_sql(begin).execute(&mut conn).await?;
        sleep(time).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut conn).await?;
        Ok(true)
    }

    async fn fill_disk(&self, time: Duration) -> Outcome<bool> {
        let Ok(disk) = self.disk.clone() else { return Ok(false) };
        let filled = tokio::task::spawn_blocking({
            let disk = disk.clone();
            move || disk.fill()
        });
        let filled = filled.await?;
        sleep(time).await;
        disk.free()?;
        filled.map(|()| true)
    }
}

#[async_trait]
impl Arena for SqliteArena {
    fn nodes(&self) -> Vec<Arguments> {
        self.nodes.clone()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        let no_server = [Fault::Terminate, Fault::Cut, Fault::Restart, Fault::FullLog, Fault::Hog];
        let mut left_out: Vec<_> =
            no_server.map(|fault| (fault, "SQLite has no server".to_owned())).into();
        if let Err(reason) = &self.disk {
            left_out.push((Fault::FullDisk, reason.clone()));
        }
        left_out
    }

    async fn inject(&self, fault: Fault, random: &mut Random) -> Outcome<bool> {
        let time = fault.time(random);
        match fault {
            Fault::Lock => self.hold("BEGIN IMMEDIATE", time).await,
            Fault::Snapshot => self.hold("BEGIN; SELECT count(*) FROM ff_exec_core", time).await,
            Fault::FullDisk => self.fill_disk(time).await,
            _ => Ok(false),
        }
    }

    async fn check_after_kill(&self) -> Outcome<()> {
        let mut looks = 0;
        let answer = loop {
            match self.check_file().await {
                Ok(answer) => break answer,
                // The disk may be full meanwhile.
                Err(_) if looks < LOOKS => looks += 1,
                Err(problem) => return Err(problem),
            }
            sleep(BETWEEN_LOOKS).await;
        };
        if answer == "ok" { Ok(()) } else { Err(format!("the file is damaged: {answer}").into()) }
    }

    async fn restore(&self) -> Outcome<()> {
        self.disk.as_ref().map_or(Ok(()), Disk::free)
    }

    async fn count_open(&self) -> Outcome<u64> {
        let row = sqlx::query(COUNT_OPEN).fetch_one(&mut self.connect().await?).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?)?)
    }

    async fn read(&self) -> Outcome<Stored> {
        read_from!(&mut self.connect().await?)
    }

    async fn open(&self) -> Outcome<Arc<dyn EngineBackend>> {
        Ok(SqliteBackend::new(&self.url()).await?)
    }

    async fn examine(&self) -> Outcome<Examination> {
        Ok(ff_backend_sqlite::examine(&self.url()).await?)
    }

    async fn keep(&self, folder: &Path) -> Outcome<()> {
        let copy = folder.join("kept");
        fs::create_dir(&copy)?;
        for file in fs::read_dir(self.file.parent().unwrap_or(folder))? {
            let file = file?;
            fs::copy(file.path(), copy.join(file.file_name()))?;
        }
        Ok(())
    }
}
