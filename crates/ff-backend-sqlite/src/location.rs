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
        if text.is_empty() {
            return Err(invalid(text, "it is empty; give a path such as jobs.db"));
        }
        let rest =
            text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("file:").unwrap_or(rest));
        match rest.or_else(|| text.strip_prefix("file:")) {
            Some(rest) => Self::parse_uri(text, rest),
            None if text == ":memory:" => Ok(Self::private_memory()),
            None => Ok(Self::of_file(SqliteConnectOptions::new().filename(text), text)),
        }
    }

    fn parse_uri(text: &str, rest: &str) -> Result<Self, EngineError> {
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path_after_slashes = path.strip_prefix("//").unwrap_or(path);
        if path_after_slashes == ":memory:" {
            return Ok(Self::private_memory());
        }
        if path_after_slashes.is_empty() {
            return Err(invalid(text, "it names no file; give a path such as sqlite:jobs.db"));
        }
        let has = |wanted: &str| query.split('&').any(|parameter| parameter == wanted);
        if has("mode=memory") {
            if has("cache=private") {
                return Err(invalid(
                    text,
                    "several connections share the database; drop cache=private",
                ));
            }
            return Ok(Self::in_memory(path_after_slashes));
        }
        let url = format!("sqlite:{rest}");
        let options = SqliteConnectOptions::from_str(&url).map_err(|error| invalid(text, error))?;
        let file = options.get_filename().to_path_buf();
        Ok(Self::of_file(options, file))
    }

    fn private_memory() -> Self {
        let number = PRIVATE_DATABASES.fetch_add(1, Ordering::Relaxed);
        Self::in_memory(&format!("ff-private-{number}"))
    }

    fn of_file(options: SqliteConnectOptions, file: impl AsRef<Path>) -> Self {
        let file = file.as_ref().to_path_buf();
        Self { options: options.create_if_missing(true), file: Some(file) }
    }

    /// SQLite reads the URI itself, so that every connection of this process shares the database.
    fn in_memory(name: &str) -> Self {
        let uri = format!("file:{name}?mode=memory&cache=shared");
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
            ("file:///d/mode=memory/jobs.db", "/d/mode=memory/jobs.db"),
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
            "file::memory:",
            "sqlite::memory:?cache=shared",
            "file:one?mode=memory&cache=shared#fragment",
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.file, None, "{text}");
            let name = location.options.get_filename().to_string_lossy().into_owned();
            assert!(name.starts_with("file:") && name.contains("cache=shared"), "{text}: {name}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in [
            "",
            "sqlite:",
            "sqlite://",
            "sqlite:a.db?mode=sideways",
            "file:",
            "file:one?mode=memory&cache=private",
        ] {
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
