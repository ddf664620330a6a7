//! What is submitted, and what must become of it.

use std::time::Duration;

use ff_core::policy::{BackoffStrategy, ExecutionPolicy, RetryPolicy, TimeoutPolicy};
use ff_core::state::PublicState::{self, Cancelled, Completed, Expired, Failed};
use ff_runtime::{ClientError, Submission};
use serde::{Deserialize, Serialize};

use crate::random::Random;

pub(crate) const KIND: &str = "chaos";
pub(crate) const LANE: &str = "chaos";
/// Short, so that what a killed process held is soon taken by others.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(2);

/// How often an attempt may be taken away or fail before the engine gives up: never, here.
const FOR_EVER: u32 = 1_000_000;

/// The payload of an execution. Its key is the execution's idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) key: String,
    pub(crate) plan: Plan,
}

/// What its handler does, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// Works for so many milliseconds.
    Work(u64),
    /// Fails in so many first attempts.
    Flaky(u32),
    /// Works for longer than a lease lasts.
    Slow,
    /// Begins so many milliseconds later.
    Delayed(u64),
    /// Hangs in its first attempt, which has a limit.
    Hang,
    /// Panics in its first attempt.
    Panic,
    /// Fails for good.
    GiveUp,
    /// Fails as often as it may.
    Exhaust,
    /// Ends itself as cancelled.
    Quit,
    /// Is cancelled by who submitted it, in time or not.
    Unwanted,
    /// Has a deadline that it may miss.
    Late,
    /// Belongs to a flow that is cancelled, in time or not.
    Member,
}

/// What a task returns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Returned {
    key: String,
    digest: u64,
}

impl Task {
    /// Most tasks just work.
    pub(crate) fn draw(key: String, random: &mut Random) -> Self {
        let plan = match random.below(100) {
            0..=9 => Plan::Flaky(1 + u32::try_from(random.below(3)).unwrap_or_default()),
            10..=12 => Plan::Slow,
            13..=19 => Plan::Delayed(random.below(800)),
            20..=21 => Plan::Hang,
            22..=23 => Plan::Panic,
            24..=26 => Plan::GiveUp,
            27..=28 => Plan::Exhaust,
            29..=30 => Plan::Quit,
            31..=33 => Plan::Unwanted,
            34..=36 => Plan::Late,
            _ => Plan::Work(random.below(40)),
        };
        Self { key, plan }
    }

    /// The states in which it may end.
    pub(crate) fn ends(&self) -> &'static [PublicState] {
        match self.plan {
            Plan::Work(_)
            | Plan::Flaky(_)
            | Plan::Slow
            | Plan::Delayed(_)
            | Plan::Hang
            | Plan::Panic => &[Completed],
            Plan::GiveUp | Plan::Exhaust => &[Failed],
            Plan::Quit => &[Cancelled],
            Plan::Unwanted | Plan::Member => &[Completed, Cancelled],
            Plan::Late => &[Completed, Expired],
        }
    }

    /// What it must return: the same in every attempt.
    pub(crate) fn returns(&self) -> Returned {
        // FNV-1a.
        let digest = self.key.bytes().fold(0xcbf2_9ce4_8422_2325, |digest: u64, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Returned { key: self.key.clone(), digest }
    }

    pub(crate) fn submission(&self) -> Result<Submission, ClientError> {
        let submission = Submission::new(KIND, self)?
            .lane(LANE)
            .idempotency_key(self.key.clone())
            .policy(self.policy());
        Ok(match self.plan {
            Plan::Delayed(millis) => submission.delay(Duration::from_millis(millis)),
            Plan::Late => submission.deadline(Duration::from_millis(500)),
            _ => submission,
        })
    }

    fn policy(&self) -> ExecutionPolicy {
        let max_retries = if self.plan == Plan::Exhaust { 2 } else { FOR_EVER };
        let backoff = BackoffStrategy::Fixed { delay_ms: 50 };
        let attempt_timeout_ms = (self.plan == Plan::Hang).then_some(500);
        ExecutionPolicy {
            retry_policy: Some(RetryPolicy { max_retries, backoff, ..RetryPolicy::default() }),
            timeout_policy: Some(TimeoutPolicy {
                attempt_timeout_ms,
                max_reclaim_count: FOR_EVER,
                ..TimeoutPolicy::default()
            }),
            ..ExecutionPolicy::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_is_drawn() {
        let mut random = Random::new(1, "");
        let drawn: Vec<_> =
            (0..2_000).map(|number| Task::draw(number.to_string(), &mut random)).collect();
        let plan = |task: &Task| std::mem::discriminant(&task.plan);
        let plans: std::collections::HashSet<_> = drawn.iter().map(plan).collect();
        // All but members, which are made with their flows.
        assert_eq!(plans.len(), 11);
    }

    #[test]
    fn what_a_task_returns_is_its_own() {
        let task = |key: &str| Task { key: key.to_owned(), plan: Plan::Slow };
        assert_eq!(task("a").returns(), task("a").returns());
        assert_ne!(task("a").returns().digest, task("b").returns().digest);
    }
}
