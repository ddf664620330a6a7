//! The ways in which a backend of the zoo is broken.

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::{EventCursor, ReconcileTask};
use ff_core::execution::{Attempt, ExecutionSnapshot};
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::CancelSource;

/// The promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is broken: shows that the wrapper itself breaks nothing.
    None,
    /// Says of some executions that they are created, and stores nothing \[EXEC-1\].
    LosesCreations,
    /// Makes another execution of the same key \[EXEC-2\].
    ForgetsIdempotencyKeys,
    /// Gives out the oldest first, whatever its priority \[CLAIM-1\].
    IgnoresPriorities,
    /// Stores the items before the bad one \[EXEC-4\].
    StoresHalfABatch,
    /// Gives one execution to two claims \[CLAIM-1\].
    SharesExecutions,
    /// Answers a waiting claim at once \[CLAIM-5\].
    NeverWaits,
    /// Takes from the lanes in turn and not by priority \[CLAIM-6\].
    ClaimsLaneByLane,
    /// Says yes to a handle whose lease is another's now \[LEASE-1\].
    AcceptsLostLeases,
    /// Says yes to a handle whose lease's time is up \[LEASE-2\].
    AcceptsExpiredLeases,
    /// Says yes to a second, different end of an attempt \[FIN-5\].
    EndsTwice,
    /// Keeps no result \[FIN-1\].
    LosesResults,
    /// Ends with the first failure \[FIN-2\].
    NeverRetries,
    /// Tells the start of the last attempt as the execution's \[CLAIM-3\].
    OverwritesStart,
    /// Tells a public state that the other columns do not derive \[STATE-1\].
    KeepsOldPublicState,
    /// Finishes without a completion event \[SAFE-5\].
    ForgetsCompletionEvents,
    /// Records the last event twice \[SAFE-5\].
    RepeatsEvents,
    /// Lets a busy store's error reach the caller \[SAFE-4\].
    AnswersBusy,
    /// Does an unbounded amount of work in one sweep \[TIME-8\].
    IgnoresLimits,
    /// Leaves due executions delayed \[TIME-2\].
    NeverPromotes,
    /// Keeps everything for ever \[TIME-7\].
    NeverTrims,
    /// Gives out work of a paused lane \[CLAIM-1\].
    ForgetsPauses,
    /// Gives the entries after a cursor again \[READ-1\].
    RepeatsPages,
    /// Claims an area and lacks an operation of it.
    DoesNotHaveProgress,
    /// Gives a subscriber an event twice \[EVT-1\].
    ReadsTheLastEventAgain,
    /// Makes a subscriber miss an event \[EVT-1\].
    SkipsTheFirstEventOfAPage,
    /// Gives the events of another stream \[EVT-1\].
    MixesStreamsUp,
    /// Gives events without their instance tag \[EVT-1\].
    LosesInstanceTags,
    /// Refuses the second cancellation instead of repeating its answer \[OP-1\].
    RefusesRepeatedCancels,
    /// Lets a cancellation pass whose epoch is stale \[OP-2\].
    IgnoresFences,
    /// Revokes the lease of another process \[OP-3\].
    RevokesAnyLease,
    /// Says that a priority is changed, and changes nothing \[OP-4\].
    MovesNothing,
    /// Says that an execution is replayed, and changes nothing \[OP-5\].
    ReplaysNothing,
    /// Tells a worker that a revoked lease holds \[FLOW-7\].
    SaysEveryLeaseHolds,
    /// Says that an execution is a member, and stores nothing \[FLOW-1\].
    ForgetsMembers,
    /// Lets the members of a cancelled flow go on \[FLOW-2\].
    CancelsTheFlowAlone,
    /// Leaves the outcome of an earlier end on a member's current attempt \[FLOW-3\].
    LeavesStaleOutcomes,
    /// Cancels with the pending members those that a worker holds \[FLOW-4\].
    CancelsWhatIsHeld,
    /// Cancels members and does not name them \[FLOW-2\].
    NamesNoMembers,
    /// Records no backlog \[FLOW-5\].
    ForgetsBacklogs,
    /// Keeps acknowledged members in the backlog \[FLOW-6\].
    NeverLetsGo,
    /// Answers before the members' workers have let go \[FLOW-8\].
    DoesNotWait,
    /// Refreshes a worker whose time to live has passed \[WORK-2\].
    TakesLateHeartbeats,
    /// Gives a worker another's instance id \[WORK-1\].
    ReassignsInstances,
    /// Keeps a worker that was marked dead \[WORK-3\].
    KeepsTheDead,
    /// Cuts a page between two rows of one instance id \[WORK-5\].
    CutsPagesOfWorkers,
    /// Lists leases as expired that hold \[WORK-4\].
    ListsLeasesThatHold,
    /// Loses, on the next page, leases that expire at the same time \[WORK-4\].
    LosesLeasesOfOneExpiry,
    /// Keeps workers that are gone \[TIME-5\].
    NeverSweepsWorkers,
    /// Waits for ever for workers that are gone \[TIME-6\].
    NeverDrains,
}

