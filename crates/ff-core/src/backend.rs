//! What passes between a backend and a worker: the handle, and what a claim and a failure say.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine_error::{EngineError, ValidationKind};
use crate::rules::input::check_name;
use crate::state::words;
use crate::types::{
    AttemptIndex, ExecutionId, LeaseEpoch, LeaseId, TimestampMs, WorkerId, WorkerInstanceId,
};

/// The capabilities that a worker offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapabilitySet {
    names: BTreeSet<String>,
}

impl CapabilitySet {
    /// Builds a set from names.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect() }
    }

    /// Whether the set holds the name.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// Who claims, for how long, and how long it waits for work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimPolicy {
    /// The worker.
    pub worker_id: WorkerId,
    /// Its process.
    pub worker_instance_id: WorkerInstanceId,
    /// Milliseconds that the lease lasts unless it is renewed; at least 1.
    pub lease_ttl_ms: u32,
    /// How long to wait for work to appear; `None` answers at once.
    pub max_wait: Option<Duration>,
}

impl ClaimPolicy {
    /// Names the claimer, the lease's time in milliseconds, and how long to wait for work.
    pub fn new(
        worker_id: WorkerId,
        worker_instance_id: WorkerInstanceId,
        lease_ttl_ms: u32,
        max_wait: Option<Duration>,
    ) -> Self {
        Self { worker_id, worker_instance_id, lease_ttl_ms, max_wait }
    }
}

words! {
    /// Which members a flow's cancellation takes with it.
    CancelFlowPolicy {
        /// Every unfinished member.
        CancelAll = "cancel_all",
        /// The members that no worker holds.
        CancelPending = "cancel_pending",
        /// None: only the flow.
        FlowOnly = "flow_only",
    }
}

/// How long a flow's cancellation waits for the workers of its members to let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelFlowWait {
    /// Not at all.
    NoWait,
    /// At most this long.
    WaitTimeout(Duration),
    /// Until they have.
    WaitIndefinite,
}

words! {
    /// How the claim of a handle came about.
    #[non_exhaustive]
    HandleKind {
        /// The execution had no attempt before.
        Fresh = "fresh",
        /// An earlier attempt failed, was cut off, was given back or is replayed.
        Reattempt = "reattempt",
        /// The execution goes on after a suspension.
        Resumed = "resumed",
    }
}

/// A worker's proof of its lease.
///
/// The compact text form (`Display`, `FromStr`) hands it to another process. One handle has one text, and what
/// no claim can have given is not read as one, from text or from JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedHandle")]
pub struct Handle {
    backend: Cow<'static, str>,
    execution_id: ExecutionId,
    #[serde(flatten)]
    lease: HandleLease,
}

/// What JSON says of a [`Handle`].
#[derive(Deserialize)]
struct UncheckedHandle {
    backend: String,
    execution_id: ExecutionId,
    #[serde(flatten)]
    lease: HandleLease,
}

/// The lease that a [`Handle`] proves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandleLease {
    /// The attempt that the lease is on.
    pub attempt_index: AttemptIndex,
    /// The lease's epoch on that attempt.
    pub lease_epoch: LeaseEpoch,
    /// The process that holds it.
    pub worker_instance_id: WorkerInstanceId,
    /// Milliseconds that a renewal adds from its own time.
    pub lease_ttl_ms: u32,
    /// How the claim came about.
    pub kind: HandleKind,
}

impl Handle {
    /// Makes the proof of a lease that a backend has just stored. For backends, whose label has no slash.
    pub fn mint(backend: &'static str, execution_id: ExecutionId, lease: HandleLease) -> Self {
        Self { backend: Cow::Borrowed(backend), execution_id, lease }
    }

    /// The execution.
    pub fn execution_id(&self) -> &ExecutionId {
        &self.execution_id
    }

    /// The attempt that the lease is on.
    pub fn attempt_index(&self) -> AttemptIndex {
        self.lease.attempt_index
    }

    /// The lease's epoch on that attempt.
    pub fn lease_epoch(&self) -> LeaseEpoch {
        self.lease.lease_epoch
    }

