//! Opening the store that `--db` names.

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

/// Refuses a store whose file is not there.
pub(crate) fn require_file(db: &str) -> Result<(), Failure> {
    match flowfabric::file_of(db)?.filter(|file| !file.exists()) {
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
