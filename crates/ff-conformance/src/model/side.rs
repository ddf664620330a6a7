//! One of the stores that a script is played on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ff_core::backend::{CancelFlowWait, FailureReason, Handle};
use ff_core::clock::{Clock, ManualClock};
use ff_core::contracts::*;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::types::{LeaseEpoch, LeaseId, TimestampMs};
use serde_json::Value;

use super::arguments::{
    capabilities, capability_names, claim_policy, creation, execution_id, flow_id, forge,
    instance_id, lane_id, namespace, text, unheard_handle, worker_id,
};
use super::observe::Observed;
use super::step::{Bytes, ClaimFlaw, Creation, ExpectedLease, Fence, LeasePick, Step, Text};
use crate::fixture::{Fixture, Store};

/// A store, the backend that is open on it, and what it has given so far.
pub(super) struct Side {
    pub(super) store: Box<dyn Store>,
    pub(super) backend: Arc<dyn EngineBackend>,
    pub(super) clock: Arc<ManualClock>,
    /// In the order in which they were given.
    handles: Vec<Handle>,
    pub(super) cursors: HashMap<EventStream, EventCursor>,
}

impl Side {
    pub(super) async fn open(fixture: &dyn Fixture, clock: &Arc<ManualClock>) -> Self {
        let store = fixture.open(Arc::clone(clock)).await;
        let (backend, clock) = (store.backend(), Arc::clone(clock));
        Self { store, backend, clock, handles: Vec::new(), cursors: HashMap::new() }
    }

    pub(super) fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    pub(super) fn pick(&self, pick: LeasePick) -> Handle {
        let label = self.backend.backend_label();
        let position = self.handles.len().checked_sub(usize::from(pick.nth_last) + 1);
        let handle = position.and_then(|position| self.handles.get(position)).cloned();
        let handle = handle.unwrap_or_else(|| unheard_handle(label));
        pick.forgery.map_or_else(|| handle.clone(), |forgery| forge(&handle, label, forgery))
    }

    fn pick_all(&self, picks: &[LeasePick]) -> Vec<Handle> {
        picks.iter().map(|pick| self.pick(*pick)).collect()
    }

    /// Does one step. Time passes for all sides at once and is not done here.
    pub(super) async fn perform(&mut self, step: &Step) -> Observed {
        let observed = match step {
            Step::Advance { .. } => Observed::default(),
            Step::Reopen => self.reopen().await,
            Step::Spoiled { execution, column, call } => {
                self.call_spoiled(*execution, *column, *call).await
            }
            step => match step.area() {
                Some(Area::Execution | Area::Claim | Area::Lease) => self.perform_core(step).await,
                Some(Area::Operator) => self.perform_operator(step).await,
                Some(Area::Flow) => self.perform_flow(step).await,
                Some(Area::Worker) => self.perform_worker(step).await,
                _ => self.perform_admin(step).await,
            },
        };
        observed.without_label(self.backend.backend_label())
    }

    /// The first backend stays open beside the others: it is the store's own, and what probes it may need it.
    async fn reopen(&mut self) -> Observed {
        let closed = std::mem::replace(&mut self.backend, self.store.reopen().await);
        if Arc::ptr_eq(&closed, &self.store.backend()) {
            return Observed::default();
        }
        let mut observed = Observed::of(&closed.shutdown().await);
        let late = Observed::of(&closed.ping().await);
        observed.text.push_str(&late.text);
        observed.errors.extend(late.errors);
        observed
    }

