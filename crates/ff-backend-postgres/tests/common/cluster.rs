//! A PostgreSQL server of a test's own, from the programs on this machine, thrown away in the end.
#![allow(dead_code, reason = "each program uses a part")]

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Settings for data that nobody needs once the machine has crashed.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "300"),
    ("shared_buffers", "128MB"),
];

/// The programs that a cluster needs.
const PROGRAMS: &[&str] = &["initdb", "pg_ctl", "postgres", "psql"];

/// Folders with one folder for each version, and what its name begins with: of Debian, of Red Hat,
/// and of Homebrew on ARM, on Intel and on Linux.
const INSTALLATIONS: &[(&str, &str)] = &[
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql"),
    ("/usr/local/opt", "postgresql"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
];

/// What ends the server and removes its folder. It first reads its input, a pipe that this process
/// holds open, so it goes on when the `Cluster` is dropped and also when this process has ended in
/// whatever way. A server would outlive a process that is killed even as its child, and no handler
/// of signals is told of a kill.
const KEEPER: &str = r#"read -r _
"$1/pg_ctl" stop --silent --mode=immediate --pgdata="$2/data" >/dev/null 2>&1
rm -rf "$2""#;

/// A running server with its data. Dropping it ends the server and removes the data.
#[derive(Debug)]
pub(crate) struct Cluster {
    bin_dir: PathBuf,
    account: Option<Account>,
    port: u16,
    keeper: Child,
    // It is declared last, so that it goes after the server.
    folder: TempDir,
}

impl Cluster {
    /// Starts a new server, of the newest version that is installed.
    pub(crate) fn start() -> Outcome<Self> {
        Self::start_with(&[])
    }

    /// As `start`, with settings that count more than the usual ones.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Outcome<Self> {
        let bin_dir = newest_programs()?;
        let account = Account::for_server()?;
        let folder = tempfile::Builder::new().prefix("ff-postgres-").tempdir()?;
        if let Some(Account { user, group }) = account {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group))?;
        }
        let keeper = command("sh", account)
            .args(["-c", KEEPER, "sh"])
            .args([&bin_dir, folder.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C reaches every process of the terminal's group, and this one must not end.
            .process_group(0)
            .spawn()?;
        let mut cluster = Self { bin_dir, account, port: 0, keeper, folder };
        cluster.create(settings)?;
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }

    /// Where a database of the server is, over TCP and as its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The TCP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder of PostgreSQL's programs.
    pub(crate) fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Ends the server as a crash does: at once, and it has to recover when it starts again.
    pub(crate) fn stop_immediately(&mut self) -> Outcome<()> {
        self.stop("immediate")
    }

    /// Ends the server in order: connections are closed, and what they did not commit is undone.
    pub(crate) fn stop_fast(&mut self) -> Outcome<()> {
        self.stop("fast")
    }

    /// Starts the server that was stopped, on the same port and with the same data.
    pub(crate) fn start_again(&mut self) -> Outcome<()> {
        self.launch()
    }

    /// Runs SQL and returns the rows: a line each, with `|` between the columns.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut command = self.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
        command.args(["--set=ON_ERROR_STOP=1", "--command", sql, &self.url(database)]);
        Ok(run(&mut command)?.trim_end_matches('\n').to_owned())
    }

    fn create(&self, settings: &[(&str, &str)]) -> Outcome<()> {
        let mut initdb = self.command("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--no-sync").arg("--pgdata").arg(self.data());
        run(&mut initdb)?;
        let sockets = self.folder.path().to_string_lossy();
        self.configure(&[
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &sockets),
        ])?;
        self.configure(SETTINGS)?;
        self.configure(settings)
    }

    /// Adds settings. The last one of a name is the one that counts.
    fn configure(&self, settings: &[(&str, &str)]) -> Outcome<()> {
        let path = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path)?;
        for (name, value) in settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        Ok(std::fs::write(path, text)?)
    }

    fn start_on_a_free_port(&mut self) -> Outcome<()> {
        for _ in 0..10 {
            self.port = free_port()?;
            self.configure(&[("port", &self.port.to_string())])?;
            match self.launch() {
                // Another process was faster.
                Err(_) if self.log().contains("Address already in use") => {}
                outcome => return outcome,
            }
        }
        Err("every port that was free was taken by another process".into())
    }

    fn launch(&self) -> Outcome<()> {
        let log = self.folder.path().join("log");
        if log.exists() {
            std::fs::remove_file(&log)?;
        }
        let mut start = self.pg_ctl("start");
        // With a log of its own the server does not hold our output open.
        start.arg("--log").arg(log);
        run(&mut start).map_err(|problem| format!("{problem}\n{}", self.log()))?;
        Ok(())
    }

    fn stop(&self, mode: &str) -> Outcome<()> {
        run(self.pg_ctl("stop").args(["--mode", mode])).map(|_| ())
    }

    /// It waits by itself until the server has started or ended.
    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.args([action, "--wait", "--timeout=120", "--silent", "--pgdata"]).arg(self.data());
        command
    }

    fn command(&self, program: &str) -> Command {
        command(self.bin_dir.join(program), self.account)
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has said since it started last.
    fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Waiting closes the pipe that the keeper reads. If it cannot be waited for, it is gone, and
        // the server ends by itself when it finds that its folder is gone too.
        drop(self.keeper.wait());
    }
}

