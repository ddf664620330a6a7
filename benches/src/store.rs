//! Stores of a bench's own.

mod snapshot;

use std::path::PathBuf;
use std::sync::Arc;

use ff_backend_postgres::PostgresBackend;
use ff_backend_sqlite::SqliteBackend;
use ff_core::engine_backend::EngineBackend;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use tempfile::TempDir;

use crate::Outcome;
use crate::database::Database;

pub use snapshot::Snapshot;

/// Settings that PostgreSQL is durable with.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// What the work is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A database file in the temporary directory.
    Sqlite,
    /// A database of the server that `FF_PG_TEST_URL` names.
    Postgres,
}

impl Store {
    /// Those that are to be measured: PostgreSQL when `FF_PG_TEST_URL` is set, and only the one that
    /// `FF_BENCH_STORE` names.
    pub fn all() -> Vec<Self> {
        let has_server = std::env::var_os("FF_PG_TEST_URL").is_some_and(|url| !url.is_empty());
        let only = std::env::var("FF_BENCH_STORE").ok();
        let mut stores = vec![Self::Sqlite, Self::Postgres];
        stores.retain(|store| *store == Self::Sqlite || has_server);
        stores.retain(|store| only.as_deref().is_none_or(|only| only == store.label()));
        stores
    }

    /// Its name in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A backend on a store of its own, which goes with it.
pub struct Bench {
    /// The backend.
    pub backend: Arc<dyn EngineBackend>,
    home: Home,
}

enum Home {
    Directory(TempDir),
    Database(Database),
}

/// Where a store is, for whoever opens it beside the backend.
pub(crate) enum Place {
    File(PathBuf),
    Server(Box<PgConnectOptions>),
}

impl Bench {
    /// A new, empty store.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(store: Store) -> Outcome<Self> {
        let home = match store {
            Store::Sqlite => Home::Directory(tempfile::tempdir()?),
            Store::Postgres => Home::Database(Database::migrated().await),
        };
        Ok(Self { backend: connect(&home).await?, home })
    }

    /// Another backend on the same store, as another process would have.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn another(&self) -> Outcome<Arc<dyn EngineBackend>> {
        connect(&self.home).await
    }

    /// Lets the server finish what a load has left to do, so that it is not measured.
    ///
    /// # Errors
    /// As the server.
    pub async fn settle(&self) -> Outcome<()> {
        if let Home::Database(database) = &self.home {
            let mut conn = database.options().connect().await?;
            sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut conn).await?;
            sqlx::raw_sql("CHECKPOINT").execute(&mut conn).await?;
            conn.close().await?;
        }
        Ok(())
    }

    /// Returns once every event that was committed before can be read.
    pub async fn settle_events(&self) {
        if let Home::Database(database) = &self.home {
            database.settle().await;
        }
    }

    /// What the store is set to that is weaker than durable, such as `fsync=off`.
    ///
    /// # Errors
    /// As the server.
    pub async fn weaker(&self) -> Outcome<Option<String>> {
        let Home::Database(database) = &self.home else { return Ok(None) };
        let mut conn = database.options().connect().await?;
        let settings = "SELECT name || '=' || setting FROM pg_settings \
                        WHERE name = ANY ($1) AND setting = 'off' ORDER BY name";
        let rows = sqlx::query(settings).bind(DURABLE.as_slice()).fetch_all(&mut conn).await?;
        conn.close().await?;
        let weak: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        Ok((!weak.is_empty()).then(|| weak.join(", ")))
    }

    pub(crate) fn place(&self) -> Place {
        match &self.home {
            Home::Directory(directory) => Place::File(file(directory)),
            Home::Database(database) => Place::Server(Box::new(database.options())),
        }
    }
}

async fn connect(home: &Home) -> Outcome<Arc<dyn EngineBackend>> {
    Ok(match home {
        Home::Directory(directory) => {
            SqliteBackend::new(&file(directory).to_string_lossy()).await?
        }
        Home::Database(database) => PostgresBackend::connect(&database.url()).await?,
    })
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("bench.db")
}
