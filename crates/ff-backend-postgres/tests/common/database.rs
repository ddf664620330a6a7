//! Databases of their own for tests, on the server that `FF_PG_TEST_URL` names, each copied from a
//! migrated one.
#![allow(dead_code, reason = "each test program uses a part")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tokio::sync::OnceCell;

const HOW_TO_GET_ONE: &str = "FF_PG_TEST_URL is not set: run the tests by `cargo xtask test`, which finds or \
     starts a PostgreSQL server, or set it to the URL of one whose user may create databases";

const SCHEMA: [&str; 2] = [
    include_str!("../../migrations/0001_schema.sql"),
    include_str!("../../migrations/0002_hot_path.sql"),
];

/// Lays the tables onto native hash partitions, as many as `PARTITIONS` says.
const HASH_PARTITIONS: &str = include_str!("../../../../docs/hash_partitions.sql");
/// The variable that has the tests run on them, when it is set.
const PARTITIONS: &str = "FF_PG_TEST_PARTITIONS";

/// The advisory lock under which one of many test processes makes the template.
const TEMPLATE_LOCK: i64 = 0x6666_7465_6d70;

/// A database that goes when this is dropped.
pub(crate) struct Database {
    pub(crate) name: String,
    is_lent: bool,
}

/// The server that tests are given.
pub(crate) fn server() -> PgConnectOptions {
    let url = std::env::var("FF_PG_TEST_URL").ok().filter(|url| !url.is_empty());
    PgConnectOptions::from_str(&url.expect(HOW_TO_GET_ONE)).unwrap().disable_statement_logging()
}

impl Database {
    /// A migrated, empty database.
    pub(crate) async fn migrated() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(make_template).await;
        Self::create(&format!("TEMPLATE {template}")).await
    }

    /// A database with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::create("TEMPLATE template0").await
    }

    async fn create(options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ff_test_{}_{number}", std::process::id());
        let mut server = server().connect().await.unwrap();
        // What a killed run of a process with this number has left.
        execute(&mut server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        execute(&mut server, &format!("CREATE DATABASE {name} {options}")).await;
        Self { name, is_lent: false }
    }

    /// The same database once more, emptied, for one who must not take it along. Thousands of stores, one after the
    /// other, cost less so.
    pub(crate) async fn lend(&self) -> Self {
        let tables = "SELECT string_agg('DELETE FROM ' || tablename, ';') AS statement FROM pg_tables \
                      WHERE schemaname = 'public' AND tablename LIKE 'ff\\_%' \
                      AND tablename <> 'ff_migration_annotation'";
        let mut conn = self.options().connect().await.unwrap();
        let delete: String = sqlx::query(tables).fetch_one(&mut conn).await.unwrap().get(0);
        execute(&mut conn, &delete).await;
        conn.close().await.unwrap();
        Self { name: self.name.clone(), is_lent: true }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        server().database(&self.name)
    }

    /// Returns once every event that was committed before can be read: transactions in other databases
    /// of the server hold them back too.
    pub(crate) async fn settle(&self) {
        let mut conn = self.options().connect().await.unwrap();
        let unreadable = "SELECT 1 FROM (\
                SELECT transaction_id FROM ff_lease_event \
                UNION ALL SELECT transaction_id FROM ff_completion_event \
                UNION ALL SELECT transaction_id FROM ff_operator_event\
            ) AS event WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())";
        while sqlx::query(unreadable).fetch_optional(&mut conn).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// The URL of this database on the server that tests are given.
    pub(crate) fn url(&self) -> String {
        url_of(&self.name)
    }
}

/// The server's URL with another database.
pub(crate) fn url_of(database: &str) -> String {
    let url = std::env::var("FF_PG_TEST_URL").expect(HOW_TO_GET_ONE);
    let (base, query) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, rest) = base.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{scheme}://{authority}/{database}{query}")
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.is_lent {
            execute_at_last(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// Runs a statement on the server as something is dropped.
pub(crate) fn execute_at_last(statement: String) {
    // The test's own runtime may be ending, so the way there is a thread with one of its own.
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            execute(&mut server().connect().await.unwrap(), &statement).await;
        });
    });
    let _ = done.join();
}

async fn execute(conn: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(conn).await.unwrap();
}

/// Named after the schema, so that a changed one does not meet the template of before.
async fn make_template() -> String {
    let partitions = std::env::var(PARTITIONS).ok();
    let mut hasher = DefaultHasher::new();
    (SCHEMA, &partitions, HASH_PARTITIONS).hash(&mut hasher);
    let name = format!("ff_template_{:016x}", hasher.finish());
    let mut conn = server().connect().await.unwrap();
    execute(&mut conn, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let ready = "SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate";
    let ready = sqlx::query(ready).bind(&name).fetch_optional(&mut conn).await.unwrap();
    if ready.is_none() {
        execute(&mut conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        execute(&mut conn, &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        let pool = PgPoolOptions::new().connect_with(server().database(&name)).await.unwrap();
        ff_backend_postgres::apply_migrations(&pool).await.unwrap();
        if let Some(partitions) = partitions {
            let lay = format!("SET ff.partitions = {partitions}; {HASH_PARTITIONS}");
            sqlx::raw_sql(AssertSqlSafe(lay)).execute(&pool).await.unwrap();
        }
        pool.close().await;
        execute(&mut conn, &format!("ALTER DATABASE {name} IS_TEMPLATE true")).await;
    }
    conn.close().await.unwrap();
    name
}
