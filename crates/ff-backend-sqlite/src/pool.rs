//! Opens the database: one connection that writes and a pool that reads.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use ff_core::contracts::Migrated;
use ff_core::engine_error::{ContentionKind, EngineError, OpenKind};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::config::SqliteConfig;
use crate::error::{self, code};
use crate::location::Location;
use crate::migrate;

/// A few: readers share the machine with the writer, and no read is long.
const READERS: u32 = 4;
/// More than the statement files that there are, with those that are kept for 1, 2, 4 to 512 rows.
const STATEMENT_CACHE: usize = 192;
/// Between two tries at what SQLite answers "busy" to without waiting.
const BUSY_RETRY: Duration = Duration::from_millis(10);

/// The connections of a backend.
pub(crate) struct Connections {
    pub(crate) writer: SqliteConnection,
    pub(crate) readers: SqlitePool,
    /// For a pool that other programs' rows are written through, in tests.
    pub(crate) options: SqliteConnectOptions,
    pub(crate) migrated: Migrated,
}

/// Opens or creates the database and migrates it.
pub(crate) async fn open(
    location: &Location,
    config: &SqliteConfig,
) -> Result<Connections, EngineError> {
    if let Some(file) = &location.file {
        check_directory(file)?;
    }
    let options = location
        .options
        .clone()
        .busy_timeout(config.busy_timeout)
        .statement_cache_capacity(STATEMENT_CACHE);
    let mut writer = open_writer(location, &options, config.busy_timeout).await?;
    let migrated = migrate::run(&mut writer).await.map_err(|failure| match failure {
        migrate::Failure::Driver(error) => cannot_open(error, location),
        migrate::Failure::Schema(error) => error,
    })?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        // A file does not go away between two reads as a server does.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(reader_options(location, &options));
    Ok(Connections { writer, readers, options, migrated })
}

pub(crate) fn reader_options(
    location: &Location,
    options: &SqliteConnectOptions,
) -> SqliteConnectOptions {
    match location.file {
        Some(_) => options.clone().create_if_missing(false).read_only(true),
        None => options.clone().pragma("query_only", "ON"),
    }
}

async fn open_writer(
    location: &Location,
    options: &SqliteConnectOptions,
    patience: Duration,
) -> Result<SqliteConnection, EngineError> {
    let options = match location.file {
        // In this order: turning on the write-ahead log is itself a write.
        Some(_) => options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full),
        None => {
            tracing::warn!("the database is in memory: nothing survives this process");
            options.clone()
        }
    };
    let mut tries = patience.as_millis() / BUSY_RETRY.as_millis();
    loop {
        match try_open_writer(&options).await {
            // Two processes that turn on the write-ahead log at once: SQLite does not wait then.
            Err(error) if error::is_busy(&error) => {
                if tries == 0 {
                    return Err(EngineError::Contention(ContentionKind::StoreBusy));
                }
                tries -= 1;
                tokio::time::sleep(BUSY_RETRY).await;
            }
            Err(error) => return Err(cannot_open(error, location)),
            Ok(writer) => return Ok(writer),
        }
    }
}

async fn try_open_writer(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut writer = options.connect().await?;
    // A first write that is taken back shows a read-only file now and not at the first operation;
    // `BEGIN IMMEDIATE` alone succeeds on one.
    let mut probe = writer.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("CREATE TABLE ff_write_probe (x)").execute(&mut *probe).await?;
    probe.rollback().await?;
    Ok(writer)
}

fn check_directory(file: &Path) -> Result<(), EngineError> {
    let directory = match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => return Ok(()),
    };
    if directory.is_dir() {
        return Ok(());
    }
    Err(EngineError::Open {
        kind: OpenKind::MissingDirectory,
        detail: format!("there is no directory {}; create it first", directory.display()),
    })
}

pub(crate) fn cannot_open(error: sqlx::Error, location: &Location) -> EngineError {
    let name = location.file.as_deref().unwrap_or(Path::new(":memory:")).display();
    let (kind, detail) = match error::primary_code(&error) {
        Some(code::NOTADB | code::CORRUPT) => (
            OpenKind::NotADatabase,
            format!("{name} is not a SQLite database, or is damaged; give another path"),
        ),
        Some(code::CANTOPEN) if is_read_only(location) => (OpenKind::ReadOnly, read_only(name)),
        Some(code::CANTOPEN) => (
            OpenKind::AccessDenied,
            format!(
                "{name} cannot be opened or created; check that it is a file and its permissions"
            ),
        ),
        Some(code::READONLY) => (OpenKind::ReadOnly, read_only(name)),
        _ => return error::from_sqlx(error),
    };
    EngineError::Open { kind, detail }
}

fn read_only(name: impl std::fmt::Display) -> String {
    format!("{name} cannot be written; check its permissions and that its disk is not read-only")
}

/// Whether a file that is there can be read and not written, as on a read-only disk.
fn is_read_only(location: &Location) -> bool {
    let Some(file) = &location.file else { return false };
    let written = OpenOptions::new().append(true).open(file);
    File::open(file).is_ok() && written.is_err_and(|error| error.kind() != ErrorKind::IsADirectory)
}
