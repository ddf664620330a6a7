//! A call and its answer as data, so that processes can hand them over.

use ff_core::backend::{FailureClass, Handle};
use ff_core::contracts::{
    CreateExecutionResult, EventCursor, EventStream, ReconcileTask, RecordedEvent,
};
use ff_core::engine_error::{ContentionKind, EngineError, StateKind};
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, LeaseId, TimestampMs, WorkerInstanceId};
use serde::{Deserialize, Serialize};

/// A line of a [`Log`](super::Log): a call that is about to be made, or the answer to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Who makes the call.
    pub client: String,
    /// The call's number among those of the client.
    pub number: u64,
    /// Which of the two it is.
    pub what: What,
}

/// What a line of a [`Log`](super::Log) tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// The call is made after this line.
    Called(Call),
    /// The answer came before this line.
    Answered(Answer),
}

/// A call. Of a batch, each item that has an answer of its own is a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// Executions to create, all or none.
    Create(Vec<Creation>),
    /// A claim of at most `max` executions.
    Claim {
        /// The process that claims.
        instance: WorkerInstanceId,
        /// How many it takes at most.
        max: u32,
    },
    /// A renewal.
    Renew(Handle),
    /// A completion.
    Complete {
        /// The lease.
        handle: Handle,
        /// What the handler returned.
        result: String,
    },
    /// A failure.
    Fail {
        /// The lease.
        handle: Handle,
        /// What went wrong.
        reason: String,
        /// What kind of failure it was.
        class: FailureClass,
    },
    /// A lease that is given back.
    Delay {
        /// The lease.
        handle: Handle,
        /// The execution can be claimed from then on.
        until: TimestampMs,
    },
    /// A cancellation.
    Cancel {
        /// The execution.
        execution_id: ExecutionId,
        /// The lease that the caller holds; `None` for an operator.
        fence: Option<Handle>,
    },
    /// A revocation.
    Revoke {
        /// The execution.
        execution_id: ExecutionId,
        /// Whose lease is revoked.
        instance: WorkerInstanceId,
        /// Which lease is revoked; `None` for any.
        lease_id: Option<LeaseId>,
    },
    /// A replay.
    Replay(ExecutionId),
    /// A sweep.
    Reconcile(ReconcileTask),
    /// A page of a stream.
    Read {
        /// Who reads; it goes on where it stopped, whoever reads for it.
        subscriber: String,
        /// The stream.
        stream: EventStream,
        /// The cursor of the last event that it has.
        after: Option<EventCursor>,
        /// Events on the page at most.
        limit: u32,
    },
}

/// An execution to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Its id.
    pub execution_id: ExecutionId,
    /// Its idempotency key.
    pub key: Option<String>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// What became of each creation, in the order given.
    Created(Vec<Created>),
    /// The leases that a claim was given.
    Claimed(Vec<Handle>),
    /// The lease lasts until then.
    Renewed(TimestampMs),
    /// It is done: a completion, a lease given back, a cancellation, a replay.
    Done,
    /// Another attempt follows then.
    RetryAt(TimestampMs),
    /// The failure was the last.
    Ended,
    /// This lease has ended.
    Revoked(LeaseId),
    /// There was no such lease, and why.
    NotRevoked(String),
    /// How many rows a sweep acted on.
    Swept(u32),
    /// The events of a page.
    Page(Vec<SeenEvent>),
    /// The call was refused, and changed nothing.
    Refused(Refusal),
    /// Nobody knows whether the call was done: the store or the way to it failed.
    Unknown(String),
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Created {
    /// It is stored.
    New,
    /// This one was there before.
    DuplicateOf(ExecutionId),
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such execution.
    NotFound,
    /// The lease is another's or was ended.
    LeaseConflict,
    /// The lease's time is up.
    LeaseExpired,
    /// The attempt has ended otherwise.
    AlreadyTerminal,
    /// The lease that the caller names is not the present one.
    StaleLease,
    /// The execution has finished as this.
    NotActive(PublicState),
    /// The execution has not finished.
    NotTerminal,
    /// The execution was replayed often enough.
    MaxReplays,
    /// Others kept the store busy.
    Busy,
    /// What none of the recorded calls may answer.
    Other(String),
}

