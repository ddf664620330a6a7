//! Brings the schema up to this program's.

use ff_core::contracts::Migrated;
use ff_core::engine_error::{EngineError, OpenKind};
use ff_sql::document::to_hex;
use ff_sql::schema::{self, Objects};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row, SqlStr};

use crate::LABEL;
use crate::config::PostgresConfig;
use crate::error;
use crate::pool::{self, Opened, Place};

/// The files of `migrations/`.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "schema", include_str!("../migrations/0001_schema.sql")),
    (2, "hot_path", include_str!("../migrations/0002_hot_path.sql")),
];

/// The version of the schema after all of them.
pub(crate) const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The database is the user's, and the user's own migrations may have the driver's usual table.
const TABLE: &str = "ff_migration_annotation";
/// Which of the database's advisory locks a migrating process holds.
const LOCK: i64 = 0x6666_6d69_6772_6174;
/// How long a process waits for another that migrates.
const PATIENCE: &str = "60s";

/// Why the schema could not be brought up to this program's.
pub(crate) enum Failure {
    Driver(sqlx::Error),
    Schema(EngineError),
}

/// Applies the migrations that the database lacks. It may be called again, and by several processes at
/// once: one applies them, and the others find them applied.
///
/// [`PostgresBackend::connect`](crate::PostgresBackend::connect) does it already.
///
/// # Errors
/// `Open` when a newer program has migrated the database, when one of its migrations is not this
/// program's, or when the user may not create tables; `Transport` when the server fails.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = sqlx::PgPool::connect("postgres://ff@db.example/jobs").await?;
/// ff_backend_postgres::apply_migrations(&pool).await?;
/// # Ok(())
/// # }
/// ```
pub async fn apply_migrations(pool: &PgPool) -> Result<(), EngineError> {
    match run(pool).await {
        Ok(_) => Ok(()),
        Err(Failure::Driver(error)) => {
            let place = Place { options: (*pool.connect_options()).clone() };
            Err(pool::cannot_open(error, &place))
        }
        Err(Failure::Schema(error)) => Err(error),
    }
}

/// Applies the migrations that the database lacks, and tells what there was to do.
///
/// # Errors
/// As [`PostgresBackend::connect`](crate::PostgresBackend::connect).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let migrated = ff_backend_postgres::migrate("postgres://ff@db.example/jobs").await?;
/// println!("from {:?} to {}", migrated.before, migrated.after);
/// # Ok(())
/// # }
/// ```
pub async fn migrate(url: &str) -> Result<Migrated, EngineError> {
    let (opened, migrated) = open(url, &PostgresConfig::default()).await?;
    opened.pool.close().await;
    Ok(migrated)
}

/// Connects and migrates.
pub(crate) async fn open(
    url: &str,
    config: &PostgresConfig,
) -> Result<(Opened, Migrated), EngineError> {
    let opened = pool::open(url, config).await?;
    match run(&opened.pool).await {
        Ok(migrated) => Ok((opened, migrated)),
        Err(Failure::Schema(error)) => Err(error),
        Err(Failure::Driver(error)) => Err(pool::cannot_open(error, &Place::parse(url)?)),
    }
}

async fn run(pool: &PgPool) -> Result<Migrated, Failure> {
    // A connection that does not go back: the statements that the driver's migrator has prepared on it are
    // deallocated below.
    let mut conn = pool.acquire().await.map_err(Failure::Driver)?.detach();
    let done = run_on(&mut conn).await;
    let _ = conn.close().await;
    done
}

async fn run_on(conn: &mut PgConnection) -> Result<Migrated, Failure> {
    let before = applied(conn).await.map_err(Failure::Driver)?;
    if is_complete(&before) {
        return Ok(migrated(&before));
    }
    // Told before the migrator asks for the right to create its table.
    let ours = migrations();
    if let Some((newer, _)) =
        before.iter().find(|(version, _)| ours.iter().all(|ours| ours.version != *version))
    {
        return Err(from_migrate(MigrateError::VersionMissing(*newer)));
    }
    // Behind a pooler, another client's statements of the same names may be prepared on this server process.
    // What another process has migrated while this one waits is seen, whatever the database is set to.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; DEALLOCATE ALL; SET LOCAL lock_timeout = '{PATIENCE}'; \
         SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})"
    );
    let mut tx = conn.begin_with(AssertSqlSafe(begin)).await.map_err(Failure::Driver)?;
    // Another process may have migrated meanwhile.
    let before = applied(&mut tx).await.map_err(Failure::Driver)?;
    migrator().run_direct(None, &mut *tx, false).await.map_err(from_migrate)?;
    sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *tx).await.map_err(Failure::Driver)?;
    tx.commit().await.map_err(Failure::Driver)?;
    Ok(migrated(&before))
}

/// What a migration did that found these.
fn migrated(before: &[schema::Migration]) -> Migrated {
    Migrated::new(schema::version(before), VERSION)
}

fn migrator() -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations());
    migrator.dangerous_set_table_name(TABLE);
    // A lock of the session would not outlast a statement behind a pooler.
    migrator.set_locking(false);
    migrator
}

fn migrations() -> Vec<Migration> {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    migrations.to_vec()
}

/// The migrations that the database has.
pub(crate) async fn applied(
    conn: &mut PgConnection,
) -> Result<Vec<schema::Migration>, sqlx::Error> {
    let exists = sqlx::raw_sql("SELECT to_regclass('ff_migration_annotation')::text AS found");
    let exists: Option<String> = exists.fetch_one(&mut *conn).await?.try_get("found")?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::raw_sql(
        "SELECT version::text AS version, encode(checksum, 'hex') AS checksum \
         FROM ff_migration_annotation WHERE success ORDER BY version",
    )
    .fetch_all(conn)
    .await?;
    let applied = rows.iter().map(|row| {
        let version: String = row.try_get("version")?;
        let version = version.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok((version, row.try_get("checksum")?))
    });
    applied.collect()
}

fn is_complete(applied: &[schema::Migration]) -> bool {
    applied == ours()
}

/// The migrations that this program has.
pub(crate) fn ours() -> Vec<schema::Migration> {
    let ours = migrations().into_iter();
    ours.map(|ours| (ours.version, to_hex(&ours.checksum))).collect()
}

/// What they make.
pub(crate) fn objects() -> Objects {
    Objects::of(MIGRATIONS.map(|(_, _, sql)| sql))
}

fn from_migrate(error: MigrateError) -> Failure {
    let error = match error::of_migration(error) {
        Ok(error) => return Failure::Driver(error),
        Err(error) => error,
    };
    let (kind, detail) = match error {
        MigrateError::VersionMissing(version) => (
            OpenKind::NewerSchema,
            format!(
                "it has migration {version}, which this program does not know; use the newer \
                 program that migrated it, or another database"
            ),
        ),
        MigrateError::VersionMismatch(version) => (
            OpenKind::ForeignSchema,
            format!(
                "its migration {version} is not the one that this program has; use the program \
                 that made it, or another database"
            ),
        ),
        other => {
            let source = Box::new(other);
            return Failure::Schema(EngineError::Transport { backend: LABEL, source });
        }
    };
    Failure::Schema(EngineError::Open { kind, detail })
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed = MIGRATIONS.map(|(version, name, _)| format!("{version:04}_{name}.sql"));
        assert_eq!(files, listed);
    }
}
