//! A disk so small that it can be filled.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::Outcome;

const FILLER: &str = "filler";

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    mount: Arc<Mount>,
}

/// A folder with a disk on it, which goes when this is dropped.
#[derive(Debug)]
struct Mount {
    folder: PathBuf,
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still uses it keeps it for as long; where it fails, it goes with this process.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

impl Disk {
    /// Mounts a disk of so many MiB on a new folder, which belongs to the account, or else to this one.
    pub(crate) fn mount(folder: &Path, size_mib: u32, owner: Option<(u32, u32)>) -> Outcome<Self> {
        fs::create_dir(folder)?;
        let owner =
            owner.map_or_else(String::new, |(user, group)| format!(",uid={user},gid={group}"));
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size_mib}m,mode=0700{owner}"),
            "ff-chaos",
        ]);
        let output = mount.arg(folder).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().into());
        }
        Ok(Self { mount: Arc::new(Mount { folder: folder.to_path_buf() }) })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.mount.folder
    }

    /// Takes what room there is, to the last byte.
    pub(crate) fn fill(&self) -> Outcome<()> {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler())?;
        for size in [1 << 20, 1 << 12, 1] {
            fill_by(&mut filler, size)?;
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn free(&self) -> Outcome<()> {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder().join(FILLER)
    }
}

fn fill_by(filler: &mut File, size: usize) -> Outcome<()> {
    let zeros = vec![0; size];
    loop {
        match filler.write(&zeros) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