impl Fault {
    /// Every way to be broken, with the case that catches it.
    pub const ALL: &[(Self, &str)] = &[
        (Self::LosesCreations, "execution::the_ends_of_a_range_are_kept"),
        (Self::ForgetsIdempotencyKeys, "execution::the_same_key_again_is_a_duplicate"),
        (Self::IgnoresPriorities, "claim::the_highest_priority_is_claimed_first"),
        (Self::StoresHalfABatch, "execution::a_bad_item_keeps_its_batch_out"),
        (Self::SharesExecutions, "claim::the_highest_priority_is_claimed_first"),
        (Self::NeverWaits, "claim::a_waiting_claim_gets_what_is_created"),
        (Self::ClaimsLaneByLane, "claim::the_lanes_of_a_batch_are_one_queue"),
        (Self::AcceptsLostLeases, "lease::another_epoch_is_refused"),
        (Self::AcceptsExpiredLeases, "lease::an_expired_lease_allows_nothing"),
        (Self::EndsTwice, "execution::completing_again_with_another_result_is_refused"),
        (Self::LosesResults, "execution::completing_finishes_the_execution"),
        (Self::NeverRetries, "execution::a_retryable_failure_schedules_another_attempt"),
        (Self::OverwritesStart, "claim::a_retry_does_not_change_when_the_execution_started"),
        (Self::KeepsOldPublicState, "execution::a_retryable_failure_schedules_another_attempt"),
        (
            Self::ForgetsCompletionEvents,
            "execution::many_tasks_at_few_executions_get_typed_answers",
        ),
        (Self::RepeatsEvents, "execution::many_tasks_at_few_executions_get_typed_answers"),
        (Self::AnswersBusy, "execution::concurrent_creates_with_one_key_make_one"),
        (Self::IgnoresLimits, "timer::a_sweep_keeps_to_its_limit"),
        (Self::NeverPromotes, "timer::a_due_execution_is_promoted"),
        (Self::NeverTrims, "timer::a_finished_execution_is_kept_for_its_retention"),
        (Self::ForgetsPauses, "claim::a_paused_lane_gives_nothing"),
        (Self::RepeatsPages, "execution::pages_hold_everything_once"),
        (Self::DoesNotHaveProgress, "lease::progress_is_stored_on_its_attempt"),
        (Self::ReadsTheLastEventAgain, "event::a_stream_is_read_in_pages_without_a_gap"),
        (Self::SkipsTheFirstEventOfAPage, "event::a_stream_is_read_in_pages_without_a_gap"),
        (Self::MixesStreamsUp, "event::each_stream_has_its_own_events"),
        (Self::LosesInstanceTags, "event::an_event_carries_what_its_execution_has"),
        (Self::RefusesRepeatedCancels, "operator::cancelling_again_records_nothing"),
        (Self::IgnoresFences, "operator::only_an_operator_cancels_a_lease_without_its_epoch"),
        (Self::RevokesAnyLease, "operator::another_lease_is_not_revoked"),
        (Self::MovesNothing, "operator::a_changed_priority_moves_the_execution"),
        (Self::ReplaysNothing, "operator::a_replayed_execution_waits_again"),
        (Self::SaysEveryLeaseHolds, "operator::checking_leases_changes_none"),
        (Self::ForgetsMembers, "flow::a_member_raises_the_revision"),
        (Self::CancelsTheFlowAlone, "flow::cancelling_a_flow_cancels_its_members"),
        (Self::LeavesStaleOutcomes, "flow::cancel_flow_clears_the_current_attempts_outcome"),
        (Self::CancelsWhatIsHeld, "flow::cancelling_what_is_pending_spares_what_is_held"),
        (Self::NamesNoMembers, "flow::cancelling_a_flow_cancels_its_members"),
        (Self::ForgetsBacklogs, "flow::a_cancellation_by_name_records_its_members"),
        (Self::NeverLetsGo, "flow::the_last_acknowledgement_takes_the_flow_off"),
        (Self::DoesNotWait, "flow::a_wait_ends_when_every_worker_has_let_go"),
        (Self::TakesLateHeartbeats, "worker::a_late_heartbeat_is_told_so"),
        (Self::ReassignsInstances, "worker::an_instance_of_another_worker_is_refused"),
        (Self::KeepsTheDead, "worker::a_dead_worker_leaves_the_registry"),
        (Self::CutsPagesOfWorkers, "worker::a_page_is_never_cut_within_an_instance"),
        (Self::ListsLeasesThatHold, "worker::an_expired_lease_is_listed"),
        (Self::LosesLeasesOfOneExpiry, "worker::many_leases_of_one_expiry_are_listed_in_pages"),
        (Self::NeverSweepsWorkers, "worker::a_silent_worker_leaves_the_registry"),
        (Self::NeverDrains, "flow::members_without_worker_are_let_go"),
    ];

