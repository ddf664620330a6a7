//! Which partition an id belongs to.
//!
//! The partition is CRC-16/XMODEM over the flow's 16 UUID bytes, or over the lane's UTF-8 bytes,
//! modulo the number of partitions. Stored ids keep their place: an execution's partition is read
//! from its id and never computed again.

use std::num::NonZeroU16;

use crc::{CRC_16_XMODEM, Crc};
use serde::{Deserialize, Serialize};

use crate::types::{FlowId, LaneId};

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// How many partitions a store has. The default is 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionConfig {
    /// The number of partitions that flows and lanes are spread over.
    pub num_flow_partitions: NonZeroU16,
}

impl PartitionConfig {
    /// One partition: what SQLite uses.
    pub const fn single() -> Self {
        Self { num_flow_partitions: NonZeroU16::MIN }
    }
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self { num_flow_partitions: NonZeroU16::MIN.saturating_add(255) }
    }
}

/// A place in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Partition {
    /// The partition's number, from 0.
    pub index: u16,
}

/// The partition of a flow and of its members.
///
/// ```
/// use ff_core::partition::{PartitionConfig, flow_partition};
/// use ff_core::types::FlowId;
///
/// let flow: FlowId = "550e8400-e29b-41d4-a716-446655440000".parse()?;
/// assert_eq!(flow_partition(&flow, &PartitionConfig::default()).index, 24);
/// # Ok::<(), uuid::Error>(())
/// ```
pub fn flow_partition(flow_id: &FlowId, config: &PartitionConfig) -> Partition {
    partition_of(flow_id.0.as_bytes(), config)
}

/// The partition of an execution that belongs to no flow.
pub fn lane_partition(lane_id: &LaneId, config: &PartitionConfig) -> Partition {
    partition_of(lane_id.as_str().as_bytes(), config)
}

fn partition_of(bytes: &[u8], config: &PartitionConfig) -> Partition {
    Partition { index: CRC.checksum(bytes) % config.num_flow_partitions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_ids_keep_their_place() {
        let config = PartitionConfig::default();
        for (lane, expected) in [("default", 86), ("workers-a", 193), ("gpu", 144)] {
            assert_eq!(lane_partition(&LaneId::new(lane), &config).index, expected, "{lane}");
        }
    }

    #[test]
    fn a_single_partition_holds_everything() {
        let config = PartitionConfig::single();
        assert_eq!(lane_partition(&LaneId::new("gpu"), &config).index, 0);
        assert_eq!(flow_partition(&FlowId::new(), &config).index, 0);
    }
}
