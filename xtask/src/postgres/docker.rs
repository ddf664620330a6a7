//! A PostgreSQL server in a container.

use std::time::Duration;

use testcontainers::core::client::docker_client_instance;
use testcontainers::core::wait::LogWaitStrategy;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{Container, GenericImage, ImageExt};

use super::cluster;
use crate::shell::Outcome;

const IMAGE: (&str, &str) = ("postgres", "17");

/// What parallel queries may share; Docker's own limit is lower than they need.
const SHARED_MEMORY: u64 = 256 * 1024 * 1024;

/// How long a daemon that is there may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a container that is removed when it is dropped and on Ctrl-C, and returns the URL of its
/// database. If no daemon answers it fails at once.
pub(super) fn start() -> Outcome<(Container<GenericImage>, String)> {
    ping().map_err(|problem| format!("no daemon answers: {problem}"))?;
    // It says so twice: first the server that makes the databases, then the one that stays.
    let ready = "database system is ready to accept connections";
    let ready = LogWaitStrategy::stdout_or_stderr(ready).with_times(2);
    let mut server = vec!["postgres".to_owned()];
    for (name, value) in cluster::SETTINGS {
        server.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let container = GenericImage::new(IMAGE.0, IMAGE.1)
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::log(ready))
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env_var("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C --no-sync")
        .with_shm_size(SHARED_MEMORY)
        .with_cmd(server)
        .start()?;
    let host = container.get_host()?.to_string();
    // The port is IPv4's, and the name may stand for IPv6's address too.
    let host = if host == "localhost" { "127.0.0.1" } else { &host };
    let port = container.get_host_port_ipv4(5432.tcp())?;
    let url = format!("postgres://postgres@{host}:{port}/postgres");
    Ok((container, url))
}

/// Asks the daemon whether it is there.
fn ping() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = async { Ok(docker_client_instance().await?.ping().await?) };
        let answer: Outcome<String> = tokio::time::timeout(PATIENCE, answer).await?;
        answer.map(|_| ())
    })
}