    /// The policy by which a flow is cancelled instead.
    pub(super) fn spoil_policy(self, policy: CancelFlowPolicy) -> CancelFlowPolicy {
        match (self, policy) {
            (Self::CancelsTheFlowAlone, _) => CancelFlowPolicy::FlowOnly,
            (Self::CancelsWhatIsHeld, CancelFlowPolicy::CancelPending) => {
                CancelFlowPolicy::CancelAll
            }
            (_, policy) => policy,
        }
    }

    /// What is told of an execution instead.
    pub(super) fn spoil_snapshot(self, execution: &mut ExecutionSnapshot) {
        let attempt = execution.current_attempt.as_mut();
        match self {
            Self::OverwritesStart => {
                execution.started_at = attempt.and_then(|attempt| attempt.started_at);
            }
            Self::KeepsOldPublicState if attempt.is_none() => {
                execution.public_state = PublicState::Waiting;
            }
            _ => {}
        }
    }

    /// What is told of its attempts instead.
    pub(super) fn spoil_attempts(self, execution: &ExecutionSnapshot, attempts: &mut [Attempt]) {
        let by_flow = execution.cancelled_by.as_deref() == Some(CancelSource::Flow.as_str());
        if let Some(last) =
            attempts.last_mut().filter(|_| by_flow && self == Self::LeavesStaleOutcomes)
        {
            last.outcome = last.outcome.or(Some(AttemptOutcome::Retry));
        }
    }

    /// The sweep that does nothing.
    pub(super) fn skipped_task(self) -> Option<ReconcileTask> {
        match self {
            Self::NeverTrims => Some(ReconcileTask::TrimRetention),
            Self::NeverPromotes => Some(ReconcileTask::PromoteDue),
            Self::NeverSweepsWorkers => Some(ReconcileTask::SweepWorkers),
            Self::NeverDrains => Some(ReconcileTask::DrainCancelBacklog),
            _ => None,
        }
    }

    /// The cursor after which events are read instead.
    pub(super) fn spoil_cursor(self, cursor: EventCursor) -> EventCursor {
        let id = match self {
            Self::ReadsTheLastEventAgain => cursor.event_id().saturating_sub(1),
            Self::SkipsTheFirstEventOfAPage => cursor.event_id() + 1,
            _ => cursor.event_id(),
        };
        EventCursor::new(cursor.transaction(), id)
    }
}