/// An event as a subscriber read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenEvent {
    /// Its place in the stream.
    pub cursor: EventCursor,
    /// What it happened to.
    pub execution_id: ExecutionId,
    /// What happened.
    pub name: String,
    /// When it happened.
    pub occurred_at: TimestampMs,
}

impl Call {
    /// The words for what is called.
    pub const NAMES: [&'static str; 11] = [
        "create",
        "claim",
        "renew",
        "complete",
        "fail",
        "delay",
        "cancel",
        "revoke",
        "replay",
        "reconcile",
        "read",
    ];

    /// The word for what is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Claim { .. } => "claim",
            Self::Renew(_) => "renew",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Delay { .. } => "delay",
            Self::Cancel { .. } => "cancel",
            Self::Revoke { .. } => "revoke",
            Self::Replay(_) => "replay",
            Self::Reconcile(_) => "reconcile",
            Self::Read { .. } => "read",
        }
    }

    /// The handle that it is made by.
    pub fn handle(&self) -> Option<&Handle> {
        match self {
            Self::Renew(handle)
            | Self::Complete { handle, .. }
            | Self::Fail { handle, .. }
            | Self::Delay { handle, .. } => Some(handle),
            _ => None,
        }
    }
}

impl Answer {
    /// What an error says of the call: that it was not done, or that nobody knows.
    pub fn of_error(error: &EngineError) -> Self {
        match error {
            EngineError::Transport { .. }
            | EngineError::Timeout { .. }
            | EngineError::Contention(ContentionKind::PoolExhausted) => {
                Self::Unknown(error.to_string())
            }
            EngineError::BatchItem { source, .. } => Self::of_error(source),
            error => Self::Refused(Refusal::of_error(error)),
        }
    }

    /// What became of each creation.
    pub fn of_creations(results: Vec<CreateExecutionResult>) -> Self {
        let created = results.into_iter().map(|result| match result {
            CreateExecutionResult::Created { .. } => Created::New,
            CreateExecutionResult::Duplicate { execution_id } => Created::DuplicateOf(execution_id),
        });
        Self::Created(created.collect())
    }

    /// The word for what was answered.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Claimed(handles) if handles.is_empty() => "nothing",
            Self::Claimed(_) => "claimed",
            Self::Renewed(_) => "renewed",
            Self::Done => "done",
            Self::RetryAt(_) => "retry",
            Self::Ended => "ended",
            Self::Revoked(_) => "revoked",
            Self::NotRevoked(_) => "not revoked",
            Self::Swept(_) => "swept",
            Self::Page(_) => "page",
            Self::Refused(refusal) => refusal.name(),
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether the call was done, as far as its caller was told.
    pub fn is_success(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Unknown(_) | Self::NotRevoked(_))
    }
}

impl Refusal {
    fn of_error(error: &EngineError) -> Self {
        match error {
            EngineError::NotFound { .. } => Self::NotFound,
            EngineError::Contention(ContentionKind::LeaseConflict) => Self::LeaseConflict,
            EngineError::Contention(ContentionKind::ExecutionNotActive { outcome }) => {
                Self::NotActive(*outcome)
            }
            EngineError::Contention(ContentionKind::StoreBusy) => Self::Busy,
            EngineError::State(StateKind::LeaseExpired) => Self::LeaseExpired,
            EngineError::State(StateKind::AttemptAlreadyTerminal) => Self::AlreadyTerminal,
            EngineError::State(StateKind::StaleLease) => Self::StaleLease,
            EngineError::State(StateKind::ExecutionNotTerminal) => Self::NotTerminal,
            EngineError::State(StateKind::MaxReplaysExhausted) => Self::MaxReplays,
            error => Self::Other(error.to_string()),
        }
    }

    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::LeaseConflict => "lease conflict",
            Self::LeaseExpired => "lease expired",
            Self::AlreadyTerminal => "already terminal",
            Self::StaleLease => "stale lease",
            Self::NotActive(_) => "not active",
            Self::NotTerminal => "not terminal",
            Self::MaxReplays => "max replays",
            Self::Busy => "busy",
            Self::Other(_) => "other",
        }
    }
}

impl From<RecordedEvent> for SeenEvent {
    fn from(event: RecordedEvent) -> Self {
        let RecordedEvent { cursor, execution_id, name, occurred_at, .. } = event;
        Self { cursor, execution_id, name, occurred_at }
    }
}
