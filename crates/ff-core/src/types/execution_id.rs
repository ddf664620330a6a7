use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FlowId, LaneId};
use crate::clock;
use crate::partition::{PartitionConfig, flow_partition, lane_partition};

/// The id of an execution: its partition and a UUID, in the text `{fp:17}:0190b6a2-...`.
///
/// One execution has one text: a partition without leading zeros, a lower-case hyphenated UUID. Ids
/// order as their texts do.
///
/// ```
/// use ff_core::types::ExecutionId;
///
/// let id = ExecutionId::parse("{fp:17}:550e8400-e29b-41d4-a716-446655440000")?;
/// assert_eq!(id.partition(), 17);
/// # Ok::<(), ff_core::types::ExecutionIdParseError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExecutionId {
    partition: u16,
    uuid: Uuid,
    text: String,
}

/// Why a text is not an [`ExecutionId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionIdParseError {
    /// The text does not begin with `{fp:` and a closing `}:`.
    #[error("an execution id reads {{fp:PARTITION}}:UUID, but the {{fp:PARTITION}}: is missing")]
    MissingPartition,
    /// The partition is not a decimal number from 0 to 65535 without leading zeros.
    #[error("the partition of an execution id is a number from 0 to 65535 without leading zeros")]
    BadPartition,
    /// The rest is not a lower-case hyphenated UUID.
    #[error("an execution id ends in a lower-case hyphenated UUID")]
    BadUuid,
}

impl ExecutionId {
    /// Joins a partition and a UUID.
    pub fn from_parts(partition: u16, uuid: Uuid) -> Self {
        let text = format!("{{fp:{partition}}}:{uuid}");
        Self { partition, uuid, text }
    }

    /// Mints an id that belongs to no flow, in the partition of its lane.
    pub fn solo(lane_id: &LaneId, config: &PartitionConfig) -> Self {
        Self::from_parts(lane_partition(lane_id, config).index, clock::mint_uuid())
    }

    /// Mints an id in the partition of its flow, so that members lie together.
    pub fn for_flow(flow_id: &FlowId, config: &PartitionConfig) -> Self {
        Self::from_parts(flow_partition(flow_id, config).index, clock::mint_uuid())
    }

    /// Reads the text that `Display` prints.
    ///
    /// # Errors
    /// [`ExecutionIdParseError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ExecutionIdParseError> {
        let (partition, uuid) = text
            .strip_prefix("{fp:")
            .and_then(|rest| rest.split_once("}:"))
            .ok_or(ExecutionIdParseError::MissingPartition)?;
        let parsed_partition: u16 =
            partition.parse().map_err(|_| ExecutionIdParseError::BadPartition)?;
        if parsed_partition.to_string() != partition {
            return Err(ExecutionIdParseError::BadPartition);
        }
        let parsed_uuid = Uuid::try_parse(uuid).map_err(|_| ExecutionIdParseError::BadUuid)?;
        let id = Self::from_parts(parsed_partition, parsed_uuid);
        if id.text != text {
            return Err(ExecutionIdParseError::BadUuid);
        }
        Ok(id)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition that the execution is stored in.
    pub fn partition(&self) -> u16 {
        self.partition
    }

    /// The UUID without the partition.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }
}

impl PartialEq for ExecutionId {
    fn eq(&self, other: &Self) -> bool {
        self.partition == other.partition && self.uuid == other.uuid
    }
}

impl Eq for ExecutionId {}

impl Hash for ExecutionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.partition.hash(state);
        self.uuid.hash(state);
    }
}

impl PartialOrd for ExecutionId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ExecutionId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ExecutionId {
    type Err = ExecutionIdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ExecutionId {
    type Error = ExecutionIdParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ExecutionId> for String {
    fn from(id: ExecutionId) -> Self {
        id.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "550e8400-e29b-41d4-a716-446655440000";

    #[test]
    fn only_the_canonical_text_is_read() {
        use ExecutionIdParseError::{BadPartition, BadUuid, MissingPartition};
        let upper = UUID.to_uppercase();
        let simple = UUID.replace('-', "");
        let cases = [
            (String::new(), MissingPartition),
            (UUID.to_owned(), MissingPartition),
            (format!("{{fp:1}}{UUID}"), MissingPartition),
            (format!("{{fp:}}:{UUID}"), BadPartition),
            (format!("{{fp:-1}}:{UUID}"), BadPartition),
            (format!("{{fp:+1}}:{UUID}"), BadPartition),
            (format!("{{fp:01}}:{UUID}"), BadPartition),
            (format!("{{fp:65536}}:{UUID}"), BadPartition),
            ("{fp:1}:".to_owned(), BadUuid),
            (format!("{{fp:1}}:{upper}"), BadUuid),
            (format!("{{fp:1}}:{simple}"), BadUuid),
            (format!("{{fp:1}}:{UUID} "), BadUuid),
        ];
        for (text, expected) in cases {
            assert_eq!(ExecutionId::parse(&text), Err(expected), "{text}");
        }
    }

    #[test]
    fn json_is_the_text() {
        let id = ExecutionId::parse(&format!("{{fp:3}}:{UUID}")).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{{fp:3}}:{UUID}\""));
        assert_eq!(serde_json::from_str::<ExecutionId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<ExecutionId>("\"{fp:3}:x\"").is_err());
    }

    proptest! {
        #[test]
        fn parse_reads_what_display_prints(partition: u16, uuid: u128) {
            let id = ExecutionId::from_parts(partition, Uuid::from_u128(uuid));
            prop_assert_eq!(ExecutionId::parse(&id.to_string()).unwrap(), id);
        }

        #[test]
        fn parse_accepts_nothing_that_display_would_not_print(text in "\\PC{0,60}|\\{fp:[0-9]{1,6}\\}:[0-9a-fA-F-]{30,38}") {
            if let Ok(id) = ExecutionId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
