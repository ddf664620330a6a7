//! What can go wrong, by what the caller can do about it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::state::PublicState;

/// Why an operation was not done. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No such thing is stored.
    #[error("no such {entity}")]
    NotFound {
        /// What was looked for: `execution`, `flow`.
        entity: &'static str,
    },
    /// The call, or what is stored, is not valid. Repeating the call gives the same answer.
    #[error("{kind}: {detail}")]
    Validation {
        /// What is wrong.
        kind: ValidationKind,
        /// Which field or column, and what it should be.
        detail: String,
    },
    /// Somebody else was there first, or the store is busy.
    #[error("{0}")]
    Contention(ContentionKind),
    /// The call contradicts what is stored.
    #[error("{0}")]
    Conflict(ConflictKind),
    /// The execution, the attempt or the flow is not in a state that allows the call.
    #[error("{0}")]
    State(StateKind),
    /// This backend does not have the operation.
    #[error("this backend does not support {op}")]
    Unavailable {
        /// The operation.
        op: &'static str,
    },
    /// The operation was not finished in the time given. It may still finish.
    #[error("{op} did not finish within {elapsed:?}")]
    Timeout {
        /// The operation.
        op: &'static str,
        /// How long was waited.
        elapsed: Duration,
    },
    /// One item of a batch is wrong, and so nothing of the batch was stored.
    #[error("item {index} of the batch: {source}")]
    BatchItem {
        /// The item's place in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<EngineError>,
    },
    /// The store cannot be opened.
    #[error("cannot open the store: {detail}")]
    Open {
        /// Why not.
        kind: OpenKind,
        /// What is wrong and what to do about it.
        detail: String,
    },
    /// The database or the way to it failed. The operation is done or not done; repeating it is safe.
    #[error("the {backend} backend failed: {source}")]
    Transport {
        /// The backend's label.
        backend: &'static str,
        /// The driver's error.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What is wrong with a call or with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValidationKind {
    /// An argument is outside its limits.
    InvalidInput,
    /// A payload or a result is larger than the backend is set to accept.
    PayloadTooLarge,
    /// A stored value is outside its range or its vocabulary.
    Corruption,
    /// The handle was given by another kind of backend.
    HandleFromOtherBackend,
}

/// Who or what was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentionKind {
    /// The handle's lease is no longer the execution's lease.
    LeaseConflict,
    /// The execution is not waiting to be claimed.
    ExecutionNotEligible,
    /// The execution has already finished in another way.
    ExecutionNotActive {
        /// How it finished.
        outcome: PublicState,
    },
    /// Other writers kept the store busy for longer than the backend waits.
    StoreBusy,
    /// All connections of the backend's pool were in use for longer than the backend waits.
    PoolExhausted,
}

/// What the call contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictKind {
    /// The execution is a member of another flow.
    ExecutionAlreadyInFlow,
}

/// Which state stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateKind {
    /// The epoch that was given is not that of the present lease.
    StaleLease,
    /// The lease's time is up.
    LeaseExpired,
    /// The attempt has ended in another way.
    AttemptAlreadyTerminal,
    /// The execution has not finished.
    ExecutionNotTerminal,
    /// The execution has been replayed as often as its policy allows.
    MaxReplaysExhausted,
    /// The flow has finished.
    FlowAlreadyTerminal,
}

/// Why a store cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenKind {
    /// The URL or the path cannot be read.
    InvalidUrl,
    /// No backend has the URL's scheme.
    UnknownScheme,
    /// The backend for the URL's scheme is not compiled in.
    BackendNotCompiledIn,
    /// The directory of the database file does not exist.
    MissingDirectory,
    /// The database file cannot be opened or created, or the server refuses the user.
    AccessDenied,
    /// The server has no database of that name, or there is no such file to look at.
    MissingDatabase,
    /// No server answers.
    Unreachable,
    /// The server's version is older than the backend supports.
    UnsupportedServer,
    /// The database can be read but not written.
    ReadOnly,
    /// The file is not a database, or is damaged.
    NotADatabase,
    /// The database was migrated by a newer program.
    NewerSchema,
    /// A migration that was applied to the database is not the one that this program has.
    ForeignSchema,
}

