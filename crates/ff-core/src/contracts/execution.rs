use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::execution::{AttemptError, Execution};
use crate::policy::ExecutionPolicy;
use crate::state::PublicState;
use crate::types::{ExecutionId, LaneId, Namespace, TimestampMs};

/// An execution to create. [`crate::rules::input`] gives the limits of each field.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateExecutionArgs {
    /// Its id, minted by the caller, so that repeating the call is safe.
    pub execution_id: ExecutionId,
    /// Whose it is.
    pub namespace: Namespace,
    /// The lane that it waits in.
    pub lane_id: LaneId,
    /// What handles it.
    pub execution_kind: String,
    /// What its handler is given.
    pub input_payload: Vec<u8>,
    /// How the payload is encoded, such as `json`.
    pub payload_encoding: Option<String>,
    /// Claimed before executions with a lower one.
    pub priority: i32,
    /// Who creates it.
    pub creator_identity: String,
    /// Makes one execution of all that name the same key in the same namespace and lane.
    pub idempotency_key: Option<String>,
    /// Labels that it can be found by.
    pub tags: HashMap<String, String>,
    /// What it asks of the engine.
    pub policy: Option<ExecutionPolicy>,
    /// Not claimable before this time.
    pub delay_until: Option<TimestampMs>,
    /// Expires at this time unless it has finished.
    pub execution_deadline_at: Option<TimestampMs>,
    /// Advisory: the id's own partition counts.
    pub partition_id: u16,
    /// The time of creation.
    pub now: TimestampMs,
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateExecutionResult {
    /// It is stored.
    Created {
        /// Its id.
        execution_id: ExecutionId,
        /// `Waiting`, or `Delayed`.
        public_state: PublicState,
    },
    /// It was there before, by its id or by its idempotency key; nothing was changed.
    Duplicate {
        /// The id of the one that was there.
        execution_id: ExecutionId,
    },
}

impl CreateExecutionResult {
    /// The id of the execution that is stored, by this call or before.
    pub fn execution_id(&self) -> &ExecutionId {
        match self {
            Self::Created { execution_id, .. } | Self::Duplicate { execution_id } => execution_id,
        }
    }
}

/// A lease to end with success.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The lease.
    pub handle: crate::backend::Handle,
    /// What the handler returned.
    pub result: Option<Vec<u8>>,
}

/// A lease to end with a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The lease.
    pub handle: crate::backend::Handle,
    /// What went wrong.
    pub reason: crate::backend::FailureReason,
    /// What kind of failure it was.
    pub class: crate::backend::FailureClass,
}

/// What a handler needs to run an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionContext {
    /// The lane that it was claimed from.
    pub lane_id: LaneId,
    /// Whose it is.
    pub namespace: Namespace,
    /// What handles it.
    pub execution_kind: String,
    /// What the handler is given.
    pub input_payload: Vec<u8>,
    /// How the payload is encoded.
    pub payload_encoding: Option<String>,
    /// Its labels.
    pub tags: HashMap<String, String>,
    /// What it asks of the engine.
    pub policy: Option<ExecutionPolicy>,
}

impl ExecutionContext {
    /// What a handler needs, taken from a stored execution and its payload.
    pub fn new(
        execution: Execution,
        input_payload: Vec<u8>,
        payload_encoding: Option<String>,
    ) -> Self {
        Self {
            lane_id: execution.lane_id,
            namespace: execution.namespace,
            execution_kind: execution.execution_kind,
            input_payload,
            payload_encoding,
            tags: execution.tags,
            policy: execution.policy,
        }
    }
}

/// How an execution stands, for whoever waits for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionOutcome {
    /// What a user is told.
    pub public_state: PublicState,
    /// What its handler returned, once it completed.
    pub result: Option<Vec<u8>>,
    /// What went wrong in its current attempt.
    pub error: Option<AttemptError>,
}

