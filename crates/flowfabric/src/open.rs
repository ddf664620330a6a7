//! Picks the backend by the URL.

use std::path::PathBuf;
use std::sync::Arc;

use ff_core::contracts::{Examination, Migrated};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};

/// Opens the store that the URL names, and migrates it.
///
/// | URL | backend | feature |
/// | --- | --- | --- |
/// | `sqlite:jobs.db`, `file:...`, `:memory:`, or a plain path | SQLite | `sqlite` |
/// | `postgres://...`, `postgresql://...` | PostgreSQL | `postgres` |
///
/// # Errors
/// `Open` with [`OpenKind::UnknownScheme`] or [`OpenKind::BackendNotCompiledIn`], naming the schemes that
/// there are or the feature to add; otherwise as the backend's own constructor.
pub async fn connect(url: &str) -> Result<Arc<dyn EngineBackend>, EngineError> {
    match Backend::of(url)? {
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => Ok(ff_backend_sqlite::SqliteBackend::new(url).await?),
        #[cfg(feature = "postgres")]
        Backend::Postgres => Ok(ff_backend_postgres::PostgresBackend::connect(url).await?),
    }
}

/// Brings the store's schema up to date, as [`connect`] does too, and tells what there was to do. It may run
/// beside programs that use the store.
///
/// # Errors
/// As [`connect`].
pub async fn migrate(url: &str) -> Result<Migrated, EngineError> {
    match Backend::of(url)? {
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => ff_backend_sqlite::migrate(url).await,
        #[cfg(feature = "postgres")]
        Backend::Postgres => ff_backend_postgres::migrate(url).await,
    }
}

/// Looks at the store and at what it lies on, changes nothing, and tells an operator what is wrong and what
/// is good to know.
///
/// # Errors
/// As [`connect`] where there is nothing to look at: what can be looked at and is wrong is a finding.
pub async fn examine(url: &str) -> Result<Examination, EngineError> {
    match Backend::of(url)? {
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => ff_backend_sqlite::examine(url).await,
        #[cfg(feature = "postgres")]
        Backend::Postgres => ff_backend_postgres::examine(url).await,
    }
}

/// The file that the URL names, as [`connect`] reads it; `None` where a store is no file. Nothing is opened.
///
/// # Errors
/// `Open` with [`OpenKind::InvalidUrl`], and as [`connect`] for the scheme.
pub fn file_of(url: &str) -> Result<Option<PathBuf>, EngineError> {
    match Backend::of(url)? {
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => ff_backend_sqlite::file_of(url),
        #[cfg(feature = "postgres")]
        Backend::Postgres => Ok(None),
    }
}

/// The backends that are compiled in.
enum Backend {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Backend {
    fn of(url: &str) -> Result<Self, EngineError> {
        match scheme(url) {
            #[cfg(feature = "sqlite")]
            None | Some("sqlite" | "file") => Ok(Self::Sqlite),
            #[cfg(not(feature = "sqlite"))]
            None | Some("sqlite" | "file") => Err(not_compiled_in("SQLite", "sqlite")),
            #[cfg(feature = "postgres")]
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            #[cfg(not(feature = "postgres"))]
            Some("postgres" | "postgresql") => Err(not_compiled_in("PostgreSQL", "postgres")),
            Some(other) => Err(EngineError::Open {
                kind: OpenKind::UnknownScheme,
                detail: format!(
                    "no backend has the scheme {other:?}; there are sqlite: and postgres:"
                ),
            }),
        }
    }
}

/// What stands before the colon; a single letter is a drive and not a scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme =
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some(scheme)
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn not_compiled_in(name: &str, feature: &str) -> EngineError {
    EngineError::Open {
        kind: OpenKind::BackendNotCompiledIn,
        detail: format!("the {name} backend is not compiled in; add the feature `{feature}`"),
    }
}
