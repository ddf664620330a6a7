//! The one place that maps the driver's errors.

use ff_core::engine_error::{ContentionKind, EngineError, ValidationKind};
use sqlx::migrate::MigrateError;

use crate::LABEL;

/// PostgreSQL's SQLSTATE codes, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(crate) mod code {
    pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(crate) const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    pub(crate) const UNTRANSLATABLE_CHARACTER: &str = "22P05";
    pub(crate) const UNIQUE_VIOLATION: &str = "23505";
    pub(crate) const READ_ONLY_TRANSACTION: &str = "25006";
    pub(crate) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "25P03";
    pub(crate) const TRANSACTION_TIMEOUT: &str = "25P04";
    pub(crate) const INVALID_AUTHORIZATION: &str = "28000";
    pub(crate) const INVALID_PASSWORD: &str = "28P01";
    pub(crate) const INVALID_CATALOG_NAME: &str = "3D000";
    pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
    pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
    pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(crate) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(crate) const CRASH_SHUTDOWN: &str = "57P02";
    pub(crate) const CANNOT_CONNECT_NOW: &str = "57P03";
    pub(crate) const IDLE_SESSION_TIMEOUT: &str = "57P05";
}

/// Two creations that take one idempotency key at once break this.
const IDEMPOTENCY_KEY: &str = "ff_idempotency_pkey";

/// What a caller is told of a driver's error.
pub(crate) fn from_sqlx(error: sqlx::Error) -> EngineError {
    match sqlstate(&error).as_deref() {
        Some(code::LOCK_NOT_AVAILABLE) => {
            return EngineError::Contention(ContentionKind::StoreBusy);
        }
        Some(code::CHARACTER_NOT_IN_REPERTOIRE | code::UNTRANSLATABLE_CHARACTER) => {
            return EngineError::invalid_input("text: PostgreSQL cannot store the character NUL");
        }
        _ => {}
    }
    match error {
        sqlx::Error::ColumnDecode { index, source } => EngineError::Validation {
            kind: ValidationKind::Corruption,
            detail: format!("column {index}: {source}"),
        },
        error => transport(error),
    }
}

/// No connection could be made in the time that there was.
pub(crate) fn no_connection(waited: std::time::Duration) -> EngineError {
    let source = format!("no connection to the server within {waited:?}; is it running?").into();
    EngineError::Transport { backend: LABEL, source }
}

pub(crate) fn transport(error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::Transport { backend: LABEL, source: Box::new(error) }
}

/// Whether the server has undone the operation because of another one beside it: it may be run again.
pub(crate) fn was_undone(error: &EngineError) -> bool {
    let Some(error) = driver_error(error) else { return false };
    match sqlstate(error).as_deref() {
        Some(code::SERIALIZATION_FAILURE | code::DEADLOCK_DETECTED) => true,
        _ => takes_taken_key(error),
    }
}

/// Whether another creation took the idempotency key at the same time.
pub(crate) fn is_key_taken(error: &EngineError) -> bool {
    driver_error(error).is_some_and(takes_taken_key)
}

fn takes_taken_key(error: &sqlx::Error) -> bool {
    let constraint = error.as_database_error().and_then(|error| error.constraint());
    sqlstate(error).as_deref() == Some(code::UNIQUE_VIOLATION)
        && constraint == Some(IDEMPOTENCY_KEY)
}

/// Whether the connection was lost, and with it the answer: the operation is done or not done.
pub(crate) fn lost_answer(error: &EngineError) -> bool {
    let Some(error) = driver_error(error) else { return false };
    is_connection_lost(error)
}

pub(crate) fn is_connection_lost(error: &sqlx::Error) -> bool {
    let lost = [
        code::IDLE_IN_TRANSACTION_TIMEOUT,
        code::TRANSACTION_TIMEOUT,
        code::ADMIN_SHUTDOWN,
        code::CRASH_SHUTDOWN,
        code::CANNOT_CONNECT_NOW,
        code::IDLE_SESSION_TIMEOUT,
        code::PROTOCOL_VIOLATION,
    ];
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        error => sqlstate(error).is_some_and(|state| {
            // Class 08 is "connection exception".
            state.starts_with("08") || lost.contains(&state.as_str())
        }),
    }
}

fn driver_error(error: &EngineError) -> Option<&sqlx::Error> {
    match error {
        EngineError::Transport { source, .. } => source.downcast_ref(),
        _ => None,
    }
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// The driver's error inside a failed migration, if there is one.
pub(crate) fn of_migration(error: MigrateError) -> Result<sqlx::Error, MigrateError> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Ok(error),
        other => Err(other),
    }
}

/// A statement answered something that it cannot.
pub(crate) fn unexpected(what: &'static str) -> EngineError {
    EngineError::Transport { backend: LABEL, source: what.into() }
}
