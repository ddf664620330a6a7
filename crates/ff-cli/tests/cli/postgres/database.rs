//! Databases of their own, on the server that `FF_PG_TEST_URL` names.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

const HOW_TO_GET_ONE: &str = "FF_PG_TEST_URL is not set: run the tests by `cargo xtask test`, which finds or \
     starts a PostgreSQL server, or set it to the URL of one whose user may create databases";

/// An empty database that goes when this is dropped.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ff_cli_{}_{number}", std::process::id());
        // What a killed run of a process with this number has left.
        execute(&server(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        execute(&server(), format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        let server = server();
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (scheme, rest) = base.split_once("://").unwrap();
        let authority = rest.split('/').next().unwrap();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{authority}/{}{mark}{query}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&server(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
fn server() -> String {
    std::env::var("FF_PG_TEST_URL").ok().filter(|url| !url.is_empty()).expect(HOW_TO_GET_ONE)
}

/// In a thread of its own: the test's runtime, if it has one, may be ending.
fn execute(url: &str, statement: String) {
    let url = url.to_owned();
    let execution = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let mut conn = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        });
    });
    execution.join().unwrap();
}