    /// The process that holds the lease.
    pub fn worker_instance_id(&self) -> &WorkerInstanceId {
        &self.lease.worker_instance_id
    }

    /// Milliseconds that a renewal adds from its own time.
    pub fn lease_ttl_ms(&self) -> u32 {
        self.lease.lease_ttl_ms
    }

    /// How the claim came about.
    pub fn kind(&self) -> HandleKind {
        self.lease.kind
    }

    /// The lease's id, the same on every backend.
    pub fn lease_id(&self) -> LeaseId {
        LeaseId::derive(&self.execution_id, self.lease.attempt_index, self.lease.lease_epoch)
    }

    /// Refuses a handle that a backend of another label gave.
    ///
    /// # Errors
    /// `Validation { HandleFromOtherBackend }`.
    pub fn check_backend(&self, label: &'static str) -> Result<(), EngineError> {
        if self.backend == label {
            return Ok(());
        }
        Err(EngineError::Validation {
            kind: ValidationKind::HandleFromOtherBackend,
            detail: format!("it is from {:?} and this is {label:?}", self.backend),
        })
    }
}

/// A text that is not a [`Handle`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a handle: its {part} cannot be read")]
pub struct HandleParseError {
    part: &'static str,
}

const HANDLE_PREFIX: &str = "ffh1";

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lease = &self.lease;
        write!(
            f,
            "{HANDLE_PREFIX}/{}/{}/{}/{}/{}/{}/{}",
            self.backend,
            self.execution_id,
            lease.attempt_index,
            lease.lease_epoch,
            lease.lease_ttl_ms,
            lease.kind,
            lease.worker_instance_id,
        )
    }
}

impl FromStr for Handle {
    type Err = HandleParseError;

    fn from_str(text: &str) -> Result<Self, HandleParseError> {
        let mut parts = text.splitn(8, '/');
        let mut next = |part: &'static str| parts.next().ok_or(HandleParseError { part });
        if next("prefix")? != HANDLE_PREFIX {
            return Err(HandleParseError { part: "prefix" });
        }
        let unchecked = UncheckedHandle {
            backend: next("backend")?.to_owned(),
            execution_id: parse_part(next("execution id")?, "execution id")?,
            lease: HandleLease {
                attempt_index: parse_part(next("attempt index")?, "attempt index")?,
                lease_epoch: parse_part(next("lease epoch")?, "lease epoch")?,
                lease_ttl_ms: parse_part(next("lease time")?, "lease time")?,
                kind: parse_part(next("kind")?, "kind")?,
                worker_instance_id: WorkerInstanceId::new(next("worker instance")?),
            },
        };
        unchecked.try_into()
    }
}

impl TryFrom<UncheckedHandle> for Handle {
    type Error = HandleParseError;

    /// Nothing that a store cannot be asked for gets into a handle: it would hold up its whole batch.
    fn try_from(handle: UncheckedHandle) -> Result<Self, HandleParseError> {
        let UncheckedHandle { backend, execution_id, lease } = handle;
        if backend.is_empty() || backend.contains('/') {
            return Err(HandleParseError { part: "backend" });
        }
        if lease.lease_ttl_ms == 0 {
            return Err(HandleParseError { part: "lease time" });
        }
        check_name("worker_instance_id", lease.worker_instance_id.as_str())
            .map_err(|_| HandleParseError { part: "worker instance" })?;
        Ok(Self { backend: Cow::Owned(backend), execution_id, lease })
    }
}

/// Reads what `Display` prints, and no other spelling of it.
fn parse_part<T: FromStr + fmt::Display>(
    text: &str,
    part: &'static str,
) -> Result<T, HandleParseError> {
    let value = text.parse().ok().filter(|value: &T| value.to_string() == text);
    value.ok_or(HandleParseError { part })
}

/// Why a handler failed, for whoever reads the attempt later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReason {
    /// A sentence.
    pub message: String,
    /// Anything more, such as a serialized error.
    pub detail: Option<Vec<u8>>,
}

