//! What a run has met: a run that met too little proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ff_core::contracts::Area;

use super::observe::Observed;
use super::step::Step;

/// Every error kind that a script can meet, and the area without which it cannot.
const ERRORS: &[(&str, Area)] = &[
    ("NotFound(execution)", Area::Execution),
    ("NotFound(flow)", Area::Flow),
    ("Validation(InvalidInput)", Area::Execution),
    ("Validation(PayloadTooLarge)", Area::Execution),
    ("Validation(HandleFromOtherBackend)", Area::Execution),
    ("Validation(Corruption)", Area::Execution),
    ("BatchItem", Area::Execution),
    ("Contention(LeaseConflict)", Area::Execution),
    ("Contention(ExecutionNotEligible)", Area::Operator),
    ("Contention(ExecutionNotActive)", Area::Operator),
    ("Conflict(ExecutionAlreadyInFlow)", Area::Flow),
    ("State(StaleLease)", Area::Operator),
    ("State(LeaseExpired)", Area::Execution),
    ("State(AttemptAlreadyTerminal)", Area::Execution),
    ("State(ExecutionNotTerminal)", Area::Operator),
    ("State(MaxReplaysExhausted)", Area::Operator),
    ("State(FlowAlreadyTerminal)", Area::Flow),
    ("Timeout", Area::Flow),
    ("Transport", Area::Admin),
];

/// How often each operation has succeeded, and how often each kind of error has appeared.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    calls: u64,
    succeeded: BTreeMap<&'static str, u64>,
    errors: BTreeMap<String, u64>,
}

impl Coverage {
    pub(super) fn note(&mut self, step: &Step, observed: &Observed) {
        if let Some(operation) = step.operation() {
            self.calls += 1;
            *self.succeeded.entry(operation).or_default() += u64::from(observed.succeeded);
        }
        for kind in &observed.errors {
            *self.errors.entry(kind.clone()).or_default() += 1;
        }
    }

    /// Operations called.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The operations of these areas that have not succeeded, and the kinds of errors that have not appeared,
    /// though they can where there is, or is not, a probe.
    pub(super) fn missing(&self, areas: &[Area], has_probe: bool) -> Vec<String> {
        let operations: BTreeSet<_> = OPERATIONS
            .iter()
            .filter(|(name, area)| areas.contains(area) && !self.has_succeeded(name))
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let errors = ERRORS.iter().filter(|(kind, area)| {
            let possible = areas.contains(area) && (has_probe || !kind.contains("Corruption"));
            possible && !self.errors.contains_key(*kind)
        });
        operations.into_iter().chain(errors.map(|(kind, _)| (*kind).to_owned())).collect()
    }

    fn has_succeeded(&self, operation: &str) -> bool {
        self.succeeded.get(operation).is_some_and(|count| *count > 0)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9}  calls", self.calls)?;
        for (operation, count) in &self.succeeded {
            writeln!(f, "{count:>9}  {operation}")?;
        }
        for (kind, count) in &self.errors {
            writeln!(f, "{count:>9}  {kind}")?;
        }
        Ok(())
    }
}

/// Every operation of the trait, and the area that a backend claims with it.
pub(super) const OPERATIONS: &[(&str, Area)] = &[
    ("create_execution", Area::Execution),
    ("create_executions", Area::Execution),
    ("complete", Area::Execution),
    ("complete_batch", Area::Execution),
    ("fail", Area::Execution),
    ("fail_batch", Area::Execution),
    ("describe_execution", Area::Execution),
    ("list_attempts", Area::Execution),
    ("get_execution_result", Area::Execution),
    ("read_outcomes", Area::Execution),
    ("read_execution_context", Area::Execution),
    ("list_executions", Area::Execution),
    ("count_executions", Area::Execution),
    ("claim", Area::Claim),
    ("claim_batch", Area::Claim),
    ("renew", Area::Lease),
    ("renew_batch", Area::Lease),
    ("progress", Area::Lease),
    ("delay", Area::Lease),
    ("check_leases", Area::Operator),
    ("revoke_lease", Area::Operator),
    ("cancel_execution", Area::Operator),
    ("change_priority", Area::Operator),
    ("replay_execution", Area::Operator),
    ("create_flow", Area::Flow),
    ("add_execution_to_flow", Area::Flow),
    ("describe_flow", Area::Flow),
    ("list_flows", Area::Flow),
    ("list_flow_members", Area::Flow),
    ("cancel_flow", Area::Flow),
    ("cancel_flow_header", Area::Flow),
    ("ack_cancel_member", Area::Flow),
    ("reconcile", Area::Timer),
    ("list_execution_events", Area::Event),
    ("read_events", Area::Event),
    ("register_worker", Area::Worker),
    ("heartbeat_worker", Area::Worker),
    ("mark_worker_dead", Area::Worker),
    ("list_workers", Area::Worker),
    ("list_expired_leases", Area::Worker),
    ("list_lanes", Area::Admin),
    ("pause_lane", Area::Admin),
    ("resume_lane", Area::Admin),
    ("set_retention", Area::Admin),
    ("ping", Area::Admin),
    ("now", Area::Admin),
    ("prepare", Area::Admin),
    ("shutdown", Area::Admin),
];
