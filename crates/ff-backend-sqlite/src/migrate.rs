//! Brings the schema up to this program's, on open.

use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};

use crate::{LABEL, error};

static MIGRATIONS: Migrator = Migrator {
    // The database is the user's, and the user's own migrations may have the driver's usual table.
    table_name: std::borrow::Cow::Borrowed("ff_migration_annotation"),
    ..sqlx::migrate!("./migrations")
};

/// Why the schema could not be brought up to this program's.
pub(crate) enum Failure {
    Driver(sqlx::Error),
    Schema(EngineError),
}

/// Applies what is missing, in one transaction, so that of several processes one applies it and the
/// others find it done.
pub(crate) async fn run(conn: &mut SqliteConnection) -> Result<(), Failure> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Failure::Driver)?;
    MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(from_migrate)?;
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
