//! A session that holds a snapshot, as a backup or a forgotten terminal does.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::Place;
use crate::{Bench, Outcome};

/// A transaction that has read and stays open: what others delete or replace meanwhile cannot be cleaned away.
pub enum Snapshot {
    /// Of SQLite: the write-ahead log cannot be started over.
    Sqlite(SqliteConnection),
    /// Of PostgreSQL: dead rows cannot be vacuumed.
    Postgres(PgConnection),
}

impl Snapshot {
    /// Takes one of the bench's store.
    ///
    /// # Errors
    /// As the store.
    pub async fn hold(bench: &Bench) -> Outcome<Self> {
        const READ: &str = "SELECT count(*) FROM ff_exec_core";
        Ok(match bench.place() {
            Place::File(file) => {
                let mut conn = SqliteConnectOptions::new().filename(file).connect().await?;
                sqlx::raw_sql("BEGIN").execute(&mut conn).await?;
                sqlx::raw_sql(READ).execute(&mut conn).await?;
                Self::Sqlite(conn)
            }
            Place::Server(options) => {
                let mut conn = options.connect().await?;
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
                sqlx::raw_sql(begin).execute(&mut conn).await?;
                sqlx::raw_sql(READ).execute(&mut conn).await?;
                Self::Postgres(conn)
            }
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it ended before, so that what was measured is not what it should be.
    pub async fn release(self) -> Outcome<()> {
        match self {
            Self::Sqlite(mut conn) => {
                sqlx::raw_sql("COMMIT").execute(&mut conn).await?;
                conn.close().await?;
            }
            Self::Postgres(mut conn) => {
                sqlx::raw_sql("COMMIT").execute(&mut conn).await?;
                conn.close().await?;
            }
        }
        Ok(())
    }
}
