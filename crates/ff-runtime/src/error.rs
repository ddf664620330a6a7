//! What clients and workers answer when they cannot go on.

use std::time::Duration;

use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

/// Why a client has no answer to give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The payload has no JSON form.
    #[error("the payload cannot be written as JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// The execution completed, and what it returned is not of the type that was asked for.
    #[error("the result of {execution_id} cannot be read: {source}")]
    Decode {
        /// The execution.
        execution_id: ExecutionId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No execution of this id is stored.
    #[error("there is no execution {execution_id}")]
    UnknownExecution {
        /// The id.
        execution_id: ExecutionId,
    },
    /// The execution had not finished in the time given. It goes on.
    #[error("{execution_id} did not finish within {waited:?}")]
    Timeout {
        /// The execution.
        execution_id: ExecutionId,
        /// How long was waited.
        waited: Duration,
    },
    /// The execution failed for good.
    #[error("{execution_id} failed: {message}")]
    Failed {
        /// The execution.
        execution_id: ExecutionId,
        /// What its last attempt said.
        message: String,
    },
    /// The execution was cancelled.
    #[error("{execution_id} was cancelled")]
    Cancelled {
        /// The execution.
        execution_id: ExecutionId,
    },
    /// The execution's deadline passed.
    #[error("{execution_id} expired")]
    Expired {
        /// The execution.
        execution_id: ExecutionId,
    },
    /// The execution was left out by its flow's shape.
    #[error("{execution_id} was skipped")]
    Skipped {
        /// The execution.
        execution_id: ExecutionId,
    },
}

/// Why a worker cannot be built, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// No handler was given.
    #[error("a worker needs at least one handler")]
    NoHandler,
    /// Two handlers were given for one kind.
    #[error("there are two handlers of kind {kind:?}")]
    DuplicateHandler {
        /// The kind.
        kind: String,
    },
    /// The concurrency is 0.
    #[error("the concurrency of a worker is at least 1")]
    NoConcurrency,
    /// The lease time is shorter than a millisecond or longer than 2^32 of them.
    #[error("a lease lasts from 1 ms to 49 days, and {lease_ttl:?} was asked for")]
    LeaseTtl {
        /// What was asked for.
        lease_ttl: Duration,
    },
    /// The engine would refuse every claim: a name is outside its limits.
    #[error("the worker cannot claim: {0}")]
    Invalid(#[source] EngineError),
    /// A claim was refused in a way that trying again does not change.
    #[error("the worker stopped because its claims are refused: {0}")]
    Claim(#[source] EngineError),
    /// The process cannot listen to signals.
    #[error("cannot listen to signals: {0}")]
    Signal(#[source] std::io::Error),
    /// A part of the worker panicked; leases that it held run out and go to others.
    #[error("the worker stopped because a part of it panicked")]
    Panicked,
}

/// Why a handler's progress was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgressError {
    /// It has no JSON form.
    #[error("the progress cannot be written as JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
