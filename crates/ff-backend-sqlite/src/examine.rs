//! Looks at a store and at its file, and changes nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ff_core::contracts::{Examination, Finding};
use ff_core::engine_error::{EngineError, OpenKind};
use ff_sql::schema;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use crate::config::SqliteConfig;
use crate::error::{self, code, from_sqlx};
use crate::location::Location;
use crate::{migrate, pool};

const READ_SERVER: &str = include_str!("../sql/admin/read_server.sql");
const CHECK_FILE: &str = include_str!("../sql/admin/check_file.sql");
const LIST_TABLES: &str = include_str!("../sql/admin/list_tables.sql");
const LIST_INDEXES: &str = include_str!("../sql/admin/list_indexes.sql");

/// A write-ahead log that is larger, and larger than the database, is not folded into it as it should be.
/// SQLite does that every 4 MiB or so.
const LOG_MAX: u64 = 64 << 20;

/// Looks at the store in the file and tells what is wrong and what is good to know: whether the file is
/// whole and can be written, migrations, missing indexes, a write-ahead log that only grows. It reads
/// the whole file, and changes nothing.
///
/// # Errors
/// As [`SqliteBackend::new`](crate::SqliteBackend::new), and `Open` where there is no file.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ff_core::engine_error::EngineError> {
/// let examination = ff_backend_sqlite::examine(":memory:").await?;
/// assert_eq!(examination.schema_version, None);
/// # Ok(())
/// # }
/// ```
pub async fn examine(url: &str) -> Result<Examination, EngineError> {
    let location = Location::parse(url)?;
    if let Some(file) = location.file.as_deref().filter(|file| !file.exists()) {
        let detail = format!("there is no file {}", file.display());
        return Err(EngineError::Open { kind: OpenKind::MissingDatabase, detail });
    }
    let is_at_rest = location.file.as_deref().is_some_and(is_at_rest);
    let examination = look(&location, is_at_rest).await;
    match location.file.as_deref() {
        // A program has opened it meanwhile, and what was read may be half of a change.
        Some(file) if is_at_rest && log_of(file).exists() => look(&location, false).await,
        _ => examination,
    }
}

async fn look(location: &Location, is_at_rest: bool) -> Result<Examination, EngineError> {
    let patience = SqliteConfig::default().busy_timeout;
    let options = pool::reader_options(location, &location.options).busy_timeout(patience);
    let cannot_open = |error| pool::cannot_open(error, location);
    let mut conn = options.immutable(is_at_rest).connect().await.map_err(cannot_open)?;
    let mut findings = Vec::new();
    let schema_version = match look_inside(&mut conn, &mut findings).await {
        Err(error) if is_damaged(&error) => {
            findings.push(not_a_database(&error));
            None
        }
        looked => looked.map_err(cannot_open)?,
    };
    // On a file that is damaged, closing fails too.
    let _ = conn.close().await;
    if let Some(file) = &location.file {
        findings.extend(look_at_files(file, schema_version.is_some()));
    }
    Ok(Examination::new(server().await?, schema_version, findings))
}

/// SQLite's name and version, asked where no file can be damaged.
async fn server() -> Result<String, EngineError> {
    let read = async {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await?;
        sqlx::query(READ_SERVER).fetch_one(&mut conn).await?.try_get::<String, _>("version")
    };
    Ok(format!("SQLite {}", read.await.map_err(from_sqlx)?))
}

/// Whether no program has the database open, as far as its files say: it has a write-ahead log by its header
/// and none beside it. Read as a file that nobody changes, it gets no log by being read.
fn is_at_rest(file: &Path) -> bool {
    has_log(file) && !log_of(file).exists()
}

/// Whether the database has a write-ahead log, by its header.
fn has_log(file: &Path) -> bool {
    const READ_VERSION: u64 = 19;
    const WITH_LOG: u8 = 2;
    let read = || {
        let mut version = [0];
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(READ_VERSION))?;
        file.read_exact(&mut version)?;
        Ok::<_, io::Error>(version)
    };
    read().is_ok_and(|version| version == [WITH_LOG])
}

fn look_at_files(file: &Path, is_store: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = OpenOptions::new().append(true).open(file) {
        findings.push(Finding::problem(
            format!("{} cannot be written: {error}", file.display()),
            "check its permissions and that its disk is not read-only",
        ));
    }
    if is_store && !has_log(file) {
        findings.push(Finding::note(
            "the database has no write-ahead log: readers and writers wait for one another",
            "nothing: the next program that opens the store turns it on, unless the file system has no \
             shared memory",
        ));
    }
    let (log, size) = (size(&log_of(file)), size(file));
    if log > LOG_MAX && log > size {
        findings.push(Finding::note(
            format!("the write-ahead log has {} MiB, more than the database", log >> 20),
            "end the program that has been reading for long, or start one that writes if none runs",
        ));
    }
    findings
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Returns the schema's version.
async fn look_inside(
    conn: &mut SqliteConnection,
    findings: &mut Vec<Finding>,
) -> Result<Option<i64>, sqlx::Error> {
    let check: String = sqlx::query(CHECK_FILE).fetch_one(&mut *conn).await?.try_get(0)?;
    if check != "ok" {
        findings.push(damaged(&check));
    }
    let applied = migrate::applied(conn).await?;
    match schema::check_migrations(&applied, &migrate::ours()) {
        Some(finding) => findings.push(finding),
        None => {
            let (tables, indexes) =
                (names(conn, LIST_TABLES).await?, names(conn, LIST_INDEXES).await?);
            findings.extend(migrate::objects().find_missing(&tables, &indexes));
        }
    }
    Ok(schema::version(&applied))
}

async fn names(
    conn: &mut SqliteConnection,
    statement: &'static str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(statement).fetch_all(conn).await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}

fn is_damaged(error: &sqlx::Error) -> bool {
    matches!(error::primary_code(error), Some(code::NOTADB | code::CORRUPT))
}

fn not_a_database(error: &sqlx::Error) -> Finding {
    Finding::problem(
        format!("the file is not a SQLite database, or is damaged: {error}"),
        "name another file, or restore it from a backup",
    )
}

fn damaged(problem: &str) -> Finding {
    Finding::problem(
        format!("the file is damaged: {problem}"),
        "restore it from a backup, or save what can be read with `sqlite3 FILE .recover`",
    )
}
