//! The PostgreSQL server that tests and benches use: one that is given, or one that lives as long as the run.

#[path = "../../crates/ff-backend-postgres/tests/common/cluster.rs"]
pub(crate) mod cluster;
mod docker;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::OnceCell;
use std::fmt::Write;

use crate::shell::Outcome;
use cluster::Cluster;

/// The variable that tells programs where the server is: the URL of a database from which they may
/// create others.
pub(crate) const URL: &str = "FF_PG_TEST_URL";

/// The variable that names the server for benches, whose settings are to be durable.
const DURABLE_URL: &str = "FF_BENCH_PG_URL";

/// What a server for benches is set to: durable, and with room for what they write.
const DURABLE: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
];

/// The server of this run. It is found or started when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Postgres {
    server: OnceCell<Result<Server, String>>,
}

/// A server that runs.
#[derive(Debug)]
struct Server {
    url: String,
    /// Dropping it ends the server, if it is ours.
    _owner: Option<Box<dyn Any>>,
}

/// A way to start a server: where it runs, and how it is started.
type Way = (&'static str, fn() -> Outcome<Server>);

const WAYS: [Way; 2] = [("in Docker", in_docker), ("from this machine's programs", in_a_cluster)];

impl Postgres {
    /// A server for benches: the one that is named, or else one from this machine's programs.
    pub(crate) fn durable() -> Self {
        let given = std::env::var(DURABLE_URL).ok().filter(|url| !url.is_empty());
        let server = match given {
            Some(url) => Ok(Server { url, _owner: None }),
            None => in_a_durable_cluster().map_err(|problem| {
                format!(
                    "benches need a durable PostgreSQL server: set {DURABLE_URL} to the URL of one, or \
                     install PostgreSQL's server: {problem}"
                )
            }),
        };
        Self { server: OnceCell::from(server) }
    }

    /// The value of `URL` for child processes.
    pub(crate) fn url(&self) -> Outcome<&str> {
        let server = self.server.get_or_init(|| find(std::env::var(URL).ok(), &WAYS));
        Ok(server.as_ref().map(|server| server.url.as_str()).map_err(String::as_str)?)
    }
}

/// The server at the given URL, or else of the first way that succeeds.
fn find(given: Option<String>, ways: &[Way]) -> Result<Server, String> {
    if let Some(url) = given.filter(|url| !url.is_empty()) {
        return Ok(Server { url, _owner: None });
    }
    let mut problems = String::new();
    for (place, start) in ways {
        match start() {
            Ok(server) => {
                eprintln!("xtask: started PostgreSQL {place}: {}", server.url);
                return Ok(server);
            }
            Err(problem) => {
                eprintln!("xtask: cannot start PostgreSQL {place}: {problem}");
                // Writing to a string does not fail.
                let _ = write!(problems, "\n  {place}: {problem}");
            }
        }
    }
    Err(format!(
        "the tests need a PostgreSQL server. Do one of these:
  set {URL} to the URL of a server
  run Docker
  install PostgreSQL's server, such as with `apt-get install postgresql`
It could not be started:{problems}"
    ))
}

fn in_docker() -> Outcome<Server> {
    let (container, url) = docker::start()?;
    Ok(Server { url, _owner: Some(Box::new(container)) })
}

fn in_a_cluster() -> Outcome<Server> {
    from_cluster(Cluster::start()?)
}

fn in_a_durable_cluster() -> Outcome<Server> {
    from_cluster(Cluster::start_with(DURABLE)?)
}

fn from_cluster(cluster: Cluster) -> Outcome<Server> {
    Ok(Server { url: cluster.url("postgres"), _owner: Some(Box::new(cluster)) })
}
