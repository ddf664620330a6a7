//! The registry of worker processes, and the leases that they have let run out.

use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, HeartbeatWorkerArgs, HeartbeatWorkerOutcome,
    ListExpiredLeasesArgs, ListExpiredLeasesResult, ListWorkersArgs, ListWorkersResult,
    MarkWorkerDeadArgs, MarkWorkerDeadOutcome, RegisterWorkerArgs, RegisterWorkerOutcome,
    ScanReport, WorkerInfo,
};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::input;
use ff_core::rules::worker::{
    self as rule, StoredWorker, WorkerChange, WorkerDecision, WorkerEvent,
};
use ff_core::state::{LifecyclePhase, WorkerEventType};
use ff_core::types::{ExecutionId, LeaseId, Namespace, TimestampMs, WorkerInstanceId};

use super::ReferenceBackend;
use super::store::State;

/// By instance id and then by namespace, as workers are listed.
pub(super) type WorkerKey = (WorkerInstanceId, Namespace);

impl ReferenceBackend {
    pub(super) fn register(
        &self,
        args: &RegisterWorkerArgs,
    ) -> Result<RegisterWorkerOutcome, EngineError> {
        input::check_register(args)?;
        let key = (args.worker_instance_id.clone(), args.namespace.clone());
        let mut state = self.lock()?;
        let decision = rule::register(state.worker(&key).as_ref(), args)?;
        Ok(state.apply_to_worker(key, decision))
    }

    pub(super) fn heartbeat(
        &self,
        args: &HeartbeatWorkerArgs,
    ) -> Result<HeartbeatWorkerOutcome, EngineError> {
        input::check_heartbeat(args)?;
        let key = (args.worker_instance_id.clone(), args.namespace.clone());
        let mut state = self.lock()?;
        let decision = rule::heartbeat(state.worker(&key).as_ref(), args);
        Ok(state.apply_to_worker(key, decision))
    }

    pub(super) fn mark_dead(
        &self,
        args: &MarkWorkerDeadArgs,
    ) -> Result<MarkWorkerDeadOutcome, EngineError> {
        input::check_mark_dead(args)?;
        let key = (args.worker_instance_id.clone(), args.namespace.clone());
        let mut state = self.lock()?;
        let decision = rule::mark_dead(state.worker(&key).as_ref(), args);
        Ok(state.apply_to_worker(key, decision))
    }

    pub(super) fn workers(&self, args: &ListWorkersArgs) -> Result<ListWorkersResult, EngineError> {
        let limit = input::check_list_workers(args)? as usize;
        let state = self.lock()?;
        let mut entries: Vec<WorkerInfo> = Vec::new();
        for info in state.workers.values().filter(|info| is_listed(args, info)) {
            let is_full = entries.len() >= limit;
            let last = entries.last().map(|last| &last.worker_instance_id);
            if is_full && last != Some(&info.worker_instance_id) {
                break;
            }
            entries.push(info.clone());
        }
        let last = entries.last().filter(|_| entries.len() >= limit);
        let cursor = last.map(|last| last.worker_instance_id.clone());
        Ok(ListWorkersResult::new(entries, cursor))
    }

    pub(super) fn expired_leases(
        &self,
        args: &ListExpiredLeasesArgs,
    ) -> Result<ListExpiredLeasesResult, EngineError> {
        let limit = input::check_list_expired_leases(args)? as usize;
        let mut entries = Vec::new();
        for record in self.lock()?.records.values() {
            let execution = record.execution()?;
            let is_of = |namespace: &Namespace| execution.namespace == *namespace;
            if args.namespace.as_ref().is_none_or(is_of) {
                entries.extend(expired_lease(&execution, args.as_of));
            }
        }
        entries.sort_by_key(position);
        if let Some(after) = &args.after {
            let last = (after.expires_at_ms, after.execution_id.to_string());
            entries.retain(|entry| position(entry) > last);
        }
        entries.truncate(limit);
        let last = entries.last().filter(|_| entries.len() == limit);
        let cursor = last
            .map(|last| ExpiredLeasesCursor::new(last.expires_at_ms, last.execution_id.clone()));
        Ok(ListExpiredLeasesResult::new(entries, cursor))
    }
}

