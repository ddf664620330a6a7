//! Which database a text names.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::sqlite::SqliteConnectOptions;

/// Where a database lies.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) options: SqliteConnectOptions,
    /// The file; `None` for a database in memory.
    pub(crate) file: Option<PathBuf>,
}

/// Numbers the databases that `:memory:` names, so that each is private.
static PRIVATE_DATABASES: AtomicU64 = AtomicU64::new(0);

impl Location {
    /// Reads a path, a `sqlite:` URL, a `file:` URI or `:memory:`.
    pub(crate) fn parse(text: &str) -> Result<Self, EngineError> {
        let Some(rest) = text.strip_prefix("sqlite:") else {
            return Self::parse_path_or_uri(text);
        };
        if rest == ":memory:" || rest == "//:memory:" || rest.starts_with("file:") {
            return Self::parse_path_or_uri(rest.trim_start_matches("//"));
        }
        let options = SqliteConnectOptions::from_str(text).map_err(|error| invalid(text, error))?;
        Self::of_file_or_memory(options, rest)
    }

    fn parse_path_or_uri(text: &str) -> Result<Self, EngineError> {
        if text.is_empty() {
            return Err(invalid(text, "it is empty; give a path such as jobs.db"));
        }
        if text == ":memory:" {
            let number = PRIVATE_DATABASES.fetch_add(1, Ordering::Relaxed);
            return Ok(Self::in_memory(&format!(
                "file:ff-private-{number}?mode=memory&cache=shared"
            )));
        }
        match text.strip_prefix("file:") {
            Some(uri) if uri.contains("mode=memory") => Ok(Self::in_memory(text)),
            Some(uri) => {
                let url = format!("sqlite:{uri}");
                let options =
                    SqliteConnectOptions::from_str(&url).map_err(|error| invalid(text, error))?;
                Self::of_file_or_memory(options, uri)
            }
            None => Ok(Self::of_file(SqliteConnectOptions::new().filename(text), text)),
        }
    }

    fn of_file_or_memory(options: SqliteConnectOptions, text: &str) -> Result<Self, EngineError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if query.contains("mode=memory") {
            return Ok(Self::in_memory(&format!("file:{}?{query}", path.trim_start_matches("//"))));
        }
        if path.trim_start_matches("//").is_empty() {
            return Err(invalid(text, "it names no file; give a path such as sqlite:jobs.db"));
        }
        let file = options.get_filename().to_path_buf();
        Ok(Self::of_file(options, file))
    }

    fn of_file(options: SqliteConnectOptions, file: impl AsRef<Path>) -> Self {
        let file = file.as_ref().to_path_buf();
        Self { options: options.create_if_missing(true), file: Some(file) }
    }

    /// SQLite reads the URI itself, so that every connection of this process shares the database.
    fn in_memory(uri: &str) -> Self {
        let uri =
            if uri.contains("cache=") { uri.to_owned() } else { format!("{uri}&cache=shared") };
        Self { options: SqliteConnectOptions::new().filename(uri), file: None }
    }
}

fn invalid(text: &str, problem: impl std::fmt::Display) -> EngineError {
    EngineError::Open {
        kind: OpenKind::InvalidUrl,
        detail: format!("{text:?} does not name a SQLite database: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_name_files() {
        let cases = [
            ("jobs.db", "jobs.db"),
            ("a?b#c.db", "a?b#c.db"),
            ("/var/lib/jobs.db", "/var/lib/jobs.db"),
            ("sqlite:jobs.db", "jobs.db"),
            ("sqlite://jobs.db", "jobs.db"),
            ("sqlite:///var/lib/jobs.db", "/var/lib/jobs.db"),
            ("sqlite:with%20space.db?mode=rwc", "with space.db"),
            ("file:jobs.db", "jobs.db"),
        ];
        for (text, path) in cases {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.file.as_deref(), Some(Path::new(path)), "{text}");
        }
    }

    #[test]
    fn memory_urls_name_no_file() {
        for text in [
            ":memory:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "file:one?mode=memory&cache=shared",
            "sqlite:file:one?mode=memory&cache=shared",
            "sqlite:one?mode=memory",
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.file, None, "{text}");
            let name = location.options.get_filename().to_string_lossy().into_owned();
            assert!(name.starts_with("file:") && name.contains("cache=shared"), "{text}: {name}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["", "sqlite:", "sqlite://", "sqlite:a.db?mode=sideways", "file:"] {
            assert!(
                matches!(
                    Location::parse(text),
                    Err(EngineError::Open { kind: OpenKind::InvalidUrl, .. })
                ),
                "{text}"
            );
        }
    }
}