    async fn perform_core(&mut self, step: &Step) -> Observed {
        let backend = Arc::clone(&self.backend);
        match step {
            Step::CreateExecution(it) => {
                Observed::of(&backend.create_execution(creation(it, self.now())).await)
            }
            Step::CreateExecutions(batch) => {
                Observed::of(&backend.create_executions(self.creations(batch)).await)
            }
            Step::Complete { lease, result } => {
                Observed::of(&backend.complete(&self.pick(*lease), bytes(*result)).await)
            }
            Step::CompleteBatch(picks) => {
                let completion = |handle| Completion { handle, result: Some(vec![9]) };
                let batch = self.pick_all(picks).into_iter().map(completion).collect();
                Observed::of_each(&backend.complete_batch(batch).await)
            }
            Step::Fail { lease, class } => {
                let reason = FailureReason::new("boom");
                Observed::of(&backend.fail(&self.pick(*lease), reason, *class).await)
            }
            Step::FailBatch { leases, class } => {
                let failure =
                    |handle| Failure { handle, reason: FailureReason::new("boom"), class: *class };
                let batch = self.pick_all(leases).into_iter().map(failure).collect();
                Observed::of_each(&backend.fail_batch(batch).await)
            }
            Step::Claim { lane, worker, capable, flaw } => {
                let lane = match flaw {
                    Some(ClaimFlaw::ControlLane) => ff_core::types::LaneId::new("a\tb"),
                    _ => lane_id(*lane),
                };
                let policy = claim_policy(*worker, *flaw);
                let claimed = backend.claim(&lane, &capabilities(*capable), policy).await;
                let handles = claimed.map(|claimed| claimed.into_iter().collect());
                self.granted(handles)
            }
            Step::ClaimBatch { lanes, worker, capable, max } => {
                let claimed = backend.claim_batch(claim_batch(*lanes, *worker, *capable, *max));
                let claimed = claimed.await;
                let contexts = claimed.as_ref().map(|claimed| {
                    claimed.iter().map(|claimed| claimed.context.clone()).collect::<Vec<_>>()
                });
                let contexts = format!("{:?}", contexts.unwrap_or_default());
                let mut observed = self.granted(
                    claimed.map(|claimed| claimed.into_iter().map(|it| it.handle).collect()),
                );
                observed.text.push_str(&contexts);
                observed
            }
            Step::Renew { lease } => Observed::of(&backend.renew(&self.pick(*lease)).await),
            Step::RenewBatch(picks) => {
                Observed::of_each(&backend.renew_batch(&self.pick_all(picks)).await)
            }
            Step::Progress { lease, depth } => {
                let progress =
                    (0..*depth).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
                Observed::of(&backend.progress(&self.pick(*lease), progress).await)
            }
            Step::Delay { lease, millis } => {
                let until = TimestampMs::from_millis(self.now().0 + i64::from(*millis));
                Observed::of(&backend.delay(&self.pick(*lease), until).await)
            }
            step => self.read_execution(step).await,
        }
    }

    fn creations(&self, batch: &[Creation]) -> Vec<CreateExecutionArgs> {
        batch.iter().map(|it| creation(it, self.now())).collect()
    }

    /// Keeps what was claimed, and shows all of it but the name of the backend.
    fn granted(&mut self, claimed: Result<Vec<Handle>, EngineError>) -> Observed {
        let observed = Observed::of(&claimed);
        let handles = claimed.unwrap_or_default();
        let succeeded = !handles.is_empty();
        self.handles.extend(handles);
        Observed { succeeded, ..observed }
    }

    async fn perform_operator(&self, step: &Step) -> Observed {
        let (backend, now) = (&self.backend, self.now());
        match step {
            Step::CheckLeases(picks) => {
                Observed::of_each(&backend.check_leases(&self.pick_all(picks)).await)
            }
            Step::RevokeLease { execution, worker, expected, reason } => {
                let args = RevokeLeaseArgs {
                    execution_id: execution_id(*execution),
                    expected_lease_id: self.expected_lease(*expected),
                    worker_instance_id: instance_id(*worker),
                    reason: text(*reason, "rebalanced", input::OPERATOR_REASON_MAX_BYTES),
                };
                Observed::of(&backend.revoke_lease(args).await)
            }
            Step::CancelExecution { execution, source, fence, reason } => {
                let (lease_epoch, lease_id) = self.fence(*fence);
                let args = CancelExecutionArgs {
                    execution_id: execution_id(*execution),
                    reason: text(*reason, "no longer needed", input::OPERATOR_REASON_MAX_BYTES),
                    source: *source,
                    lease_id,
                    lease_epoch,
                    attempt_id: None,
                    now,
                };
                Observed::of(&backend.cancel_execution(args).await)
            }
            Step::ChangePriority { execution, priority } => {
                let (execution_id, new_priority) = (execution_id(*execution), i32::from(*priority));
                let args =
                    ChangePriorityArgs { execution_id, new_priority, lane_id: lane_id(0), now };
                Observed::of(&backend.change_priority(args).await)
            }
            Step::ReplayExecution { execution } => {
                let args = ReplayExecutionArgs { execution_id: execution_id(*execution), now };
                Observed::of(&backend.replay_execution(args).await)
            }
            _ => Observed::default(),
        }
    }

    fn expected_lease(&self, expected: ExpectedLease) -> Option<LeaseId> {
        match expected {
            ExpectedLease::Any => None,
            ExpectedLease::LastGranted => self.handles.last().map(Handle::lease_id),
            ExpectedLease::Unheard => Some(unheard_handle("").lease_id()),
        }
    }

    fn fence(&self, fence: Fence) -> (Option<LeaseEpoch>, Option<LeaseId>) {
        match fence {
            Fence::NoFence => (None, None),
            Fence::Epoch(epoch) => (Some(LeaseEpoch::new(u64::from(epoch))), None),
            Fence::EpochAndOtherLease(epoch) => {
                let lease = self.expected_lease(ExpectedLease::Unheard);
                (Some(LeaseEpoch::new(u64::from(epoch))), lease)
            }
        }
    }

