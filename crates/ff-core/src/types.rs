//! Identifiers and scalars.
//!
//! String ids carry any text: [`crate::rules::input`] says which text an operation accepts.

mod execution_id;

use std::convert::Infallible;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use execution_id::{ExecutionId, ExecutionIdParseError};

use crate::clock;
use crate::state::words;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self::new(text))
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Mints a new id: a version 7 UUID, so that ids minted later sort later.
            #[expect(clippy::new_without_default, reason = "a default id would be a shared one")]
            pub fn new() -> Self {
                Self(clock::mint_uuid())
            }

            /// Wraps a UUID.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }
    };
}

string_id!(
    /// A queue that executions wait in and workers claim from.
    LaneId
);
string_id!(
    /// A tenant: idempotency keys, workers and retention are kept apart by it.
    Namespace
);
string_id!(
    /// A worker program, the same over its restarts.
    WorkerId
);
string_id!(
    /// One running process of a worker, new at every start.
    WorkerInstanceId
);

uuid_id!(
    /// A flow: executions that are tied together.
    FlowId
);
uuid_id!(
    /// One attempt at an execution.
    AttemptId
);
uuid_id!(
    /// A dependency between two executions of a flow.
    EdgeId
);
uuid_id!(
    /// A lease, derived from its execution, attempt and epoch: see [`LeaseId::derive`].
    LeaseId
);

scalar!(
    /// Milliseconds since the Unix epoch.
    TimestampMs(i64)
);
scalar!(
    /// Counts the leases given on one attempt. A holder of an older epoch is fenced off.
    LeaseEpoch(u64)
);
scalar!(
    /// The position of an attempt in the history of its execution, from 0.
    AttemptIndex(u32)
);

impl LeaseId {
    /// The id of the lease that `epoch` names on attempt `attempt_index` of `execution_id`.
    ///
    /// The UUID's bytes 0..8 are xor-ed with the epoch (big endian) and its bytes 8..12 with the
    /// attempt index (big endian), so that every backend gives one lease the same id.
    pub fn derive(
        execution_id: &ExecutionId,
        attempt_index: AttemptIndex,
        epoch: LeaseEpoch,
    ) -> Self {
        let mut bytes = execution_id.uuid().into_bytes();
        let mask = epoch.0.to_be_bytes().into_iter().chain(attempt_index.0.to_be_bytes());
        for (byte, mask) in bytes.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        Self(Uuid::from_bytes(bytes))
    }
}

impl TimestampMs {
    /// Wraps milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The system clock's time.
    pub fn now() -> Self {
        clock::system_now()
    }

    /// This time `millis` later; the end of time when that is beyond it.
    pub fn saturating_add_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add_unsigned(millis))
    }
}

impl LeaseEpoch {
    /// Wraps a count.
    pub const fn new(epoch: u64) -> Self {
        Self(epoch)
    }
}

impl AttemptIndex {
    /// Wraps a position.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The attempt after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

words! {
    /// Who asks for a cancellation. Stored in `ff_exec_core.cancelled_by`.
    #[non_exhaustive]
    CancelSource {
        /// An operator: cancels whoever holds the lease.
        OperatorOverride = "operator_override",
        /// The worker that holds the lease: must name its epoch.
        LeaseHolder = "lease_holder",
        /// The flow that it is a member of was cancelled.
        Flow = "flow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_id_is_the_execution_id_masked_by_epoch_and_attempt() {
        let execution_id =
            ExecutionId::parse("{fp:0}:00000000-0000-0000-0000-000000000000").unwrap();
        let lease_id = LeaseId::derive(&execution_id, AttemptIndex::new(2), LeaseEpoch::new(1));
        assert_eq!(lease_id.to_string(), "00000000-0000-0001-0000-000200000000");
    }

    #[test]
    fn ids_round_trip_through_text_and_json() {
        let flow = FlowId::new();
        assert_eq!(flow.to_string().parse::<FlowId>().unwrap(), flow);
        let lane = LaneId::new("default");
        assert_eq!(serde_json::to_string(&lane).unwrap(), "\"default\"");
        let epoch: LeaseEpoch = serde_json::from_str("7").unwrap();
        assert_eq!(epoch, LeaseEpoch::new(7));
    }

    #[test]
    fn time_saturates_at_its_end() {
        let late = TimestampMs::from_millis(i64::MAX - 1);
        assert_eq!(late.saturating_add_millis(u64::MAX).0, i64::MAX);
    }
}