impl EngineError {
    /// An argument that is outside its limits. `detail` begins with the field's name.
    pub fn invalid_input(detail: impl Into<String>) -> Self {
        Self::Validation { kind: ValidationKind::InvalidInput, detail: detail.into() }
    }

    /// A stored value that is outside its range or its vocabulary, by rule SAFE-7.
    pub fn corruption(
        table: &str,
        column: &str,
        id: impl fmt::Display,
        problem: impl fmt::Display,
    ) -> Self {
        Self::Validation {
            kind: ValidationKind::Corruption,
            detail: format!("{table}.{column} of {id}: {problem}"),
        }
    }

    /// An execution that is not stored.
    pub fn execution_not_found() -> Self {
        Self::NotFound { entity: "execution" }
    }

    /// A flow that is not stored.
    pub fn flow_not_found() -> Self {
        Self::NotFound { entity: "flow" }
    }

    /// Whether the same call may be made again with some hope of another answer.
    ///
    /// True for contention, time-outs and transport failures; repeating any operation is safe.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contention(_) | Self::Timeout { .. } | Self::Transport { .. } => true,
            Self::BatchItem { source, .. } => source.is_retryable(),
            _ => false,
        }
    }

    /// Whether the answer to a call by handle means that its lease has ended for good.
    pub fn is_lease_lost(&self) -> bool {
        matches!(
            self,
            Self::Contention(ContentionKind::LeaseConflict)
                | Self::State(
                    StateKind::LeaseExpired
                        | StateKind::StaleLease
                        | StateKind::AttemptAlreadyTerminal
                )
                | Self::NotFound { .. }
        )
    }
}

impl fmt::Display for ValidationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "invalid input",
            Self::PayloadTooLarge => "payload too large",
            Self::Corruption => "a stored value is corrupt",
            Self::HandleFromOtherBackend => "the handle is from another backend",
        })
    }
}

impl fmt::Display for ContentionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaseConflict => f.write_str("the lease is held by somebody else or was ended"),
            Self::ExecutionNotEligible => f.write_str("the execution is not waiting to be claimed"),
            Self::ExecutionNotActive { outcome } => {
                write!(f, "the execution has already finished as {outcome}")
            }
            Self::StoreBusy => f.write_str("the store is busy with other writers; try again"),
            Self::PoolExhausted => f.write_str(
                "every connection of the pool is in use; try again, or give the pool more",
            ),
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExecutionAlreadyInFlow => "the execution already belongs to a flow",
        })
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StaleLease => "the lease epoch is not that of the present lease",
            Self::LeaseExpired => "the lease has expired",
            Self::AttemptAlreadyTerminal => "the attempt has already ended in another way",
            Self::ExecutionNotTerminal => "the execution has not finished",
            Self::MaxReplaysExhausted => {
                "the execution has been replayed as often as its policy allows"
            }
            Self::FlowAlreadyTerminal => "the flow has already finished",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_change_by_itself_is_retryable() {
        let busy = EngineError::Contention(ContentionKind::StoreBusy);
        assert!(busy.is_retryable());
        assert!(EngineError::BatchItem { index: 0, source: Box::new(busy) }.is_retryable());
        assert!(!EngineError::invalid_input("lane_id: empty").is_retryable());
        assert!(!EngineError::State(StateKind::LeaseExpired).is_retryable());
    }

    #[test]
    fn a_corrupt_value_is_named_by_table_column_and_id() {
        let error = EngineError::corruption("ff_attempt", "lease_epoch", "{fp:0}:x", "-1");
        assert_eq!(
            error.to_string(),
            "a stored value is corrupt: ff_attempt.lease_epoch of {fp:0}:x: -1"
        );
    }
}