    async fn perform_flow(&self, step: &Step) -> Observed {
        let (backend, now) = (&self.backend, self.now());
        match step {
            Step::CreateFlow { flow, name } => {
                let args = CreateFlowArgs {
                    flow_id: flow_id(*flow),
                    flow_kind: text(*name, "flow", input::NAME_MAX_BYTES),
                    namespace: namespace(*flow % 2),
                    tags: HashMap::new(),
                    now,
                };
                Observed::of(&backend.create_flow(args).await)
            }
            Step::AddExecutionToFlow { flow, execution } => {
                let (flow_id, execution_id) = (flow_id(*flow), execution_id(*execution));
                let args = AddExecutionToFlowArgs { flow_id, execution_id, now };
                Observed::of(&backend.add_execution_to_flow(args).await)
            }
            Step::CancelFlow { flow, policy, wait } => {
                let wait = match wait {
                    true => CancelFlowWait::WaitTimeout(Duration::ZERO),
                    false => CancelFlowWait::NoWait,
                };
                Observed::of(&backend.cancel_flow(&flow_id(*flow), *policy, wait).await)
            }
            Step::CancelFlowHeader { flow, policy, reason } => {
                let args = CancelFlowArgs {
                    flow_id: flow_id(*flow),
                    reason: text(*reason, "no longer needed", input::OPERATOR_REASON_MAX_BYTES),
                    cancellation_policy: policy.map_or("cancel_some", |it| it.as_str()).to_owned(),
                    now,
                };
                Observed::of(&backend.cancel_flow_header(args).await)
            }
            Step::AckCancelMember { flow, execution } => {
                let member = execution_id(*execution);
                Observed::of(&backend.ack_cancel_member(&flow_id(*flow), &member).await)
            }
            step => self.read_flow(step).await,
        }
    }

    async fn perform_worker(&self, step: &Step) -> Observed {
        let (backend, now) = (&self.backend, self.now());
        match step {
            Step::RegisterWorker { instance, worker, ttl_millis } => {
                let args = RegisterWorkerArgs::new(
                    worker_id(*worker),
                    instance_id(*instance),
                    [lane_id(0), lane_id(*worker)].into(),
                    capability_names(),
                    *ttl_millis,
                    namespace(*instance % 2),
                    now,
                );
                Observed::of(&backend.register_worker(args).await)
            }
            Step::HeartbeatWorker { instance, name } => {
                let instance_text = instance_id(*instance);
                let instance_text = text(*name, instance_text.as_str(), input::NAME_MAX_BYTES);
                let args = HeartbeatWorkerArgs::new(
                    ff_core::types::WorkerInstanceId::new(instance_text),
                    namespace(*instance % 2),
                    now,
                );
                Observed::of(&backend.heartbeat_worker(args).await)
            }
            Step::MarkWorkerDead { instance, reason } => {
                let reason = text(*reason, "gone", MARK_WORKER_DEAD_REASON_MAX_BYTES);
                let (instance_id, namespace) = (instance_id(*instance), namespace(*instance % 2));
                let args = MarkWorkerDeadArgs::new(instance_id, namespace, reason, now);
                Observed::of(&backend.mark_worker_dead(args).await)
            }
            step => self.read_workers(step).await,
        }
    }

    async fn perform_admin(&mut self, step: &Step) -> Observed {
        let backend = Arc::clone(&self.backend);
        let lane = |lane: u8, name: Text| {
            let name = text(name, lane_id(lane).as_str(), input::NAME_MAX_BYTES);
            ff_core::types::LaneId::new(name)
        };
        match step {
            Step::Reconcile { task, limit } => {
                Observed::of(&backend.reconcile(*task, *limit).await)
            }
            Step::PauseLane { lane: number, name } => {
                Observed::of(&backend.pause_lane(&lane(*number, *name)).await)
            }
            Step::ResumeLane { lane: number, name } => {
                Observed::of(&backend.resume_lane(&lane(*number, *name)).await)
            }
            Step::SetRetention { namespace: number, millis, name } => {
                let name = text(*name, namespace(*number).as_str(), input::NAME_MAX_BYTES);
                let retention = millis.map(|millis| Duration::from_millis(u64::from(millis)));
                let namespace = ff_core::types::Namespace::new(name);
                Observed::of(&backend.set_retention(&namespace, retention).await)
            }
            Step::ListLanes => Observed::of(&backend.list_lanes().await),
            Step::Ping => Observed::of(&backend.ping().await),
            Step::Now => Observed::of(&backend.now().await),
            Step::Prepare => Observed::of(&backend.prepare().await),
            step => self.read_event_stream(step).await,
        }
    }
}

fn claim_batch(lanes: u8, worker: u8, capable: bool, max: u32) -> ClaimBatchArgs {
    ClaimBatchArgs {
        lanes: (0..lanes).map(lane_id).collect(),
        capabilities: capabilities(capable),
        policy: claim_policy(worker, None),
        max,
    }
}

fn bytes(bytes: Bytes) -> Option<Vec<u8>> {
    match bytes {
        Bytes::Nothing => None,
        Bytes::Short(byte) => Some(vec![byte]),
        Bytes::TooLarge => Some(vec![0; input::DEFAULT_PAYLOAD_MAX_BYTES + 1]),
    }
}