impl State {
    fn worker(&self, key: &WorkerKey) -> Option<StoredWorker> {
        let info = self.workers.get(key)?.clone();
        let heartbeats = self
            .worker_events
            .iter()
            .filter(|(of, event)| of == key && event.event_type == WorkerEventType::Heartbeat);
        let heartbeat_recorded_at = heartbeats.map(|(_, event)| event.occurred_at).next_back();
        Some(StoredWorker { info, heartbeat_recorded_at })
    }

    fn apply_to_worker<T>(&mut self, key: WorkerKey, decision: WorkerDecision<T>) -> T {
        match decision.change {
            WorkerChange::Keep => {}
            WorkerChange::Put(info) => drop(self.workers.insert(key.clone(), info)),
            WorkerChange::Remove => drop(self.workers.remove(&key)),
        }
        self.worker_events.extend(decision.event.map(|event| (key, event)));
        decision.outcome
    }

    /// Takes workers off the registry that give no sign of life (TIME-5).
    pub(super) fn sweep_workers(&mut self, limit: u32, now: TimestampMs) -> ScanReport {
        let late = |(key, info): (&WorkerKey, &WorkerInfo)| {
            rule::sweep(info, now).map(|event| (key.clone(), event))
        };
        let swept: Vec<(WorkerKey, WorkerEvent)> =
            self.workers.iter().filter_map(late).take(limit as usize).collect();
        for (key, _) in &swept {
            self.workers.remove(key);
        }
        let processed = u32::try_from(swept.len()).unwrap_or(u32::MAX);
        self.worker_events.extend(swept);
        ScanReport { processed, errors: 0 }
    }

    /// Acknowledges cancelled members whose worker is gone (TIME-6).
    pub(super) fn drain_backlog(&mut self, limit: u32, now: TimestampMs) -> ScanReport {
        let members = self.backlog.iter().flat_map(|(flow, members)| {
            members.iter().map(move |(member, held_until)| (*flow, member.clone(), *held_until))
        });
        let gone = members.filter(|(_, member, held_until)| {
            *held_until <= now || !self.has_live_worker(member, now)
        });
        let gone: Vec<_> = gone.take(limit as usize).collect();
        for (flow, member, _) in &gone {
            self.take_off_backlog(flow, member);
        }
        ScanReport { processed: u32::try_from(gone.len()).unwrap_or(u32::MAX), errors: 0 }
    }

    fn has_live_worker(&self, member: &ExecutionId, now: TimestampMs) -> bool {
        let execution = self.find(member).and_then(|record| record.execution().ok());
        // What was replayed is in other hands.
        let cancelled = execution.filter(|it| it.lifecycle_phase == LifecyclePhase::Cancelled);
        let attempt = cancelled.and_then(|execution| execution.current_attempt);
        let Some(instance) = attempt.and_then(|attempt| attempt.worker_instance_id) else {
            return false;
        };
        self.workers
            .values()
            .any(|info| info.worker_instance_id == instance && rule::is_alive(info, now))
    }
}

fn is_listed(args: &ListWorkersArgs, info: &WorkerInfo) -> bool {
    args.namespace.as_ref().is_none_or(|namespace| info.namespace == *namespace)
        && args.after.as_ref().is_none_or(|after| info.worker_instance_id > *after)
}

fn position(entry: &ExpiredLeaseInfo) -> (TimestampMs, String) {
    (entry.expires_at_ms, entry.execution_id.to_string())
}

fn expired_lease(execution: &Execution, as_of: TimestampMs) -> Option<ExpiredLeaseInfo> {
    let attempt = execution.current_attempt.as_ref()?;
    let is_running =
        execution.lifecycle_phase == LifecyclePhase::Active && attempt.outcome.is_none();
    let expires_at = attempt.lease_expires_at.filter(|at| is_running && *at <= as_of)?;
    let lease_id =
        LeaseId::derive(&execution.execution_id, attempt.attempt_index, attempt.lease_epoch);
    Some(ExpiredLeaseInfo::new(
        execution.execution_id.clone(),
        lease_id,
        attempt.lease_epoch,
        attempt.worker_instance_id.clone()?,
        expires_at,
        attempt.attempt_index,
    ))
}
