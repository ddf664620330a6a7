use std::collections::BTreeSet;

use serde::Serialize;

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

/// What bringing a store's schema up to date did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The version of the schema before; `None` where there was no store.
    pub before: Option<i64>,
    /// The version that it has now.
    pub after: i64,
}

impl Migrated {
    /// From `before` to `after`.
    pub fn new(before: Option<i64>, after: i64) -> Self {
        Self { before, after }
    }

    /// Whether there was nothing to do.
    pub fn was_up_to_date(&self) -> bool {
        self.before == Some(self.after)
    }
}

/// What a look at a store found, which changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examination {
    /// The database's own name and version, such as `PostgreSQL 15.18`.
    pub server: String,
    /// The version of the store's schema; `None` where there is no store.
    pub schema_version: Option<i64>,
    /// What an operator should know, the problems first.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Puts the problems before the notes.
    pub fn new(
        server: impl Into<String>,
        schema_version: Option<i64>,
        mut findings: Vec<Finding>,
    ) -> Self {
        findings.sort_by_key(|finding| finding.severity);
        Self { server: server.into(), schema_version, findings }
    }

    /// Whether nothing is wrong: there may be notes.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// Something that an operator should know of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What is so, and what follows from it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Something that is wrong.
    pub fn problem(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, what: what.into(), remedy: remedy.into() }
    }

    /// Something that is good to know.
    pub fn note(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Note, what: what.into(), remedy: remedy.into() }
    }
}

words! {
    /// How much a finding matters.
    #[non_exhaustive]
    Severity {
        /// Data, or the work itself, is at risk.
        Problem = "problem",
        /// It is good to know, and may be as it should be.
        Note = "note",
    }
}
