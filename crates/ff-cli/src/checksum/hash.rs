//! The handler: reads a file in chunks and hashes it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::time::UNIX_EPOCH;

use flowfabric::{HandlerError, Job};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::file::{Digest, FileVersion};

pub(super) const KIND: &str = "checksum";
const CHUNK: usize = 256 * 1024;

/// Hashes the version of the file that the execution was created for. A file that cannot be read fails
/// for good: another attempt would meet the same disk.
pub(super) async fn handle(job: Job<()>, file: FileVersion) -> Result<Digest, HandlerError> {
    let cancelled = job.cancelled().clone();
    let hashed = tokio::task::spawn_blocking(move || hash(&file, &cancelled)).await;
    hashed.unwrap_or_else(|_| Err(HandlerError::transient("reading the file panicked")))
}

fn hash(file: &FileVersion, cancelled: &CancellationToken) -> Result<Digest, HandlerError> {
    let path = file.path.to_path();
    // Looked at before it is opened: opening a pipe would wait for a writer.
    check_version(file, &fs::symlink_metadata(&path).map_err(unreadable)?)?;
    let mut source = File::open(&path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        if cancelled.is_cancelled() {
            return Err(HandlerError::transient("told to stop"));
        }
        match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => hasher.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    check_version(file, &source.metadata().map_err(unreadable)?)?;
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digest { sha256 })
}

fn unreadable(error: io::Error) -> HandlerError {
    HandlerError::permanent(error.to_string())
}

/// A checksum of another version would be kept as this one's.
fn check_version(file: &FileVersion, metadata: &Metadata) -> Result<(), HandlerError> {
    if metadata.is_file()
        && metadata.len() == file.size
        && modified_ns(metadata).map_err(unreadable)? == file.modified_ns
    {
        return Ok(());
    }
    Err(HandlerError::permanent("it changed since it was listed; run the command again"))
}

/// Nanoseconds since the Unix epoch, before it too.
pub(super) fn modified_ns(metadata: &Metadata) -> io::Result<i128> {
    let nanos = |duration: std::time::Duration| duration.as_nanos().try_into().unwrap_or(i128::MAX);
    Ok(match metadata.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    })
}
