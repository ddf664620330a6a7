//! Which files are under the directory.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::file::{FileVersion, StoredPath, bytes};
use super::hash::modified_ns;
use crate::output::Failure;

/// The directory, as it was given and as it is.
#[derive(Clone)]
pub(super) struct Root {
    given: PathBuf,
    real: PathBuf,
}

/// A regular file under the directory.
pub(super) struct Found {
    /// Its path as the list of checksums shows it.
    pub(super) shown: PathBuf,
    pub(super) version: FileVersion,
}

/// A place under the directory that cannot be looked into.
pub(super) struct Unreadable {
    pub(super) path: String,
    pub(super) reason: String,
}

#[derive(Default)]
pub(super) struct Walked {
    pub(super) files: Vec<Found>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// What the command itself writes.
pub(super) struct Excluded {
    paths: Vec<PathBuf>,
}

impl Root {
    pub(super) fn of(directory: &Path) -> Result<Self, Failure> {
        let real = fs::canonicalize(directory).map_err(|error| {
            Failure::Message(format!("cannot read {}: {error}", directory.display()))
        })?;
        if !real.is_dir() {
            return Err(Failure::Message(format!("{} is not a directory", directory.display())));
        }
        Ok(Self { given: directory.to_path_buf(), real })
    }

    /// The directory's own lane, so that what is left of one directory does not hold up another.
    pub(super) fn lane(&self) -> String {
        let hash = Sha256::digest(bytes(&self.real));
        let short: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("checksum-{short}")
    }
}

impl Excluded {
    pub(super) fn new(out: &Path, database: Option<&Path>) -> Self {
        let mut paths = vec![real(out)];
        if let Some(database) = database.map(real) {
            for suffix in ["-wal", "-shm", "-journal"] {
                let mut name = database.clone().into_os_string();
                name.push(suffix);
                paths.push(PathBuf::from(name));
            }
            paths.push(database);
        }
        Self { paths }
    }

    fn contains(&self, path: &Path) -> bool {
        self.paths.iter().any(|excluded| excluded == path)
    }
}

/// The path without links; the file itself need not be there.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = fs::canonicalize(directory.unwrap_or(Path::new(".")));
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_path_buf(),
    }
}

/// Finds the regular files, by path.
pub(super) async fn files(root: &Root, excluded: &Excluded) -> Result<Walked, Failure> {
    let (root, paths) = (root.clone(), excluded.paths.clone());
    tokio::task::spawn_blocking(move || walk(&root, &Excluded { paths }))
        .await
        .map_err(|_| Failure::Message("listing the files panicked".to_owned()))
}

fn walk(root: &Root, excluded: &Excluded) -> Walked {
    let mut walked = Walked::default();
    for entry in WalkDir::new(&root.real).sort_by_file_name() {
        let found = entry.and_then(|entry| {
            if !entry.file_type().is_file() || excluded.contains(entry.path()) {
                return Ok(None);
            }
            let metadata = entry.metadata()?;
            Ok(Some((entry.into_path(), metadata)))
        });
        match found {
            Ok(None) => {}
            Ok(Some((path, metadata))) => match modified_ns(&metadata) {
                Ok(modified_ns) => walked.files.push(Found {
                    shown: shown(root, &path),
                    version: FileVersion {
                        path: StoredPath::new(&path),
                        size: metadata.len(),
                        modified_ns,
                    },
                }),
                Err(error) => walked.unreadable.push(Unreadable {
                    path: shown(root, &path).to_string_lossy().into_owned(),
                    reason: error.to_string(),
                }),
            },
            Err(error) => walked.unreadable.push(unreadable(root, &error)),
        }
    }
    walked
}

fn unreadable(root: &Root, error: &walkdir::Error) -> Unreadable {
    let path = error.path().unwrap_or(&root.real);
    let reason = match error.io_error() {
        Some(error) => error.to_string(),
        None => error.to_string(),
    };
    Unreadable { path: shown(root, path).to_string_lossy().into_owned(), reason }
}

/// The path below the directory as it was given, so that the list can be checked from where the command
/// was run.
fn shown(root: &Root, path: &Path) -> PathBuf {
    path.strip_prefix(&root.real)
        .map_or_else(|_| path.to_path_buf(), |below| root.given.join(below))
}
