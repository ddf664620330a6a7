//! The contract of a backend.

use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;

use crate::backend::{
    CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy, FailOutcome, FailureClass,
    FailureReason, Handle, LeaseRenewal,
};
use crate::contracts::*;
use crate::engine_error::EngineError;
use crate::execution::{Attempt, ExecutionSnapshot};
use crate::partition::PartitionConfig;
use crate::types::{ExecutionId, FlowId, LaneId, Namespace, TimestampMs};

type Answer<T> = Result<T, EngineError>;

/// A store of executions and what it promises about them.
///
/// The names in brackets are the rules that each operation keeps; the conformance suite has a case
/// for each. Every operation is atomic, may be dropped at any await, and may be repeated after its
/// answer was lost \[SAFE-1, SAFE-2, SAFE-3\].
///
/// `create_execution`, `claim`, `renew`, `complete` and `fail` are the core that every backend has.
/// Every other operation answers [`EngineError::Unavailable`] until a backend provides it, and batch
/// forms loop over the single form, so that a new backend grows step by step.
///
/// # Errors
///
/// Beside what each operation names, every operation may answer `Transport` (the database failed),
/// `Contention(StoreBusy)` (others kept it busy), and `Validation { Corruption }` (a stored value is
/// outside its range or vocabulary \[SAFE-7\]).
#[async_trait]
pub trait EngineBackend: Send + Sync + 'static {
    // ---- execution -------------------------------------------------------------------------

    /// Stores an execution that can be claimed at once, or from `delay_until` on.
    ///
    /// # Behavior
    /// - Stores it `submitted` and public `waiting`, or `delayed` \[EXEC-1\].
    /// - Answers `Duplicate` when the id, or the idempotency key in its namespace and lane, is
    ///   already stored, and changes nothing \[EXEC-2\].
    ///
    /// # Errors
    /// `Validation { InvalidInput }` naming the field, or `Validation { PayloadTooLarge }`, before any
    /// write \[EXEC-3\].
    async fn create_execution(&self, args: CreateExecutionArgs) -> Answer<CreateExecutionResult>;

    /// Stores several executions and answers in the order given.
    ///
    /// # Behavior
    /// - All or none are stored \[EXEC-4\]. The default body loops, and so keeps this only up to the
    ///   first failure of the store.
    /// - An execution that the batch holds twice is `Created` once and a `Duplicate` after.
    /// - A batch has at most [`CREATE_BATCH_MAX`](crate::rules::input::CREATE_BATCH_MAX) executions, with at
    ///   most [`CREATE_BATCH_MAX_BYTES`](crate::rules::input::CREATE_BATCH_MAX_BYTES) of payload together.
    ///
    /// # Errors
    /// `BatchItem` with the index of the first bad item, or of the first that is one too many; nothing is
    /// stored then.
    async fn create_executions(
        &self,
        batch: Vec<CreateExecutionArgs>,
    ) -> Answer<Vec<CreateExecutionResult>> {
        let mut results = Vec::with_capacity(batch.len());
        for (index, args) in batch.into_iter().enumerate() {
            let result = self.create_execution(args).await;
            results.push(
                result
                    .map_err(|error| EngineError::BatchItem { index, source: Box::new(error) })?,
            );
        }
        Ok(results)
    }

    /// Ends a lease with success and stores the result.
    ///
    /// # Behavior
    /// - The execution is `completed`, with one completion event `success` \[FIN-1\].
    /// - The same call again answers the same and records nothing \[FIN-5\].
    ///
    /// # Errors
    /// `Contention(LeaseConflict)` when the handle's attempt, epoch or process is not the current one
    /// \[LEASE-1\]; `State(LeaseExpired)` when its time is up \[LEASE-2\]; `State(AttemptAlreadyTerminal)`
    /// when the attempt ended otherwise \[FIN-5\]; `NotFound`; `Validation { HandleFromOtherBackend }`;
    /// `Validation { PayloadTooLarge }`.
    async fn complete(&self, handle: &Handle, result: Option<Vec<u8>>) -> Answer<()>;

    /// Ends several leases with success. Every item has its own answer; a stale one does not hold up
    /// the rest \[FIN-7\].
    ///
    /// # Errors
    /// As [`complete`](Self::complete) for each item; the outer error is the store's.
    async fn complete_batch(&self, batch: Vec<Completion>) -> Answer<Vec<Answer<()>>> {
        let mut answers = Vec::with_capacity(batch.len());
        for item in batch {
            answers.push(self.complete(&item.handle, item.result).await);
        }
        Ok(answers)
    }

    /// Ends a lease with a failure.
    ///
    /// # Behavior
    /// - A class that can be retried schedules another attempt while the budget lasts \[FIN-2, FIN-4\].
    /// - Otherwise the execution is `failed`, or `cancelled` for class `Cancelled` \[FIN-3\].
    /// - The same call again answers the same and records nothing \[FIN-5\].
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    async fn fail(
        &self,
        handle: &Handle,
        reason: FailureReason,
        class: FailureClass,
    ) -> Answer<FailOutcome>;

    /// Ends several leases with a failure. Every item has its own answer \[FIN-7\].
    ///
    /// # Errors
    /// As [`fail`](Self::fail) for each item; the outer error is the store's.
    async fn fail_batch(&self, batch: Vec<Failure>) -> Answer<Vec<Answer<FailOutcome>>> {
        let mut answers = Vec::with_capacity(batch.len());
        for item in batch {
            answers.push(self.fail(&item.handle, item.reason, item.class).await);
        }
        Ok(answers)
    }

    /// Reads an execution with its current attempt; `None` when there is none of this id. \[READ-1\]
    async fn describe_execution(
        &self,
        _execution_id: &ExecutionId,
    ) -> Answer<Option<ExecutionSnapshot>> {
        unavailable("describe_execution")
    }

    /// Reads every attempt at an execution, in order. \[READ-1\]
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`.
    async fn list_attempts(&self, _execution_id: &ExecutionId) -> Answer<Vec<Attempt>> {
        unavailable("list_attempts")
    }

    /// Reads what the handler returned; `None` until the execution completes, and when it returned
    /// nothing.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`.
    async fn get_execution_result(&self, execution_id: &ExecutionId) -> Answer<Option<Vec<u8>>> {
        let mut outcomes = self.read_outcomes(std::slice::from_ref(execution_id)).await?;
        let outcome = outcomes.pop().flatten().ok_or_else(EngineError::execution_not_found)?;
        Ok(outcome.result)
    }

    /// Reads how several executions stand, in the order given; `None` for an unknown id. \[READ-1\]
    async fn read_outcomes(
        &self,
        _execution_ids: &[ExecutionId],
    ) -> Answer<Vec<Option<ExecutionOutcome>>> {
        unavailable("read_outcomes")
    }

    /// Reads what a handler needs to run an execution. \[READ-1\]
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`.
    async fn read_execution_context(
        &self,
        _execution_id: &ExecutionId,
    ) -> Answer<ExecutionContext> {
        unavailable("read_execution_context")
    }

    /// Lists executions, oldest first, after the cursor; at most [`LIST_EXECUTIONS_MAX_LIMIT`] a page.
    async fn list_executions(
        &self,
        _filter: &ExecutionFilter,
        _after: Option<ExecutionsCursor>,
        _limit: u32,
    ) -> Answer<ExecutionPage> {
        unavailable("list_executions")
    }

    /// Counts executions by lane and public state, in that order.
    async fn count_executions(&self, _filter: &ExecutionFilter) -> Answer<Vec<ExecutionCount>> {
        unavailable("count_executions")
    }

    // ---- claim -----------------------------------------------------------------------------

    /// Takes the next execution of a lane that the worker can run.
    ///
    /// # Behavior
    /// - Highest priority first, then oldest; never one that another claim took \[CLAIM-1\].
    /// - Makes it `running` under a lease of `policy.lease_ttl_ms` \[CLAIM-2\] and sets `started_at` the
    ///   first time \[CLAIM-3\].
    /// - What no worker can take delays nothing else \[CLAIM-4\]; a paused lane gives nothing.
    /// - With `policy.max_wait`, waits for work; `None` when there is none by then \[CLAIM-5\].
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a lane, worker or lease time outside the limits.
    async fn claim(
        &self,
        lane: &LaneId,
        capabilities: &CapabilitySet,
        policy: ClaimPolicy,
    ) -> Answer<Option<Handle>>;

    /// Takes several executions from several lanes, each with what its handler needs \[CLAIM-6\].
    ///
    /// # Behavior
    /// - As [`claim`](Self::claim) for each; an empty answer when there is nothing.
    /// - The default body asks the lanes in turn and does not wait.
    ///
    /// # Errors
    /// As [`claim`](Self::claim); `Validation { InvalidInput }` also for no lane or a `max` outside 1 to
    /// [`CLAIM_BATCH_MAX`].
    async fn claim_batch(&self, args: ClaimBatchArgs) -> Answer<Vec<ClaimedExecution>> {
        let policy = ClaimPolicy { max_wait: None, ..args.policy };
        let mut claimed = Vec::new();
        for lane in &args.lanes {
            while claimed.len() < args.max as usize {
                let Some(handle) = self.claim(lane, &args.capabilities, policy.clone()).await?
                else {
                    break;
                };
                let context = self.read_execution_context(handle.execution_id()).await?;
                claimed.push(ClaimedExecution::new(handle, context));
            }
        }
        Ok(claimed)
    }

    // ---- lease -----------------------------------------------------------------------------

    /// Moves a lease's expiry to the time now plus its time to live; the epoch stays \[LEASE-3\].
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    async fn renew(&self, handle: &Handle) -> Answer<LeaseRenewal>;

    /// Renews several leases and says which were lost \[LEASE-3\].
    ///
    /// # Errors
    /// As [`renew`](Self::renew) for each item; the outer error is the store's.
    async fn renew_batch(&self, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
        let mut answers = Vec::with_capacity(handles.len());
        for handle in handles {
            answers.push(self.renew(handle).await);
        }
        Ok(answers)
    }

    /// Stores what a handler reports of its progress, JSON, on its attempt \[LEASE-1, LEASE-2\].
    ///
    /// # Errors
    /// As [`complete`](Self::complete); `Validation { InvalidInput }` for JSON nested deeper than
    /// [`PROGRESS_MAX_DEPTH`](crate::rules::input::PROGRESS_MAX_DEPTH) levels.
    async fn progress(&self, _handle: &Handle, _progress: Value) -> Answer<()> {
        unavailable("progress")
    }

    /// Gives a lease back; the execution can be claimed from `until` on \[FIN-6\].
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    async fn delay(&self, _handle: &Handle, _until: TimestampMs) -> Answer<()> {
        unavailable("delay")
    }

    /// Says for each handle whether its lease still holds, and changes nothing: how a worker learns soon that
    /// its execution was cancelled or its lease revoked \[FLOW-7\].
    ///
    /// # Errors
    /// As [`renew`](Self::renew) for each item; the outer error is the store's.
    async fn check_leases(&self, _handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
        unavailable("check_leases")
    }

    /// Takes a lease from its worker \[OP-3\].
    ///
    /// # Behavior
    /// - Ends the attempt as `interrupted`; the execution waits in its lane again, as its next attempt, and
    ///   every call by the old handle fails. Records a lease event `revoked`.
    /// - Answers `AlreadySatisfied` when there is no lease, or none of that process or of that id.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`; `Validation { InvalidInput }` for a reason over
    /// [`OPERATOR_REASON_MAX_BYTES`](crate::rules::input::OPERATOR_REASON_MAX_BYTES).
    async fn revoke_lease(&self, _args: RevokeLeaseArgs) -> Answer<RevokeLeaseResult> {
        unavailable("revoke_lease")
    }

    /// Lists running attempts whose lease's time is up, by expiry and then by the text of the execution id
    /// \[WORK-4\].
    ///
    /// # Behavior
    /// - The cursor is set only when the page is full; a page goes on after it without losing or repeating an
    ///   entry, however many expire at the same time.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit of 0.
    async fn list_expired_leases(
        &self,
        _args: ListExpiredLeasesArgs,
    ) -> Answer<ListExpiredLeasesResult> {
        unavailable("list_expired_leases")
    }

    // ---- operator --------------------------------------------------------------------------

    /// Cancels an execution \[OP-1, OP-2\].
    ///
    /// # Behavior
    /// - Ends its attempt, if one runs, as `cancelled`, takes its lease, and records one completion event
    ///   `cancelled`, and a lease event `revoked` only if it was leased.
    /// - One that is cancelled already is answered the same, and nothing is recorded again.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`; `Contention(ExecutionNotActive)` with how it finished, when it
    /// finished otherwise; on a leased execution, unless an operator asks, `Validation { InvalidInput }` without
    /// an epoch and `State(StaleLease)` when it, or the lease id where one is given, is not the present lease's.
    async fn cancel_execution(&self, _args: CancelExecutionArgs) -> Answer<CancelExecutionResult> {
        unavailable("cancel_execution")
    }

    /// Moves a waiting execution in its queue \[OP-4\].
    ///
    /// # Behavior
    /// - Stores the priority and records an operator event `priority_changed` with `old` and `new`; nothing when
    ///   they are the same.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`; `Contention(ExecutionNotEligible)` unless it is `runnable` and
    /// `eligible_now`. One that was just submitted is not: `PromoteDue` admits it after a second.
    async fn change_priority(&self, _args: ChangePriorityArgs) -> Answer<ChangePriorityResult> {
        unavailable("change_priority")
    }

    /// Sets a finished execution to run again as a new attempt \[OP-5, OP-6\].
    ///
    /// # Behavior
    /// - Clears its result, its end, how it was cancelled, its count of retries, and a deadline that has passed;
    ///   its history stays. Records an operator event `replayed`.
    /// - A member that its flow had skipped waits for its dependencies instead: `WaitingChildren`.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`; `State(ExecutionNotTerminal)`; `State(MaxReplaysExhausted)` when its
    /// policy's `max_replay_count` is reached.
    async fn replay_execution(&self, _args: ReplayExecutionArgs) -> Answer<ReplayExecutionResult> {
        unavailable("replay_execution")
    }

    // ---- flow ------------------------------------------------------------------------------

    /// Stores a flow, open and without members \[FLOW-1\]. The same id again is a `Duplicate` and changes
    /// nothing.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` naming the field.
    async fn create_flow(&self, _args: CreateFlowArgs) -> Answer<CreateFlowResult> {
        unavailable("create_flow")
    }

    /// Makes an execution a member of a flow and raises the flow's revision \[FLOW-1, FLOW-4\].
    ///
    /// # Errors
    /// `NotFound` with the entity; `Conflict(ExecutionAlreadyInFlow)` for a member of another flow;
    /// `State(FlowAlreadyTerminal)` when the flow has finished; `Validation { InvalidInput }` for an id in another
    /// partition than the flow's, where the store keeps them together.
    async fn add_execution_to_flow(
        &self,
        _args: AddExecutionToFlowArgs,
    ) -> Answer<AddExecutionToFlowResult> {
        unavailable("add_execution_to_flow")
    }

    /// Reads a flow; `None` when there is none of this id \[FLOW-1\].
    async fn describe_flow(&self, _flow_id: &FlowId) -> Answer<Option<FlowSnapshot>> {
        unavailable("describe_flow")
    }

    /// Lists flows by creation time and then by id, oldest first \[FLOW-1\]. The cursor is set only when the
    /// page is full.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit of 0.
    async fn list_flows(&self, _args: ListFlowsArgs) -> Answer<ListFlowsResult> {
        unavailable("list_flows")
    }

    /// Lists the members of a flow by their ids' UUIDs, after the member given; none of an unknown flow. Fewer
    /// than `limit` are returned at the end.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit outside 1 to [`LIST_FLOWS_MAX_LIMIT`].
    async fn list_flow_members(
        &self,
        _flow_id: &FlowId,
        _after: Option<&ExecutionId>,
        _limit: u32,
    ) -> Answer<Vec<ExecutionSnapshot>> {
        unavailable("list_flow_members")
    }

    /// Cancels a flow and the members that the policy names, in one step \[FLOW-2, FLOW-3, FLOW-4, FLOW-8\].
    ///
    /// # Behavior
    /// - Each member is cancelled as [`cancel_execution`](Self::cancel_execution) does, but for the outcome of its
    ///   current attempt, which is none afterwards.
    /// - A member whose row cannot be read holds up no other: the answer is `PartiallyCancelled`, and names it.
    /// - A flow that is cancelled already is answered with the policy that it was cancelled with and the members
    ///   that are cancelled with it; nothing changes.
    /// - Without a wait, nothing is recorded of who holds what, and a later call has nothing to wait for.
    /// - With a wait, records which members a worker held, and answers when each has let go: its worker by
    ///   [`ack_cancel_member`](Self::ack_cancel_member), or a sweep, when its worker is gone or its
    ///   lease would have ended.
    ///
    /// # Errors
    /// `NotFound { entity: "flow" }`; `State(FlowAlreadyTerminal)` when it finished otherwise; `Timeout` when the
    /// wait is over and some worker has not let go. The flow is cancelled then.
    async fn cancel_flow(
        &self,
        _flow_id: &FlowId,
        _policy: CancelFlowPolicy,
        _wait: CancelFlowWait,
    ) -> Answer<CancelFlowResult> {
        unavailable("cancel_flow")
    }

    /// Cancels a flow by policy name and records which members must be let go \[FLOW-5\].
    ///
    /// # Behavior
    /// - As [`cancel_flow`](Self::cancel_flow), and records each member just cancelled in the backlog, and an
    ///   operator event `flow_cancel_requested` of the flow. A member whose row cannot be read is left out.
    /// - A flow that has finished is `AlreadyTerminal`, with the members still in the backlog; nothing changes.
    ///
    /// # Errors
    /// `NotFound { entity: "flow" }`; `Validation { InvalidInput }` for another policy's name, or for a reason over
    /// [`OPERATOR_REASON_MAX_BYTES`](crate::rules::input::OPERATOR_REASON_MAX_BYTES).
    async fn cancel_flow_header(&self, _args: CancelFlowArgs) -> Answer<CancelFlowHeader> {
        unavailable("cancel_flow_header")
    }

    /// Takes a cancelled member off the backlog, and the flow with its last one \[FLOW-6\]. What is not there
    /// is fine.
    async fn ack_cancel_member(
        &self,
        _flow_id: &FlowId,
        _execution_id: &ExecutionId,
    ) -> Answer<()> {
        unavailable("ack_cancel_member")
    }

    // ---- timer -----------------------------------------------------------------------------

    /// Does a bounded part of what time has made due: at most `limit` rows, from 1 to
    /// [`RECONCILE_MAX_LIMIT`] \[TIME-1 to TIME-8\].
    ///
    /// # Behavior
    /// - Any number of nodes may call any task at any time; each row is acted on once.
    /// - A corrupt row is counted in `errors` and does not hold up the rest.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit outside its range.
    async fn reconcile(&self, _task: ReconcileTask, _limit: u32) -> Answer<ScanReport> {
        unavailable("reconcile")
    }

    // ---- event -----------------------------------------------------------------------------

    /// Reads the events of one execution, oldest first.
    ///
    /// # Errors
    /// `NotFound { entity: "execution" }`.
    async fn list_execution_events(
        &self,
        _execution_id: &ExecutionId,
    ) -> Answer<Vec<ExecutionEvent>> {
        unavailable("list_execution_events")
    }

    /// Reads a stream's events after the cursor, or from its beginning, in the one order in which they
    /// become readable. Fewer than `limit` are returned when there are no more by now. A subscriber that
    /// goes on from the cursor of the last event that it has dealt with misses none and reads none
    /// twice, whatever commits at the same time \[EVT-1\].
    ///
    /// `limit` is at most [`READ_EVENTS_MAX_LIMIT`].
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit outside its range.
    async fn read_events(
        &self,
        _stream: EventStream,
        _after: Option<EventCursor>,
        _limit: u32,
    ) -> Answer<Vec<RecordedEvent>> {
        unavailable("read_events")
    }

    // ---- worker ----------------------------------------------------------------------------

    /// Puts a worker process on the registry \[WORK-1\].
    ///
    /// # Behavior
    /// - One that is there is `Refreshed`: its lanes, capabilities and time to live are replaced, and its first
    ///   registration's time stays.
    /// - Records an event `registered`, or `heartbeat` for one that is there, once a minute at most.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` naming the field, or `instance_id reassigned` when another worker has the
    /// instance's id.
    async fn register_worker(&self, _args: RegisterWorkerArgs) -> Answer<RegisterWorkerOutcome> {
        unavailable("register_worker")
    }

    /// Notes a sign of life \[WORK-2\]. `NotRegistered` when the process is unknown or its time to live has
    /// passed: it registers again.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` naming the field.
    async fn heartbeat_worker(&self, _args: HeartbeatWorkerArgs) -> Answer<HeartbeatWorkerOutcome> {
        unavailable("heartbeat_worker")
    }

    /// Takes a worker process off the registry, with an event `marked_dead` \[WORK-3\]. Its leases end by their
    /// time.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` naming the field; for a reason over
    /// [`MARK_WORKER_DEAD_REASON_MAX_BYTES`] or with a control character.
    async fn mark_worker_dead(&self, _args: MarkWorkerDeadArgs) -> Answer<MarkWorkerDeadOutcome> {
        unavailable("mark_worker_dead")
    }

    /// Lists the worker processes on the registry by instance id and then by namespace \[WORK-5\]. The cursor
    /// is set only when the page is full.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a limit of 0.
    async fn list_workers(&self, _args: ListWorkersArgs) -> Answer<ListWorkersResult> {
        unavailable("list_workers")
    }

    // ---- admin -----------------------------------------------------------------------------

    /// The lanes that executions have been created in or that have been paused, by name.
    async fn list_lanes(&self) -> Answer<Vec<LaneInfo>> {
        unavailable("list_lanes")
    }

    /// Makes claims pass a lane by until it is resumed, over restarts too. A lane that is paused
    /// already stays so.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a lane name outside the limits.
    async fn pause_lane(&self, _lane: &LaneId) -> Answer<()> {
        unavailable("pause_lane")
    }

    /// Lets claims take from a lane again. A lane that is not paused stays so.
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a lane name outside the limits.
    async fn resume_lane(&self, _lane: &LaneId) -> Answer<()> {
        unavailable("resume_lane")
    }

    /// How long finished executions of a namespace are kept; `None`, the default, keeps them for ever.
    /// Stored, so that every node agrees \[TIME-7\].
    ///
    /// # Errors
    /// `Validation { InvalidInput }` for a namespace outside the limits.
    async fn set_retention(
        &self,
        _namespace: &Namespace,
        _retention: Option<Duration>,
    ) -> Answer<()> {
        unavailable("set_retention")
    }

    /// Asks the store for a sign of life.
    async fn ping(&self) -> Answer<()> {
        unavailable("ping")
    }

    /// The backend's clock.
    async fn now(&self) -> Answer<TimestampMs> {
        unavailable("now")
    }

    /// Brings the store's schema to this program's; done already when the backend was opened.
    async fn prepare(&self) -> Answer<()> {
        unavailable("prepare")
    }

    /// Finishes what was accepted and lets the store go. Later calls answer `Transport`.
    async fn shutdown(&self) -> Answer<()> {
        unavailable("shutdown")
    }

    /// How this store spreads ids over partitions: what clients mint ids with.
    fn partition_config(&self) -> PartitionConfig {
        PartitionConfig::default()
    }

    /// What this backend supports, by area.
    fn capabilities(&self) -> Capabilities;

    /// The backend's name: `sqlite`, `postgres`, `reference`.
    fn backend_label(&self) -> &'static str;
}

fn unavailable<T>(op: &'static str) -> Answer<T> {
    Err(EngineError::Unavailable { op })
}

const _: Option<&dyn EngineBackend> = None;