/// An account of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Account {
    /// Whom the server runs as, unless as this process: it refuses to run as root.
    pub(crate) fn for_server() -> Outcome<Option<Self>> {
        if id(&["-u"])? != 0 {
            return Ok(None);
        }
        match (id(&["-u", "postgres"]), id(&["-g", "postgres"])) {
            (Ok(user), Ok(group)) => Ok(Some(Self { user, group })),
            _ => Err("PostgreSQL does not run as root, and there is no user `postgres`".into()),
        }
    }
}

fn id(args: &[&str]) -> Outcome<u32> {
    Ok(run(Command::new("id").args(args))?.trim().parse()?)
}

/// A command that knows nothing of other servers, and that says what it says in English.
pub(crate) fn command(program: impl AsRef<OsStr>, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    // The account may be kept out of the folder that this process is in.
    command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

/// Runs a command and returns its output, or an error that tells what it said.
fn run(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|problem| format!("{name}: {problem}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} ended with {}: {}", output.status, said.trim_end()).into())
}

/// A port that nothing listens on, below those that systems give to outgoing connections. A client
/// that tries again and again to reach a stopped server could be given the server's own.
pub(crate) fn free_port() -> Outcome<u16> {
    const FIRST: u16 = 15_000;
    const COUNT: u64 = 15_000;
    for _ in 0..100 {
        let random = RandomState::new().build_hasher().finish();
        let port = FIRST + u16::try_from(random % COUNT)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}

/// The folder of the newest version's programs.
fn newest_programs() -> Outcome<PathBuf> {
    let folders = folders().into_iter().filter(|folder| folder.is_absolute());
    let found = folders.filter_map(|folder| Some((version(&folder)?, folder)));
    let newest = found.max_by(|(one, _), (other, _)| one.cmp(other));
    let Some((_, folder)) = newest else {
        return Err(format!("not all of {} are on this machine", PROGRAMS.join(", ")).into());
    };
    Ok(folder)
}

/// Where programs may lie.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(folder) = run(Command::new("pg_config").arg("--bindir")) {
        folders.push(PathBuf::from(folder.trim_end()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    for (parent, start) in INSTALLATIONS {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let versions = entries.filter(|e| e.file_name().to_string_lossy().starts_with(start));
        folders.extend(versions.map(|entry| entry.path().join("bin")));
    }
    folders
}

/// The version of the folder's programs, if it has all of them: `16.4` is 16 and 4.
fn version(folder: &Path) -> Option<Vec<u32>> {
    if !PROGRAMS.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let said = run(Command::new(folder.join("postgres")).arg("--version")).ok()?;
    let number =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let digits = |part: &str| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    number?.split('.').map(digits).collect()
}
