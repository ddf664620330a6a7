//! PgBouncer in transaction mode before the server that tests are given, thrown away in the end.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::cluster::{Account, command, free_port};
use crate::database::server;

/// Ends the pooler once this process has dropped the input that it reads, or has itself ended.
const KEEPER: &str = r#""$1" "$2" 2>&1 &
read -r _
kill "$!"
rm -rf "$3""#;

/// A running pooler. Dropping it ends it.
pub(crate) struct Pooler {
    keeper: Child,
    port: u16,
    _folder: TempDir,
}

impl Pooler {
    /// Where the pooler's program is, if it is on this machine.
    pub(crate) fn program() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
        folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
    }

    /// Starts the pooler on a free port.
    pub(crate) fn start(program: &PathBuf) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("ff-pgbouncer-").tempdir()?;
        let account = Account::for_server()?;
        let port = free_port()?;
        let configuration = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        std::fs::write(&configuration, Self::configuration(port, &users.to_string_lossy()))?;
        std::fs::write(&users, format!("\"{}\" \"\"\n", server().get_username()))?;
        if let Some(Account { user, group }) = account {
            for path in [folder.path(), &configuration, &users] {
                std::os::unix::fs::chown(path, Some(user), Some(group))?;
            }
        }
        let mut keeper = command("sh", account)
            .args(["-c", KEEPER, "sh"])
            .arg(program)
            .args([&configuration, folder.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let output = keeper.stdout.take().ok_or("the pooler has no output")?;
        let mut said = String::new();
        let mut lines = BufReader::new(output).lines();
        for line in &mut lines {
            said.push_str(&line?);
            said.push('\n');
            if said.contains("process up") {
                // Its output is read to the end, so that it never waits for a reader.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { keeper, port, _folder: folder });
            }
        }
        Err(format!("the pooler does not start:\n{said}").into())
    }

    /// Small pools, so that statements of one client meet different server processes.
    fn configuration(port: u16, users: &str) -> String {
        let server = server();
        let (host, server_port) = (server.get_host(), server.get_port());
        format!(
            "[databases]\n\
             * = host={host} port={server_port}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = trust\n\
             auth_file = {users}\n\
             pool_mode = transaction\n\
             ignore_startup_parameters = extra_float_digits\n\
             default_pool_size = 5\n\
             max_client_conn = 1000\n\
             server_idle_timeout = 1\n"
        )
    }

    /// The URL of a database through the pooler.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{}@127.0.0.1:{}/{database}", server().get_username(), self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // Waiting closes the pipe that the keeper reads.
        drop(self.keeper.wait());
    }
}
