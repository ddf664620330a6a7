//! The steps that scripts are made of: every operation, with small numbers for what it names.
#![expect(missing_docs, reason = "the words of a step are those of the operation that it calls")]

use ff_core::backend::{CancelFlowPolicy, FailureClass};
use ff_core::contracts::{Area, EventStream, ReconcileTask};
use ff_core::types::CancelSource;

use super::coverage::OPERATIONS;

/// One step of a script. Executions, flows, workers, lanes and keys are numbers: what is not there when
/// a step names it is a case as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Advance {
        millis: u32,
    },
    /// The backend is shut down, asked once more, and the store opened again.
    Reopen,
    /// A word of the execution's row becomes unreadable, one operation meets it, and it is mended.
    Spoiled {
        execution: u8,
        column: Column,
        call: SpoiledCall,
    },

    CreateExecution(Creation),
    CreateExecutions(Vec<Creation>),
    Complete {
        lease: LeasePick,
        result: Bytes,
    },
    CompleteBatch(Vec<LeasePick>),
    Fail {
        lease: LeasePick,
        class: FailureClass,
    },
    FailBatch {
        leases: Vec<LeasePick>,
        class: FailureClass,
    },
    DescribeExecution {
        execution: u8,
    },
    ListAttempts {
        execution: u8,
    },
    GetExecutionResult {
        execution: u8,
    },
    ReadOutcomes {
        executions: Vec<u8>,
    },
    ReadExecutionContext {
        execution: u8,
    },
    ListExecutions {
        filter: Filter,
        page: u32,
    },
    CountExecutions {
        filter: Filter,
    },

    Claim {
        lane: u8,
        worker: u8,
        capable: bool,
        flaw: Option<ClaimFlaw>,
    },
    ClaimBatch {
        lanes: u8,
        worker: u8,
        capable: bool,
        max: u32,
    },

    Renew {
        lease: LeasePick,
    },
    RenewBatch(Vec<LeasePick>),
    Progress {
        lease: LeasePick,
        depth: u8,
    },
    Delay {
        lease: LeasePick,
        millis: i32,
    },

    CheckLeases(Vec<LeasePick>),
    RevokeLease {
        execution: u8,
        worker: u8,
        expected: ExpectedLease,
        reason: Text,
    },
    CancelExecution {
        execution: u8,
        source: CancelSource,
        fence: Fence,
        reason: Text,
    },
    ChangePriority {
        execution: u8,
        priority: i8,
    },
    ReplayExecution {
        execution: u8,
    },

    CreateFlow {
        flow: u8,
        name: Text,
    },
    AddExecutionToFlow {
        flow: u8,
        execution: u8,
    },
    DescribeFlow {
        flow: u8,
    },
    ListFlows {
        namespace: Option<u8>,
        page: u32,
    },
    ListFlowMembers {
        flow: u8,
        page: u32,
    },
    CancelFlow {
        flow: u8,
        policy: CancelFlowPolicy,
        wait: bool,
    },
    CancelFlowHeader {
        flow: u8,
        policy: Option<CancelFlowPolicy>,
        reason: Text,
    },
    AckCancelMember {
        flow: u8,
        execution: u8,
    },

    Reconcile {
        task: ReconcileTask,
        limit: u32,
    },

    ListExecutionEvents {
        execution: u8,
    },
    ReadEvents {
        stream: EventStream,
        page: u32,
    },

    RegisterWorker {
        instance: u8,
        worker: u8,
        ttl_millis: u64,
    },
    HeartbeatWorker {
        instance: u8,
        name: Text,
    },
    MarkWorkerDead {
        instance: u8,
        reason: Text,
    },
    ListWorkers {
        namespace: Option<u8>,
        page: u32,
    },
    ListExpiredLeases {
        ahead_millis: u32,
        page: u32,
    },

    ListLanes,
    PauseLane {
        lane: u8,
        name: Text,
    },
    ResumeLane {
        lane: u8,
        name: Text,
    },
    SetRetention {
        namespace: u8,
        millis: Option<u16>,
        name: Text,
    },
    Ping,
    Now,
    Prepare,
}

/// An execution to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    pub execution: u8,
    pub lane: u8,
    pub namespace: u8,
    pub priority: i8,
    pub key: Option<u8>,
    pub policy: PolicyShape,
    pub delay_millis: Option<u16>,
    pub deadline_millis: Option<u16>,
    pub flaw: Option<CreationFlaw>,
}

/// What the execution's policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyShape {
    NoPolicy,
    RetryAtOnce,
    RetryLater,
    RetryWithJitter,
    NeverRetry,
    RetryOneCategory,
    AttemptTimeout,
    NoReclaim,
    Deadline,
    NoReplay,
    OneReplay,
    NeedsCapability,
}

/// What is wrong with an execution to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationFlaw {
    EmptyLane,
    LongKind,
    ControlCharacter,
    BadTagKey,
    TooManyTags,
    LargePayload,
    BadPolicy,
}

/// What is wrong with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFlaw {
    NoLeaseTime,
    LongWorker,
    ControlLane,
}