impl ExecutionOutcome {
    /// How an execution stands, with its stored result.
    pub fn new(execution: Execution, result: Option<Vec<u8>>) -> Self {
        Self {
            public_state: execution.public_state,
            result,
            error: execution.current_attempt.and_then(|attempt| attempt.error),
        }
    }
}

/// Which executions to list or to count. Every field that is set narrows the choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Whose.
    pub namespace: Option<Namespace>,
    /// In which lane.
    pub lane_id: Option<LaneId>,
    /// In which public state.
    pub public_state: Option<PublicState>,
    /// Of which kind.
    pub execution_kind: Option<String>,
    /// With this tag, key and value.
    pub tag: Option<(String, String)>,
    /// Created at this time or later.
    pub created_from: Option<TimestampMs>,
    /// Created before this time.
    pub created_before: Option<TimestampMs>,
}

impl ExecutionFilter {
    /// Whether the execution is one of those asked for.
    pub fn matches(&self, execution: &Execution) -> bool {
        let tag = |(key, value): &(String, String)| execution.tags.get(key) == Some(value);
        self.namespace.as_ref().is_none_or(|namespace| execution.namespace == *namespace)
            && self.lane_id.as_ref().is_none_or(|lane| execution.lane_id == *lane)
            && self.public_state.is_none_or(|state| execution.public_state == state)
            && self.execution_kind.as_ref().is_none_or(|kind| execution.execution_kind == *kind)
            && self.tag.as_ref().is_none_or(tag)
            && self.created_from.is_none_or(|from| execution.created_at >= from)
            && self.created_before.is_none_or(|before| execution.created_at < before)
    }
}

/// The last execution of a page: the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionsCursor {
    /// When it was created.
    pub created_at: TimestampMs,
    /// Its id.
    pub execution_id: ExecutionId,
}

/// A page of executions, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionPage {
    /// The executions.
    pub executions: Vec<Execution>,
    /// Where the next page begins; set only when this one is full.
    pub cursor: Option<ExecutionsCursor>,
}

/// Oldest first; among executions of one millisecond, by id.
type Age = (TimestampMs, Uuid, u16);

fn age(created_at: TimestampMs, id: &ExecutionId) -> Age {
    (created_at, id.uuid(), id.partition())
}

impl ExecutionPage {
    /// The page after the cursor, of all the executions that a filter matches, in any order.
    pub fn of(
        mut executions: Vec<Execution>,
        after: Option<&ExecutionsCursor>,
        limit: u32,
    ) -> Self {
        let after = after.map(|cursor| age(cursor.created_at, &cursor.execution_id));
        let age_of = |execution: &Execution| age(execution.created_at, &execution.execution_id);
        executions.retain(|execution| after.is_none_or(|after| age_of(execution) > after));
        executions.sort_by_key(age_of);
        let limit = limit.min(LIST_EXECUTIONS_MAX_LIMIT) as usize;
        executions.truncate(limit);
        let last = executions.last().filter(|_| executions.len() == limit);
        let cursor = last.map(|last| ExecutionsCursor {
            created_at: last.created_at,
            execution_id: last.execution_id.clone(),
        });
        Self { executions, cursor }
    }
}

/// How many executions of a lane are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionCount {
    /// The lane.
    pub lane_id: LaneId,
    /// The state.
    pub public_state: PublicState,
    /// How many.
    pub count: u64,
}

impl ExecutionCount {
    /// The counts of the executions given, by lane and public state.
    pub fn of(executions: impl IntoIterator<Item = Execution>) -> Vec<Self> {
        let mut counts = BTreeMap::new();
        for execution in executions {
            *counts.entry((execution.lane_id, execution.public_state)).or_insert(0) += 1;
        }
        let in_words = |((lane_id, public_state), count)| Self { lane_id, public_state, count };
        counts.into_iter().map(in_words).collect()
    }
}

/// Executions on a page when the caller asks for more.
pub const LIST_EXECUTIONS_MAX_LIMIT: u32 = 1_000;
