//! Brings the schema up to this program's.

use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row, SqlStr};

use crate::LABEL;
use crate::error;
use crate::pool::{self, Place};

/// The files of `migrations/`.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "schema", include_str!("../migrations/0001_schema.sql"))];

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
    run(pool).await.map_err(|failure| match failure {
        Failure::Driver(error) => {
            let place = Place { options: (*pool.connect_options()).clone() };
            pool::cannot_open(error, &place)
        }
        Failure::Schema(error) => error,
    })
}

pub(crate) async fn run(pool: &PgPool) -> Result<(), Failure> {
    // A connection that does not go back: the statements that the driver's migrator has prepared on it are
    // deallocated below.
    let mut conn = pool.acquire().await.map_err(Failure::Driver)?.detach();
    let done = run_on(&mut conn).await;
    let _ = conn.close().await;
    done
}

async fn run_on(conn: &mut PgConnection) -> Result<(), Failure> {
    let applied = applied(conn).await.map_err(Failure::Driver)?;
    if is_complete(&applied) {
        return Ok(());
    }
    // Told before the migrator asks for the right to create its table.
    let ours = migrations();
    if let Some((newer, _)) =
        applied.iter().find(|(version, _)| ours.iter().all(|ours| ours.version != *version))
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
    migrator().run_direct(None, &mut *tx, false).await.map_err(from_migrate)?;
    sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *tx).await.map_err(Failure::Driver)?;
    tx.commit().await.map_err(Failure::Driver)
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

/// A migration that the database has: its version and its checksum in hexadecimal.
pub(crate) type Applied = (i64, String);

/// The migrations that the database has.
pub(crate) async fn applied(conn: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
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
        Ok((version.parse().unwrap_or(0), row.try_get("checksum")?))
    });
    applied.collect()
}

fn is_complete(applied: &[Applied]) -> bool {
    let ours = migrations();
    let ours = ours.iter().map(|ours| (ours.version, ff_sql::document::to_hex(&ours.checksum)));
    ours.eq(applied.iter().cloned())
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
