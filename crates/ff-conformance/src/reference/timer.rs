//! What time makes due.

use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, timer};
use ff_core::types::{ExecutionId, TimestampMs};

use super::ReferenceBackend;
use super::store::State;

impl ReferenceBackend {
    pub(super) fn sweep(&self, task: ReconcileTask, limit: u32) -> Result<ScanReport, EngineError> {
        input::check_reconcile_limit(limit)?;
        let now = self.clock_now();
        let mut state = self.lock()?;
        let report = match task {
            ReconcileTask::ExpireLeases => state.sweep(timer::expire_lease, limit, now),
            ReconcileTask::PromoteDue => state.sweep(timer::promote_due, limit, now),
            ReconcileTask::TimeOutAttempts => state.sweep(timer::time_out_attempt, limit, now),
            ReconcileTask::ExpireDeadlines => state.sweep(timer::expire_deadline, limit, now),
            ReconcileTask::TrimRetention => state.trim_retention(limit, now),
            ReconcileTask::SweepWorkers => state.sweep_workers(limit, now),
            ReconcileTask::DrainCancelBacklog => state.drain_backlog(limit, now),
            _ => return Err(EngineError::Unavailable { op: "this reconcile task" }),
        };
        drop(state);
        self.store.work.notify_waiters();
        Ok(report)
    }
}

type DueRule = fn(&Execution, TimestampMs) -> Option<Decision<()>>;

impl State {
    /// Offers every execution to a rule and applies at most `limit` of its answers.
    fn sweep(&mut self, rule: DueRule, limit: u32, now: TimestampMs) -> ScanReport {
        let mut report = ScanReport::default();
        let mut due = Vec::new();
        for record in self.records.values() {
            if due.len() == limit as usize {
                break;
            }
            match record.execution() {
                Err(_) => report.errors += 1,
                Ok(execution) => {
                    due.extend(rule(&execution, now).map(|it| (execution.execution_id, it)));
                }
            }
        }
        for (id, decision) in due {
            self.apply(&id, decision);
            report.processed += 1;
        }
        report
    }

    fn trim_retention(&mut self, limit: u32, now: TimestampMs) -> ScanReport {
        let mut report = ScanReport::default();
        let mut past: Vec<ExecutionId> = Vec::new();
        for record in self.records.values() {
            match record.execution() {
                Err(_) => report.errors += 1,
                Ok(execution) if self.is_past_retention(&execution, now) => {
                    past.push(execution.execution_id);
                }
                Ok(_) => {}
            }
        }
        for id in past.iter().take(limit as usize) {
            self.remove(id);
            report.processed += 1;
        }
        report
    }

    fn is_past_retention(&self, execution: &Execution, now: TimestampMs) -> bool {
        self.retention
            .get(&execution.namespace)
            .is_some_and(|retention| timer::is_past_retention(execution, *retention, now))
    }
}
