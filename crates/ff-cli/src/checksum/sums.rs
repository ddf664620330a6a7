//! The list of checksums, in the format of GNU coreutils' `sha256sum`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Finished;
use super::file::bytes;
use crate::output::Failure;

/// Where the list goes.
pub(super) enum Target {
    /// A file, or one to make, without links.
    File(PathBuf),
    /// A device or a pipe: written to, and never replaced.
    Stream(PathBuf),
}

impl Target {
    /// Refuses a place that cannot be written before the work begins and not after it.
    pub(super) fn of(out: &Path) -> Result<Self, Failure> {
        let real = fs::canonicalize(out).unwrap_or_else(|_| out.to_path_buf());
        match fs::metadata(&real) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(cannot_write(out, "it is a directory"));
            }
            Ok(metadata) if !metadata.is_file() => return Ok(Self::Stream(real)),
            _ => {}
        }
        if real.file_name().is_none() || out.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(cannot_write(out, "it names no file"));
        }
        let directory = directory(&real);
        if !directory.is_dir() {
            let problem = format!("there is no directory {}", directory.display());
            return Err(cannot_write(out, problem));
        }
        NamedTempFile::new_in(directory).map_err(|error| cannot_write(out, error.kind()))?;
        Ok(Self::File(real))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Stream(path) => path,
        }
    }

    pub(super) fn write(&self, finished: &[Finished]) -> Result<(), Failure> {
        let written = match self {
            Self::File(path) => write_file(path, finished),
            Self::Stream(path) => {
                File::options().write(true).open(path).and_then(|file| write_lines(file, finished))
            }
        };
        written.map_err(|error| cannot_write(self.path(), error.kind()))
    }
}

/// Writes the list beside its place and moves it there, so that no half of it is ever seen.
fn write_file(out: &Path, finished: &[Finished]) -> std::io::Result<()> {
    let mut file = NamedTempFile::new_in(directory(out))?;
    write_lines(file.as_file_mut(), finished)?;
    file.as_file().sync_all()?;
    set_usual_permissions(&file, out)?;
    file.persist(out).map_err(|error| error.error)?;
    Ok(())
}

fn write_lines(out: impl Write, finished: &[Finished]) -> std::io::Result<()> {
    let mut writer = BufWriter::new(out);
    for entry in finished {
        if let Ok(digest) = &entry.outcome {
            writer.write_all(&line(&digest.sha256, &bytes(&entry.file.shown)))?;
        }
    }
    writer.flush()
}

/// A temporary file is its owner's alone, which a list that replaces another need not be.
#[cfg(unix)]
fn set_usual_permissions(file: &NamedTempFile, out: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(out).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_usual_permissions(_file: &NamedTempFile, _out: &Path) -> std::io::Result<()> {
    Ok(())
}

fn directory(out: &Path) -> &Path {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn cannot_write(out: &Path, problem: impl std::fmt::Display) -> Failure {
    Failure::Message(format!("cannot write {}: {problem}", out.display()))
}

/// A name with a backslash, a newline or a carriage return is escaped, and the line says so by a
/// backslash before the checksum.
fn line(sha256: &str, name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            other => escaped.push(*other),
        }
    }
    let mark: &[u8] = if escaped.len() == name.len() { b"" } else { b"\\" };
    [mark, sha256.as_bytes(), b"  ", &escaped, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_sha256sum() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"./plain", b"00  ./plain\n"),
            (b"with space", b"00  with space\n"),
            (b"not \xff utf-8", b"00  not \xff utf-8\n"),
            (b"new\nline", b"\\00  new\\nline\n"),
            (b"back\\slash\r", b"\\00  back\\\\slash\\r\n"),
        ];
        for (name, expected) in cases {
            assert_eq!(line("00", name), expected);
        }
    }
}