/// One of the leases granted so far, counted from the last, and what is forged of its handle. Before there
/// is one, a handle that looks well and was never given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasePick {
    pub nth_last: u8,
    pub forgery: Option<Forgery>,
}

/// What is wrong with a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    NextEpoch,
    NextAttempt,
    OtherInstance,
    OtherBackend,
}

/// What a handler returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    Nothing,
    Short(u8),
    TooLarge,
}

/// A text that an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Plain,
    Long,
    Control,
}

/// The lease that a revocation expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedLease {
    Any,
    LastGranted,
    Unheard,
}

/// The fence that a cancellation carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    NoFence,
    Epoch(u8),
    EpochAndOtherLease(u8),
}

/// Which executions are listed or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    All,
    OfLane(u8),
    OfNamespace(u8),
    Completed,
    Tagged,
    CreatedSince(u16),
}

/// A column of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    LifecyclePhase,
    OwnershipState,
    EligibilityState,
    PublicState,
    AttemptState,
}

impl Column {
    pub(super) const ALL: &'static [Self] = &[
        Self::LifecyclePhase,
        Self::OwnershipState,
        Self::EligibilityState,
        Self::PublicState,
        Self::AttemptState,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LifecyclePhase => "lifecycle_phase",
            Self::OwnershipState => "ownership_state",
            Self::EligibilityState => "eligibility_state",
            Self::PublicState => "public_state",
            Self::AttemptState => "attempt_state",
        }
    }
}

/// The operation that meets a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoiledCall {
    Describe,
    Cancel,
    Replay,
    Reorder,
    Revoke,
}

impl Step {
    /// The operation that the step calls; `None` for what is no operation.
    pub(super) fn operation(&self) -> Option<&'static str> {
        Some(match self {
            Self::Advance { .. } | Self::Spoiled { .. } => return None,
            Self::Reopen => "shutdown",
            Self::CreateExecution(_) => "create_execution",
            Self::CreateExecutions(_) => "create_executions",
            Self::Complete { .. } => "complete",
            Self::CompleteBatch(_) => "complete_batch",
            Self::Fail { .. } => "fail",
            Self::FailBatch { .. } => "fail_batch",
            Self::DescribeExecution { .. } => "describe_execution",
            Self::ListAttempts { .. } => "list_attempts",
            Self::GetExecutionResult { .. } => "get_execution_result",
            Self::ReadOutcomes { .. } => "read_outcomes",
            Self::ReadExecutionContext { .. } => "read_execution_context",
            Self::ListExecutions { .. } => "list_executions",
            Self::CountExecutions { .. } => "count_executions",
            Self::Claim { .. } => "claim",
            Self::ClaimBatch { .. } => "claim_batch",
            Self::Renew { .. } => "renew",
            Self::RenewBatch(_) => "renew_batch",
            Self::Progress { .. } => "progress",
            Self::Delay { .. } => "delay",
            Self::CheckLeases(_) => "check_leases",
            Self::RevokeLease { .. } => "revoke_lease",
            Self::CancelExecution { .. } => "cancel_execution",
            Self::ChangePriority { .. } => "change_priority",
            Self::ReplayExecution { .. } => "replay_execution",
            Self::CreateFlow { .. } => "create_flow",
            Self::AddExecutionToFlow { .. } => "add_execution_to_flow",
            Self::DescribeFlow { .. } => "describe_flow",
            Self::ListFlows { .. } => "list_flows",
            Self::ListFlowMembers { .. } => "list_flow_members",
            Self::CancelFlow { .. } => "cancel_flow",
            Self::CancelFlowHeader { .. } => "cancel_flow_header",
            Self::AckCancelMember { .. } => "ack_cancel_member",
            Self::Reconcile { .. } => "reconcile",
            Self::ListExecutionEvents { .. } => "list_execution_events",
            Self::ReadEvents { .. } => "read_events",
            Self::RegisterWorker { .. } => "register_worker",
            Self::HeartbeatWorker { .. } => "heartbeat_worker",
            Self::MarkWorkerDead { .. } => "mark_worker_dead",
            Self::ListWorkers { .. } => "list_workers",
            Self::ListExpiredLeases { .. } => "list_expired_leases",
            Self::ListLanes => "list_lanes",
            Self::PauseLane { .. } => "pause_lane",
            Self::ResumeLane { .. } => "resume_lane",
            Self::SetRetention { .. } => "set_retention",
            Self::Ping => "ping",
            Self::Now => "now",
            Self::Prepare => "prepare",
        })
    }

    /// The area that a backend claims with the step's operation.
    pub(super) fn area(&self) -> Option<Area> {
        let operation = self.operation()?;
        OPERATIONS.iter().find(|(name, _)| *name == operation).map(|(_, area)| *area)
    }

    /// Whether it may change what belongs to any area.
    pub(super) fn sweeps(&self) -> bool {
        matches!(self, Self::Reconcile { .. } | Self::Reopen)
    }

    /// Whether it changes nothing, so that there is nothing to compare but its answer.
    pub(super) fn is_read(&self) -> bool {
        let reads = ["describe", "list", "get", "read", "count", "check", "ping", "now"];
        self.operation().is_some_and(|name| reads.iter().any(|read| name.starts_with(read)))
    }
}
