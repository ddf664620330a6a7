use std::collections::BTreeSet;

use crate::state::{LaneState, words};
use crate::types::LaneId;

words! {
    /// The areas that the contract is divided into.
    #[non_exhaustive]
    Area {
        /// Creating, finishing and reading executions.
        Execution = "execution",
        /// Claiming.
        Claim = "claim",
        /// Renewing and giving back leases.
        Lease = "lease",
        /// What operators do to executions.
        Operator = "operator",
        /// Flows.
        Flow = "flow",
        /// Dependencies between members of a flow.
        Edge = "edge",
        /// Suspension and signals.
        Signal = "signal",
        /// What time makes due.
        Timer = "timer",
        /// Budgets and quotas.
        Limit = "limit",
        /// Streams of output.
        Stream = "stream",
        /// Events.
        Event = "event",
        /// The worker registry.
        Worker = "worker",
        /// Lanes, retention and the store itself.
        Admin = "admin",
    }
}

/// The areas that a backend supports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    areas: BTreeSet<Area>,
}

impl Capabilities {
    /// The areas given.
    pub fn new(areas: impl IntoIterator<Item = Area>) -> Self {
        Self { areas: areas.into_iter().collect() }
    }

    /// Whether the backend supports the area.
    pub fn supports(&self, area: Area) -> bool {
        self.areas.contains(&area)
    }

    /// The areas, in the order of their declaration.
    pub fn iter(&self) -> impl Iterator<Item = Area> {
        self.areas.iter().copied()
    }
}

/// A lane that has been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneInfo {
    /// The lane.
    pub lane_id: LaneId,
    /// Whether it gives out executions.
    pub state: LaneState,
}
