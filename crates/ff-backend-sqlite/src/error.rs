//! The one place that maps the driver's errors.

use ff_core::engine_error::{ContentionKind, EngineError, ValidationKind};
use sqlx::migrate::MigrateError;

use crate::LABEL;

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
pub(crate) mod code {
    pub(crate) const BUSY: u32 = 5;
    pub(crate) const LOCKED: u32 = 6;
    pub(crate) const READONLY: u32 = 8;
    pub(crate) const CORRUPT: u32 = 11;
    pub(crate) const CANTOPEN: u32 = 14;
    pub(crate) const NOTADB: u32 = 26;
}

/// What a caller is told of a driver's error. "Busy" is contention, never a transport failure.
pub(crate) fn from_sqlx(error: sqlx::Error) -> EngineError {
    if is_busy(&error) || matches!(error, sqlx::Error::PoolTimedOut) {
        return EngineError::Contention(ContentionKind::StoreBusy);
    }
    match error {
        sqlx::Error::ColumnDecode { index, source } => EngineError::Validation {
            kind: ValidationKind::Corruption,
            detail: format!("column {index}: {source}"),
        },
        error => EngineError::Transport { backend: LABEL, source: Box::new(error) },
    }
}

/// The driver's error inside a failed migration, if there is one.
pub(crate) fn of_migration(error: MigrateError) -> Result<sqlx::Error, MigrateError> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Ok(error),
        other => Err(other),
    }
}

pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(code::BUSY | code::LOCKED))
}

/// The low byte of an extended result code is the primary one.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// The writer has stopped: after `shutdown`, or because its thread died.
pub(crate) fn writer_stopped() -> EngineError {
    EngineError::Transport { backend: LABEL, source: "the backend has been shut down".into() }
}

/// A statement answered something that it cannot.
pub(crate) fn unexpected(what: &'static str) -> EngineError {
    EngineError::Transport { backend: LABEL, source: what.into() }
}
