//! What one call of a maintenance task has done so far, and what it has passed by.

use ff_core::contracts::{RECONCILE_MAX_LIMIT, ScanReport};
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;
use uuid::Uuid;

/// Executions that one call passes by at most, because they are corrupt.
const PASSED_BY_MAX: usize = RECONCILE_MAX_LIMIT as usize;

/// One call of a maintenance task.
#[derive(Debug)]
pub struct Scan {
    limit: u32,
    report: ScanReport,
    passed_by: Vec<Uuid>,
}

impl Scan {
    /// A call that may act on this many executions.
    pub fn new(limit: u32) -> Self {
        Self { limit, report: ScanReport::default(), passed_by: Vec::new() }
    }

    /// Rows to look at next; none when enough was done. As many again as were passed by: the looks stay
    /// few however many those are, and what is corrupt does not hold up the rest.
    pub fn next_look(&self) -> usize {
        let rest = self.limit.saturating_sub(self.report.processed) as usize;
        let is_over = rest == 0 || self.passed_by.len() > PASSED_BY_MAX;
        if is_over { 0 } else { rest.max(self.passed_by.len()) }
    }

    /// Whether the call has acted on as many executions as it may.
    pub fn is_full(&self) -> bool {
        self.report.processed >= self.limit
    }

    /// What the next look shall not find again.
    pub fn passed_by(&self) -> &[Uuid] {
        &self.passed_by
    }

    /// Notes an execution that was acted on.
    pub fn note_processed(&mut self) {
        self.report.processed = self.report.processed.saturating_add(1);
    }

    /// Notes an execution that the rules cannot read.
    pub fn note_corrupt(&mut self, id: &ExecutionId, error: &EngineError) {
        tracing::error!(%error, "a sweep passes a corrupt execution by");
        self.report.errors = self.report.errors.saturating_add(1);
        self.passed_by.push(id.uuid());
    }

    /// Notes an execution that the rule leaves as it is.
    pub fn note_not_due(&mut self, id: &ExecutionId) {
        self.passed_by.push(id.uuid());
    }

    /// What the call did.
    pub fn into_report(self) -> ScanReport {
        self.report
    }
}
