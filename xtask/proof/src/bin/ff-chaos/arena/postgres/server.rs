//! The server and its disks.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use std::str::FromStr;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cluster::{Account, Cluster};
use crate::Outcome;
use crate::arena::{LeftOut, Site};
use crate::disk::Disk;
use crate::fault::Fault;

const DATABASE: &str = "chaos";
/// As a server for real data, and so small that its limits are reached.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("max_connections", "40"),
    ("shared_buffers", "32MB"),
    ("min_wal_size", "32MB"),
    ("max_wal_size", "48MB"),
];
const TABLES_MIB: u32 = 512;
const LOG_MIB: u32 = 160;
/// Files of the log that are there before they are needed, at most.
const LOG_FILES: usize = 12;
/// Looks after which a server that does not come back is given up.
const LOOKS: usize = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

pub(super) struct Server {
    cluster: Arc<Mutex<Cluster>>,
    url: String,
    disks: Result<Disks, String>,
}

#[derive(Clone)]
struct Disks {
    tables: Disk,
    log: Disk,
}

impl Server {
    pub(super) async fn start(site: &Site<'_>) -> Outcome<Self> {
        let (folder, disks) = (site.folder.to_path_buf(), site.disks.clone());
        spawn_blocking(move || {
            let mut cluster = Cluster::start_with(SETTINGS).map_err(|error| error.to_string())?;
            let disks = match disks {
                Ok(()) => Ok(move_to_disks(&mut cluster, &folder)?),
                Err(reason) => Err(reason),
            };
            let tablespace = if disks.is_ok() { "TABLESPACE tables" } else { "" };
            let create = format!("CREATE DATABASE {DATABASE} {tablespace}");
            cluster.psql("postgres", &create).map_err(|error| error.to_string())?;
            let url = cluster.url(DATABASE);
            Ok(Self { cluster: Arc::new(Mutex::new(cluster)), url, disks })
        })
        .await?
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        match &self.disks {
            Ok(_) => Vec::new(),
            Err(reason) => [Fault::FullDisk, Fault::FullLog].map(|it| (it, reason.clone())).into(),
        }
    }

    /// Ends it as a crash does, and starts it again.
    pub(super) async fn restart(&self) -> Outcome<()> {
        self.with_cluster(|cluster| {
            cluster.stop_immediately()?;
            cluster.start_again()
        })
        .await
    }

    /// Lets no table grow for a time.
    pub(super) async fn fill_tables(&self, time: Duration) -> Outcome<bool> {
        let Ok(Disks { tables, .. }) = self.disks.clone() else { return Ok(false) };
        let filled = fill(&tables).await;
        sleep(time).await;
        tables.free()?;
        filled.map(|()| true)
    }

    /// Lets no transaction be logged. The server gives up by itself, and must start again.
    pub(super) async fn fill_log(&self, time: Duration) -> Outcome<bool> {
        let Ok(Disks { log, .. }) = self.disks.clone() else { return Ok(false) };
        let filled = fill(&log).await;
        let has_given_up = self.use_up_log().await;
        sleep(time).await;
        log.free()?;
        filled?;
        self.come_back().await?;
        Ok(has_given_up)
    }

    /// Moves on to the next file of the log, until there is none.
    async fn use_up_log(&self) -> bool {
        let Ok(mut session) = self.connect().await else { return true };
        for _ in 0..LOG_FILES {
            let next = "SELECT pg_logical_emit_message(true, 'chaos', 'x'); SELECT pg_switch_wal()";
            if sqlx::raw_sql(next).execute(&mut session).await.is_err() {
                return true;
            }
        }
        false
    }

    pub(super) async fn restore(&self) -> Outcome<()> {
        if let Ok(disks) = &self.disks {
            disks.tables.free()?;
            disks.log.free()?;
        }
        self.come_back().await
    }

    /// Waits until it takes connections, and starts it if it has ended.
    async fn come_back(&self) -> Outcome<()> {
        for look in 0..LOOKS {
            if let Ok(session) = self.connect().await {
                session.close().await?;
                return Ok(());
            }
            // One that recovers by itself refuses to be started beside.
            if look % 10 == 9 {
                let _ = self.with_cluster(|cluster| cluster.start_again()).await;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Err("the server does not come back".into())
    }

    async fn connect(&self) -> Result<sqlx::PgConnection, sqlx::Error> {
        let options = sqlx::postgres::PgConnectOptions::from_str(&self.url)?;
        options.application_name("ff-chaos").disable_statement_logging().connect().await
    }

    /// Copies what the server has kept.
    pub(super) async fn keep(&self, folder: &Path) -> Outcome<()> {
        let copy = folder.join("kept");
        self.with_cluster(move |cluster| {
            cluster.stop_fast()?;
            // Through the links to the small disks.
            let mut command = Command::new("cp");
            command.args(["--archive", "--dereference"]).arg(cluster.data()).arg(&copy);
            if command.status()?.success() { Ok(()) } else { Err("cp failed".into()) }
        })
        .await
    }

    async fn with_cluster(
        &self,
        action: impl FnOnce(&mut Cluster) -> Result<(), Box<dyn std::error::Error>> + Send + 'static,
    ) -> Outcome<()> {
        let cluster = Arc::clone(&self.cluster);
        spawn_blocking(move || {
            let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            action(&mut cluster).map_err(|error| error.to_string().into())
        })
        .await?
    }
}

async fn fill(disk: &Disk) -> Outcome<()> {
    let disk = disk.clone();
    spawn_blocking(move || disk.fill()).await?
}

/// Puts the log on a small disk, and makes a tablespace on another.
fn move_to_disks(cluster: &mut Cluster, folder: &Path) -> Outcome<Disks> {
    let told = |error: Box<dyn std::error::Error>| error.to_string();
    let account = Account::for_server().map_err(told)?;
    let owner = account.map(|account| (account.user, account.group));
    let tables = Disk::mount(&folder.join("tables"), TABLES_MIB, owner)?;
    let log = Disk::mount(&folder.join("log"), LOG_MIB, owner)?;
    cluster.stop_fast().map_err(told)?;
    let (there, here) = (cluster.data().join("pg_wal"), log.folder().join("pg_wal"));
    let moved = Command::new("mv").arg(&there).arg(&here).status()?;
    if !moved.success() {
        return Err(format!("mv: {moved}").into());
    }
    std::os::unix::fs::symlink(&here, &there)?;
    cluster.start_again().map_err(told)?;
    let create = format!("CREATE TABLESPACE tables LOCATION '{}'", tables.folder().display());
    cluster.psql("postgres", &create).map_err(told)?;
    Ok(Disks { tables, log })
}
