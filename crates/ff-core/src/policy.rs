//! Policies: what an execution asks of the engine. Every field has a default, so that a policy
//! that was stored by an older or a newer program stays readable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What an execution asks of the engine beyond being run.
///
/// ```
/// use ff_core::policy::{ExecutionPolicy, RetryPolicy};
///
/// let policy = ExecutionPolicy {
///     retry_policy: Some(RetryPolicy { max_retries: 10, ..RetryPolicy::default() }),
///     ..ExecutionPolicy::default()
/// };
/// assert_eq!(policy.max_replay_count, 10);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecutionPolicy {
    /// When and how often a failed attempt is tried again. `None` is [`RetryPolicy::default`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// How long attempts and the whole execution may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_policy: Option<TimeoutPolicy>,
    /// Which workers may run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_requirements: Option<RoutingRequirements>,
    /// How often it may be replayed after it finished.
    pub max_replay_count: u32,
}

impl Default for ExecutionPolicy {
    fn default() -> Self {
        Self {
            retry_policy: None,
            timeout_policy: None,
            routing_requirements: None,
            max_replay_count: 10,
        }
    }
}

/// When and how often a failed attempt is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    /// Attempts after the first, at most.
    pub max_retries: u32,
    /// How long to wait before each.
    pub backoff: BackoffStrategy,
    /// The words of the [failure classes](crate::backend::FailureClass) that are tried again; empty
    /// means every class that can be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retryable_categories: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: BackoffStrategy::default(),
            retryable_categories: Vec::new(),
        }
    }
}

/// How long to wait before a retry. The default is exponential from 1 s by 2 up to 60 s, no jitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BackoffStrategy {
    /// The same time before each retry.
    Fixed {
        /// Milliseconds.
        #[serde(default = "default_initial_delay_ms")]
        delay_ms: u64,
    },
    /// A time that grows with each retry.
    Exponential {
        /// Milliseconds before the first retry.
        #[serde(default = "default_initial_delay_ms")]
        initial_delay_ms: u64,
        /// Milliseconds that no wait exceeds.
        #[serde(default = "default_max_delay_ms")]
        max_delay_ms: u64,
        /// What each wait is multiplied by to give the next; at least 1.
        #[serde(default = "default_multiplier")]
        multiplier: f64,
        /// Whether a wait is shortened by up to half, so that executions that failed together do
        /// not all return together. The share is a pure function of execution and attempt.
        #[serde(default)]
        jitter: bool,
    },
}

impl Default for BackoffStrategy {
    fn default() -> Self {
        Self::Exponential {
            initial_delay_ms: default_initial_delay_ms(),
            max_delay_ms: default_max_delay_ms(),
            multiplier: default_multiplier(),
            jitter: false,
        }
    }
}

fn default_initial_delay_ms() -> u64 {
    1_000
}

fn default_max_delay_ms() -> u64 {
    60_000
}

fn default_multiplier() -> f64 {
    2.0
}

/// How long attempts and the whole execution may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeoutPolicy {
    /// Milliseconds from an attempt's claim after which it ends as timed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// Milliseconds from creation after which the execution expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_deadline_ms: Option<u64>,
    /// How often an expired lease is given to another worker before the execution fails.
    pub max_reclaim_count: u32,
}

impl Default for TimeoutPolicy {
    fn default() -> Self {
        Self { attempt_timeout_ms: None, execution_deadline_ms: None, max_reclaim_count: 100 }
    }
}

/// Which workers may run an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutingRequirements {
    /// The capabilities that its worker must have, all of them.
    pub required_capabilities: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_unknown_and_missing_fields_is_read() {
        let json = r#"{
            "retry_policy": {"backoff": {"type": "exponential", "jitter": true}, "colour": 1},
            "timeout_policy": {},
            "later_area": {}
        }"#;
        let policy: ExecutionPolicy = serde_json::from_str(json).unwrap();
        assert_eq!(policy.max_replay_count, 10);
        let retry = policy.retry_policy.unwrap();
        assert_eq!(retry.max_retries, 3);
        assert_eq!(
            retry.backoff,
            BackoffStrategy::Exponential {
                initial_delay_ms: 1_000,
                max_delay_ms: 60_000,
                multiplier: 2.0,
                jitter: true
            }
        );
        assert_eq!(policy.timeout_policy.unwrap().max_reclaim_count, 100);
    }

    #[test]
    fn the_stored_form_is_short() {
        let policy = ExecutionPolicy {
            retry_policy: Some(RetryPolicy {
                backoff: BackoffStrategy::Fixed { delay_ms: 5 },
                ..RetryPolicy::default()
            }),
            ..ExecutionPolicy::default()
        };
        assert_eq!(
            serde_json::to_string(&policy).unwrap(),
            r#"{"retry_policy":{"max_retries":3,"backoff":{"type":"fixed","delay_ms":5}},"max_replay_count":10}"#
        );
    }
}