impl FailureReason {
    /// A reason without detail.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None }
    }
}

words! {
    /// What kind of failure it was, and so whether it is tried again.
    FailureClass {
        /// It may go away: tried again.
        Transient = "transient",
        /// It will not go away: not tried again.
        Permanent = "permanent",
        /// The worker or its machine failed: tried again.
        InfraCrash = "infra_crash",
        /// It took too long: tried again.
        Timeout = "timeout",
        /// The handler gave up because the work is not wanted any more: ends as cancelled.
        Cancelled = "cancelled",
    }
}

/// What became of a failed execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOutcome {
    /// Another attempt follows.
    RetryScheduled {
        /// The time from which it can be claimed.
        delay_until: TimestampMs,
    },
    /// It has finished.
    TerminalFailed,
}

/// A lease that was renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRenewal {
    /// When it expires now.
    pub expires_at: TimestampMs,
    /// Its epoch, the same as before.
    pub lease_epoch: LeaseEpoch,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn handle(instance: &str) -> Handle {
        Handle::mint(
            "sqlite",
            ExecutionId::parse("{fp:3}:550e8400-e29b-41d4-a716-446655440000").unwrap(),
            HandleLease {
                attempt_index: AttemptIndex::new(2),
                lease_epoch: LeaseEpoch::new(7),
                worker_instance_id: WorkerInstanceId::new(instance),
                lease_ttl_ms: 30_000,
                kind: HandleKind::Reattempt,
            },
        )
    }

    #[test]
    fn text_and_json_forms_read_back() {
        let handle = handle("host/1");
        let text = handle.to_string();
        assert_eq!(
            text,
            "ffh1/sqlite/{fp:3}:550e8400-e29b-41d4-a716-446655440000/2/7/30000/reattempt/host/1"
        );
        assert_eq!(text.parse::<Handle>().unwrap(), handle);
        let json = serde_json::to_string(&handle).unwrap();
        assert_eq!(serde_json::from_str::<Handle>(&json).unwrap(), handle);
    }

    #[test]
    fn a_broken_text_names_the_part() {
        let text = handle("i").to_string();
        let cases = [
            ("", "prefix"),
            ("ffh2/x", "prefix"),
            ("ffh1", "backend"),
            ("ffh1/sqlite/oops/2/7/30000/fresh/i", "execution id"),
        ];
        for (broken, part) in cases {
            assert_eq!(broken.parse::<Handle>().unwrap_err().part, part, "{broken}");
        }
        let spoiled = [
            ("/sqlite/", "//", "backend"),
            ("/2/", "/02/", "attempt index"),
            ("/7/", "/-7/", "lease epoch"),
            ("/7/", "/+7/", "lease epoch"),
            ("/30000/", "/0/", "lease time"),
            ("/reattempt/", "/Reattempt/", "kind"),
            ("/reattempt/i", "/reattempt/", "worker instance"),
            ("/reattempt/i", "/reattempt/a\0b", "worker instance"),
        ];
        for (is, shall_be, part) in spoiled {
            let broken = text.replace(is, shall_be);
            assert_eq!(broken.parse::<Handle>().unwrap_err().part, part, "{broken}");
        }
    }

    #[test]
    fn what_is_no_handle_in_text_is_none_in_json() {
        let json = serde_json::to_value(handle("i")).unwrap();
        let spoiled = [
            ("backend", Value::from("a/b"), "backend"),
            ("lease_ttl_ms", Value::from(0), "lease time"),
            ("worker_instance_id", Value::from("a\0b"), "worker instance"),
        ];
        for (field, value, part) in spoiled {
            let mut json = json.clone();
            json[field] = value;
            let error = serde_json::from_value::<Handle>(json).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn another_backend_refuses_it() {
        assert!(handle("i").check_backend("sqlite").is_ok());
        assert!(matches!(
            handle("i").check_backend("postgres"),
            Err(EngineError::Validation { kind: ValidationKind::HandleFromOtherBackend, .. })
        ));
    }
}
