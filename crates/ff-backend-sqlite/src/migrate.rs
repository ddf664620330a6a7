//! Brings the schema up to this program's, on open.

use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlStr};

use crate::{LABEL, error};

/// The files of `migrations/`. Listed by hand: the driver's macro that reads the folder would compile
/// SQLite a second time.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "schema", include_str!("../migrations/0001_schema.sql"))];

/// The database is the user's, and the user's own migrations may have the driver's usual table.
const TABLE: &str = "ff_migration_annotation";

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.to_vec());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Why the schema could not be brought up to this program's.
pub(crate) enum Failure {
    Driver(sqlx::Error),
    Schema(EngineError),
}

/// Applies what is missing, in one transaction, so that of several processes one applies it and the
/// others find it done.
pub(crate) async fn run(conn: &mut SqliteConnection) -> Result<(), Failure> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Failure::Driver)?;
    migrator().run_direct(None, &mut *tx, false).await.map_err(from_migrate)?;
    tx.commit().await.map_err(Failure::Driver)
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
