//! Which database a text names.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use ff_core::engine_error::{EngineError, OpenKind};
use sqlx::sqlite::SqliteConnectOptions;

/// The file that a path or a URL names; `None` for a database in memory. Nothing is opened.
///
/// # Errors
/// `Open` with [`OpenKind::InvalidUrl`].
///
/// ```
/// use std::path::Path;
///
/// let file = ff_backend_sqlite::file_of("sqlite:my%20jobs.db?mode=rwc")?;
/// assert_eq!(file.as_deref(), Some(Path::new("my jobs.db")));
/// assert_eq!(ff_backend_sqlite::file_of(":memory:")?, None);
/// # Ok::<(), ff_core::engine_error::EngineError>(())
/// ```
pub fn file_of(url: &str) -> Result<Option<PathBuf>, EngineError> {
    Location::parse(url).map(|location| location.file)
}

/// Where a database lies.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) options: SqliteConnectOptions,
    /// The file; `None` for a database in memory.
    pub(crate) file: Option<PathBuf>,
}

const A_NUL: &str = "it has a NUL, which no file's name has";

/// Numbers the databases that `:memory:` names, so that each is private.
static PRIVATE_DATABASES: AtomicU64 = AtomicU64::new(0);

impl Location {
    /// Reads a path, a `sqlite:` URL, a `file:` URI or `:memory:`.
    pub(crate) fn parse(text: &str) -> Result<Self, EngineError> {
        if text.is_empty() {
            return Err(invalid(text, "it is empty; give a path such as jobs.db"));
        }
        if text.contains('\0') {
            return Err(invalid(text, A_NUL));
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
        let name = file.to_string_lossy();
        if name.contains('\0') {
            return Err(invalid(text, A_NUL));
        }
        if name == ":memory:" || name.starts_with("file:") {
            return Err(invalid(text, "SQLite takes that for no file's name; put ./ before it"));
        }
        Ok(Self::of_file(options, &file))
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
#[path = "../../ff-core/src/outside_text/mutate.rs"]
#[expect(dead_code, reason = "the parsers of ff-core have more properties")]
mod mutate;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::mutate::{any_text, mutated};
    use super::*;

    /// Every byte escaped but those of names.
    fn escaped(path: &str) -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'/' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        path.bytes().map(byte).collect()
    }

    proptest! {
        #[test]
        fn a_path_is_the_file(path in any_text()) {
            let is_path = !["", ":memory:"].contains(&&*path)
                && !["sqlite:", "file:"].iter().any(|scheme| path.starts_with(scheme));
            prop_assume!(is_path && !path.contains('\0'));
            prop_assert_eq!(file_of(&path).unwrap(), Some(PathBuf::from(&path)));
        }

        #[test]
        fn an_escaped_path_is_the_file(path in any_text()) {
            let path = format!("./{}", path.replace('\0', ""));
            for scheme in ["sqlite:", "sqlite://", "file:", "sqlite:file:"] {
                let url = format!("{scheme}{}?mode=rwc#fragment", escaped(&path));
                prop_assert_eq!(file_of(&url).unwrap(), Some(PathBuf::from(&path)), "{}", url);
            }
        }

        #[test]
        fn any_text_names_a_database_or_is_refused_by_name(
            text in any_text(),
            almost in mutated(prop_oneof![
                Just("sqlite:with%20space.db?mode=rwc&cache=shared".to_owned()),
                Just("file:one?mode=memory&cache=shared#fragment".to_owned()),
                Just("sqlite::memory:".to_owned()),
            ]),
            rest in any_text(),
        ) {
            for text in [&text, &almost, &format!("sqlite:{rest}"), &format!("file:{rest}")] {
                match file_of(text) {
                    Ok(None) => {}
                    Ok(Some(file)) => {
                        let name = file.to_str().unwrap();
                        prop_assert!(!name.contains('\0') && name != ":memory:", "{:?}", name);
                    }
                    Err(EngineError::Open { kind: OpenKind::InvalidUrl, detail }) => {
                        prop_assert!(detail.contains(&format!("{text:?}")), "{}", detail);
                    }
                    Err(error) => prop_assert!(false, "{error:?}"),
                }
            }
        }
    }

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
            "a\0b.db",
            "sqlite:a%00b.db",
            "sqlite:%3Amemory%3A",
            "sqlite:%66ile:a.db",
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
