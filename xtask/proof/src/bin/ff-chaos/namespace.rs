//! A view of the mounted disks that is this run's own: what is mounted in it goes with its last process,
//! however that ends.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set in the process that has its own.
const MARK: &str = "FF_CHAOS_MOUNTS";

/// Whether small disks can be mounted, or why not.
pub(crate) type Disks = Result<(), String>;

/// Starts this program again with mounts of its own, where the machine allows it.
pub(crate) fn enter() -> Disks {
    if std::env::var_os(MARK).is_some() {
        return Ok(());
    }
    try_mount()?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut again = Command::new("unshare");
    again.arg("--mount").arg(program).args(std::env::args_os().skip(1)).env(MARK, "1");
    // It returns only when it has failed.
    Err(again.exec().to_string())
}

fn try_mount() -> Disks {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "ff-chaos", "/tmp"]);
    let output = unshare.output().map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("no small disk can be mounted: {}", said.trim().replace('\n', "; ")))
}
