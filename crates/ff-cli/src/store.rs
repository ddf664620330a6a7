//! Opening the store that `--db` names.

use std::path::PathBuf;
use std::sync::Arc;

use flowfabric::core::engine_backend::EngineBackend;

use crate::output::Failure;

pub(crate) type Store = Arc<dyn EngineBackend>;

/// Opens the store, and creates it when it is not there.
pub(crate) async fn open(db: &str) -> Result<Store, Failure> {
    Ok(flowfabric::connect(db).await?)
}

/// Opens a store that must be there: a command that only looks leaves no file and no table behind.
pub(crate) async fn open_existing(db: &str) -> Result<Store, Failure> {
    require_file(db)?;
    if is_on_server(db) && flowfabric::examine(db).await?.schema_version.is_none() {
        return Err(Failure::Message(
            "there is no store in the database; `ff migrate` makes one, and --db names another"
                .to_owned(),
        ));
    }
    open(db).await
}

/// Refuses a SQLite store whose file is not there.
pub(crate) fn require_file(db: &str) -> Result<(), Failure> {
    match file(db).filter(|file| !file.exists()) {
        Some(file) => Err(Failure::Message(format!(
            "there is no store {}; `ff checksum DIR` makes one, and --db names another",
            file.display()
        ))),
        None => Ok(()),
    }
}

fn is_on_server(db: &str) -> bool {
    matches!(db.split_once(':'), Some(("postgres" | "postgresql", _)))
}

/// The file of a SQLite store.
pub(crate) fn file(db: &str) -> Option<PathBuf> {
    let path = match db.split_once(':') {
        Some(("sqlite" | "file", rest)) => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            if query.contains("mode=memory") || path.starts_with("file:") {
                return None;
            }
            path.strip_prefix("//").unwrap_or(path)
        }
        Some((scheme, _)) if scheme.len() != 1 => return None,
        _ => db,
    };
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_file_is_found_in_a_url() {
        let cases = [
            ("sqlite:flowfabric.db", Some("flowfabric.db")),
            ("sqlite:///tmp/x.db?mode=rwc", Some("/tmp/x.db")),
            ("jobs.db", Some("jobs.db")),
            ("sqlite::memory:", None),
            (":memory:", None),
            ("postgres://localhost/x", None),
        ];
        for (db, expected) in cases {
            assert_eq!(file(db).as_deref(), expected.map(Path::new), "{db}");
        }
    }
}
