//! Where the workspace is, and how cargo is called.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::Value;

/// What a command of this program comes to.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A failure that the output has told of already, so that nothing need follow it.
#[derive(Debug)]
pub(crate) struct Told;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it failed, see above")
    }
}

impl Error for Told {}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// The cargo that runs this program, in the workspace's folder.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs a command that writes to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    check(command.status()?, command)
}

/// An error that names the command, unless it succeeded.
pub(crate) fn check(status: ExitStatus, command: &Command) -> Outcome<()> {
    if status.success() {
        return Ok(());
    }
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    Err(format!("`cargo {}` ended with {status}", args.join(" ")).into())
}

/// What `cargo metadata` says of the workspace.
pub(crate) fn metadata() -> Outcome<Value> {
    let mut command = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    command.stderr(std::process::Stdio::inherit());
    let output = command.output()?;
    check(output.status, &command)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
