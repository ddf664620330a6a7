//! Brings the schema up to this program's, on open.

use ff_core::contracts::Migrated;
use ff_core::engine_error::{EngineError, OpenKind};
use ff_sql::document::to_hex;
use ff_sql::schema::{self, Objects};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection, Row, SqlStr, SqliteConnection};

use crate::config::SqliteConfig;
use crate::location::Location;
use crate::{LABEL, error, pool};

/// The files of `migrations/`. Listed by hand: the driver's macro that reads the folder would compile
/// SQLite a second time.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "schema", include_str!("../migrations/0001_schema.sql")),
    (2, "hot_path", include_str!("../migrations/0002_hot_path.sql")),
];

/// The version of the schema after all of them.
pub(crate) const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The database is the user's, and the user's own migrations may have the driver's usual table.
const TABLE: &str = "ff_migration_annotation";

/// Creates the database where there is none, applies the migrations that it lacks, and tells what there was
/// to do.
///
/// # Errors
/// As [`SqliteBackend::new`](crate::SqliteBackend::new).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # std::env::set_current_dir(&directory)?;
/// assert_eq!(ff_backend_sqlite::migrate("jobs.db").await?.before, None);
/// assert!(ff_backend_sqlite::migrate("jobs.db").await?.was_up_to_date());
/// # Ok(())
/// # }
/// ```
pub async fn migrate(url: &str) -> Result<Migrated, EngineError> {
    let connections = pool::open(&Location::parse(url)?, &SqliteConfig::default()).await?;
    connections.readers.close().await;
    connections.writer.close().await.map_err(error::from_sqlx)?;
    Ok(connections.migrated)
}

fn migrations() -> Vec<Migration> {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    migrations.to_vec()
}

fn migrator() -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Why the schema could not be brought up to this program's.
pub(crate) enum Failure {
    Driver(sqlx::Error),
    Schema(EngineError),
}

/// Applies what is missing, in one transaction, so that of several processes one applies it and the
/// others find it done. Where nothing is missing, it waits for no other process.
pub(crate) async fn run(conn: &mut SqliteConnection) -> Result<Migrated, Failure> {
    let before = applied(conn).await.map_err(Failure::Driver)?;
    if before == ours() {
        return Ok(Migrated::new(schema::version(&before), VERSION));
    }
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Failure::Driver)?;
    // Another process may have migrated meanwhile.
    let before = applied(&mut tx).await.map_err(Failure::Driver)?;
    migrator().run_direct(None, &mut *tx, false).await.map_err(from_migrate)?;
    tx.commit().await.map_err(Failure::Driver)?;
    Ok(Migrated::new(schema::version(&before), VERSION))
}

/// The migrations that the database has.
pub(crate) async fn applied(
    conn: &mut SqliteConnection,
) -> Result<Vec<schema::Migration>, sqlx::Error> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1";
    if sqlx::query(exists).bind(TABLE).fetch_optional(&mut *conn).await?.is_none() {
        return Ok(Vec::new());
    }
    let ledger = "SELECT version, lower(hex(checksum)) AS checksum FROM ff_migration_annotation \
                  WHERE success ORDER BY version";
    let rows = sqlx::query(ledger).fetch_all(conn).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get("version")?, row.try_get("checksum")?)));
    applied.collect()
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
