//! What a client submits.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use ff_core::contracts::CreateExecutionArgs;
use ff_core::partition::PartitionConfig;
use ff_core::policy::{ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy};
use ff_core::types::{ExecutionId, FlowId, LaneId, Namespace, TimestampMs};
use serde::Serialize;

use crate::clock::millis;
use crate::error::ClientError;

/// The lane of executions and workers that name none.
pub(crate) const DEFAULT_LANE: &str = "default";

/// An execution to submit: its kind, its payload and what it asks of the engine.
///
/// ```
/// use std::time::Duration;
/// use ff_runtime::Submission;
///
/// let submission = Submission::new("send-mail", &("ada@example.org", "welcome"))?
///     .lane("mail")
///     .priority(5)
///     .delay(Duration::from_secs(60))
///     .idempotency_key("welcome-ada")
///     .tag("customer", "ada");
/// # Ok::<(), ff_runtime::ClientError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Submission {
    kind: String,
    payload: Vec<u8>,
    lane: LaneId,
    priority: i32,
    delay: Option<Duration>,
    deadline: Option<Duration>,
    idempotency_key: Option<String>,
    creator: String,
    tags: HashMap<String, String>,
    policy: Option<ExecutionPolicy>,
    flow: Option<FlowId>,
}

/// What a client adds to a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) partitions: &'a PartitionConfig,
    pub(crate) now: TimestampMs,
}

impl Submission {
    /// An execution of `kind` whose handler is given `payload`, as JSON, in the lane `default`.
    ///
    /// # Errors
    /// [`ClientError::Encode`] when the payload has no JSON form.
    pub fn new(kind: impl Into<String>, payload: &impl Serialize) -> Result<Self, ClientError> {
        Ok(Self {
            kind: kind.into(),
            payload: serde_json::to_vec(payload).map_err(ClientError::Encode)?,
            lane: LaneId::new(DEFAULT_LANE),
            priority: 0,
            delay: None,
            deadline: None,
            idempotency_key: None,
            creator: String::new(),
            tags: HashMap::new(),
            policy: None,
            flow: None,
        })
    }

    /// Waits in this lane.
    pub fn lane(mut self, lane: impl Display) -> Self {
        self.lane = LaneId::new(lane.to_string());
        self
    }

    /// Claimed before executions of its lane with a lower one. The default is 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Not claimable before this much time has passed.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Expires unless it has finished after this much time.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Makes one execution of all that name the same key in the same namespace and lane.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Makes it a member of a flow, which must be there and open.
    pub fn flow(mut self, flow_id: FlowId) -> Self {
        self.flow = Some(flow_id);
        self
    }

    /// Who submits it.
    pub fn creator(mut self, creator: impl Into<String>) -> Self {
        self.creator = creator.into();
        self
    }

    /// A label that it can be found by. May be called again; a key's last value counts.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Replaces the whole policy, also what [`retry`](Self::retry),
    /// [`attempt_timeout`](Self::attempt_timeout) and [`requires`](Self::requires) set before.
    pub fn policy(mut self, policy: ExecutionPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// When and how often a failed attempt is tried again.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.policy_mut().retry_policy = Some(retry);
        self
    }

    /// Ends an attempt as timed out when it runs longer than this.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        let policy = self.policy_mut().timeout_policy.get_or_insert_with(TimeoutPolicy::default);
        policy.attempt_timeout_ms = Some(millis(timeout));
        self
    }

    /// Only a worker with this capability may run it. May be called again: it needs them all.
    pub fn requires(mut self, capability: impl Into<String>) -> Self {
        let routing =
            self.policy_mut().routing_requirements.get_or_insert_with(RoutingRequirements::default);
        routing.required_capabilities.insert(capability.into());
        self
    }

    fn policy_mut(&mut self) -> &mut ExecutionPolicy {
        self.policy.get_or_insert_with(ExecutionPolicy::default)
    }

    /// The flow that it shall be a member of.
    pub(crate) fn flow_id(&self) -> Option<FlowId> {
        self.flow
    }

    /// The engine's form of it, under a new id.
    pub(crate) fn into_args(self, origin: Origin<'_>) -> CreateExecutionArgs {
        let execution_id = match &self.flow {
            Some(flow_id) => ExecutionId::for_flow(flow_id, origin.partitions),
            None => ExecutionId::solo(&self.lane, origin.partitions),
        };
        let after = |duration: Duration| origin.now.saturating_add_millis(millis(duration));
        CreateExecutionArgs {
            namespace: origin.namespace.clone(),
            lane_id: self.lane,
            execution_kind: self.kind,
            input_payload: self.payload,
            payload_encoding: Some("json".to_owned()),
            priority: self.priority,
            creator_identity: self.creator,
            idempotency_key: self.idempotency_key,
            tags: self.tags,
            policy: self.policy,
            delay_until: self.delay.map(after),
            execution_deadline_at: self.deadline.map(after),
            partition_id: execution_id.partition(),
            execution_id,
            now: origin.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(submission: Submission) -> CreateExecutionArgs {
        submission.into_args(Origin {
            namespace: &Namespace::new("n"),
            partitions: &PartitionConfig::default(),
            now: TimestampMs::from_millis(1_000),
        })
    }

    #[test]
    fn the_plain_form_asks_for_nothing() {
        let args = args(Submission::new("k", &7).unwrap());
        assert_eq!(args.execution_kind, "k");
        assert_eq!(args.input_payload, b"7");
        assert_eq!(args.payload_encoding.as_deref(), Some("json"));
        assert_eq!(args.lane_id.as_str(), "default");
        assert_eq!((args.execution_id.partition(), args.partition_id), (86, 86));
        assert_eq!((args.policy, args.delay_until, args.execution_deadline_at), (None, None, None));
    }

    #[test]
    fn a_member_lies_where_its_flow_does() {
        let flow_id = "550e8400-e29b-41d4-a716-446655440000".parse().unwrap();
        let args = args(Submission::new("k", &7).unwrap().flow(flow_id));
        assert_eq!((args.execution_id.partition(), args.partition_id), (24, 24));
    }

    #[test]
    fn times_count_from_the_submission() {
        let submission = Submission::new("k", &()).unwrap();
        let args = args(submission.delay(Duration::from_secs(1)).deadline(Duration::MAX));
        assert_eq!(args.delay_until, Some(TimestampMs::from_millis(2_000)));
        assert_eq!(args.execution_deadline_at, Some(TimestampMs::from_millis(i64::MAX)));
    }

    #[test]
    fn the_parts_of_a_policy_add_up() {
        let submission = Submission::new("k", &())
            .unwrap()
            .retry(RetryPolicy { max_retries: 1, ..RetryPolicy::default() })
            .attempt_timeout(Duration::from_secs(2))
            .requires("gpu")
            .requires("eu");
        let policy = args(submission).policy.unwrap();
        assert_eq!(policy.retry_policy.unwrap().max_retries, 1);
        assert_eq!(policy.timeout_policy.unwrap().attempt_timeout_ms, Some(2_000));
        let required = policy.routing_requirements.unwrap().required_capabilities;
        assert_eq!(Vec::from_iter(required), ["eu", "gpu"]);
    }

    #[test]
    fn a_payload_without_a_json_form_is_refused() {
        let by_bytes = HashMap::from([(vec![1_u8], 2)]);
        assert!(matches!(Submission::new("k", &by_bytes), Err(ClientError::Encode(_))));
    }
}
