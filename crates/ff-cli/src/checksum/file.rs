//! What an execution is given and what it returns.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A path in JSON: as text where it is text, and byte by byte where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum StoredPath {
    Text(String),
    Bytes(Vec<u8>),
}

/// A version of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileVersion {
    pub(super) path: StoredPath,
    pub(super) size: u64,
    pub(super) modified_ns: i128,
}

/// A SHA-256, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    pub(super) sha256: String,
}

impl StoredPath {
    pub(super) fn new(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(bytes(path)),
        }
    }

    pub(super) fn to_path(&self) -> PathBuf {
        match self {
            Self::Text(text) => PathBuf::from(text),
            Self::Bytes(bytes) => PathBuf::from(from_bytes(bytes)),
        }
    }
}

/// The bytes of a path, as the operating system has them.
#[cfg(unix)]
pub(super) fn bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
pub(super) fn bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> OsString {
    OsString::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    proptest! {
        #[test]
        fn every_version_of_a_file_survives_json(path: Vec<u8>, size: u64, modified_ns: i64) {
            let path = StoredPath::new(Path::new(OsStr::from_bytes(&path)));
            let file = FileVersion { path, size, modified_ns: i128::from(modified_ns) };
            let json = serde_json::to_vec(&file).unwrap();
            prop_assert_eq!(serde_json::from_slice::<FileVersion>(&json).unwrap(), file);
        }
    }

    #[test]
    fn any_path_survives_json() {
        for name in [&b"plain"[..], b"with space\nand newline", b"not \xff utf-8"] {
            let path = Path::new(OsStr::from_bytes(name));
            let json = serde_json::to_string(&StoredPath::new(path)).unwrap();
            let stored: StoredPath = serde_json::from_str(&json).unwrap();
            assert_eq!(stored.to_path(), path);
        }
    }
}
