//! A disk that can be filled.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::Outcome;

const FILLER: &str = "filler";
/// What is left to be filled when the disk is made small: its files grow meanwhile.
const MARGIN_BYTES: u64 = 1 << 20;
/// Tries at making it small.
const TRIES: usize = 20;
/// The unit in which a file's blocks are counted.
const BLOCK_BYTES: u64 = 512;

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    mount: Arc<Mount>,
    size_bytes: u64,
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
        let size_bytes = u64::from(size_mib) << 20;
        let owner =
            owner.map_or_else(String::new, |(user, group)| format!(",uid={user},gid={group}"));
        mount(&format!("size={size_bytes},mode=0700{owner}"), folder)?;
        Ok(Self { mount: Arc::new(Mount { folder: folder.to_path_buf() }), size_bytes })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.mount.folder
    }

    /// Leaves no room for a byte. The disk is made small first, so that there is little to fill.
    pub(crate) fn fill(&self) -> Outcome<()> {
        let mut tries = 0;
        loop {
            match self.resize(used(self.folder())? + MARGIN_BYTES) {
                // Its files have grown beyond that meanwhile.
                Err(_) if tries < TRIES => tries += 1,
                resized => break resized?,
            }
        }
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler())?;
        for size in [1 << 12, 1] {
            fill_by(&mut filler, size)?;
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn free(&self) -> Outcome<()> {
        self.resize(self.size_bytes)?;
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn resize(&self, bytes: u64) -> Outcome<()> {
        mount(&format!("remount,size={bytes}"), self.folder())
    }

    fn filler(&self) -> PathBuf {
        self.folder().join(FILLER)
    }
}

fn mount(options: &str, folder: &Path) -> Outcome<()> {
    let mut mount = Command::new("mount");
    let output = mount.args(["-t", "tmpfs", "-o", options, "ff-chaos"]).arg(folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("mount: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Bytes that the files of a folder take.
fn used(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += used(&entry.path())?,
            Ok(metadata) => bytes += metadata.blocks() * BLOCK_BYTES,
            // It was removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
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
