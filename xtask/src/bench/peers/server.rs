//! The PostgreSQL server of a comparison: one with its durable settings on.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::postgres::cluster::Cluster;
use crate::shell::Outcome;

/// Names a server to measure on, by the URL of a database from which others may be created.
const URL: &str = "FF_BENCH_PG_URL";

const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
];

/// A server that runs.
pub(super) struct Server {
    url: String,
    /// Dropping it ends the server, if it is ours.
    _cluster: Option<Cluster>,
}

impl Server {
    /// The one that is named, or one that goes when this is dropped.
    pub(super) fn start() -> Outcome<Self> {
        if let Some(url) = std::env::var(URL).ok().filter(|url| !url.is_empty()) {
            return Ok(Self { url, _cluster: None });
        }
        let cluster = Cluster::start_with(SETTINGS)
            .map_err(|problem| format!("no PostgreSQL server starts, set {URL}: {problem}"))?;
        Ok(Self { url: cluster.url("postgres"), _cluster: Some(cluster) })
    }

    /// A new, empty database, with nothing left to write of those before.
    pub(super) fn database(&self) -> Outcome<Database<'_>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ff_peers_{}_{number}", std::process::id());
        self.psql(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        let database = Database { server: self, name };
        self.psql("CHECKPOINT")?;
        Ok(database)
    }

    fn psql(&self, sql: &str) -> Outcome<()> {
        let mut command = Command::new("psql");
        command.args(["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]);
        let output = command.args(["--command", sql, &self.url]).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{sql}: {}", String::from_utf8_lossy(&output.stderr).trim_end()).into())
    }
}

/// A database that goes when this is dropped.
pub(super) struct Database<'a> {
    server: &'a Server,
    name: String,
}

impl Database<'_> {
    pub(super) fn url(&self) -> String {
        url_of(&self.server.url, &self.name)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        if let Err(problem) =
            self.server.psql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        {
            eprintln!("xtask: the database {name} is left over: {problem}");
        }
    }
}

/// The URL of another database of the same server.
fn url_of(url: &str, database: &str) -> String {
    let (before, parameters) = url.split_once('?').map_or((url, ""), |(url, rest)| (url, rest));
    let from = before.find("://").map_or(0, |at| at + 3);
    let server = before[from..].find('/').map_or(before, |at| &before[..from + at]);
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!("{server}/{database}{mark}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_a_server_has_the_rest_of_its_url() {
        for (url, other) in [
            ("postgres://a@b:1/c", "postgres://a@b:1/d"),
            ("postgres://a@b:1", "postgres://a@b:1/d"),
            ("postgres://b/c?sslmode=require", "postgres://b/d?sslmode=require"),
        ] {
            assert_eq!(url_of(url, "d"), other);
        }
    }
}
