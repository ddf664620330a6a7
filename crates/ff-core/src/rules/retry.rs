//! Whether and when a failed attempt is tried again (FIN-2, FIN-4).

use crate::backend::FailureClass;
use crate::execution::Execution;
use crate::policy::{BackoffStrategy, RetryPolicy};
use crate::types::{AttemptIndex, ExecutionId};

/// Milliseconds until the next attempt; `None` when the class is not tried again or the budget is
/// spent.
pub fn retry_delay_ms(execution: &Execution, class: FailureClass) -> Option<u64> {
    let default;
    let policy = match execution.policy.as_ref().and_then(|policy| policy.retry_policy.as_ref()) {
        Some(policy) => policy,
        None => {
            default = RetryPolicy::default();
            &default
        }
    };
    if !is_retryable(policy, class) || execution.retry_count >= policy.max_retries {
        return None;
    }
    let delay = backoff_ms(&policy.backoff, execution.retry_count);
    Some(match policy.backoff {
        BackoffStrategy::Exponential { jitter: true, .. } => {
            with_jitter(delay, &execution.execution_id, execution.attempt_index)
        }
        _ => delay,
    })
}

fn is_retryable(policy: &RetryPolicy, class: FailureClass) -> bool {
    let categories = &policy.retryable_categories;
    match class {
        FailureClass::Transient | FailureClass::InfraCrash | FailureClass::Timeout => {
            categories.is_empty() || categories.iter().any(|word| word == class.as_str())
        }
        FailureClass::Permanent | FailureClass::Cancelled => false,
    }
}

/// Milliseconds of backoff before the retry that follows `retries` earlier ones, without jitter.
///
/// ```
/// use ff_core::policy::BackoffStrategy;
/// use ff_core::rules::retry::backoff_ms;
///
/// let default = BackoffStrategy::default();
/// let delays: Vec<u64> = (0..8).map(|retries| backoff_ms(&default, retries)).collect();
/// assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
/// ```
pub fn backoff_ms(backoff: &BackoffStrategy, retries: u32) -> u64 {
    match *backoff {
        BackoffStrategy::Fixed { delay_ms } => delay_ms,
        BackoffStrategy::Exponential { initial_delay_ms, max_delay_ms, multiplier, .. } => {
            let exponent = i32::try_from(retries).unwrap_or(i32::MAX);
            let delay = initial_delay_ms as f64 * multiplier.powi(exponent);
            // A float beyond the range of u64 becomes its end, and NaN (0 times infinity) becomes 0.
            (delay as u64).min(max_delay_ms)
        }
    }
}

/// Shortens a delay by a share of up to a half that is fixed by the execution and the attempt.
fn with_jitter(delay_ms: u64, execution_id: &ExecutionId, attempt_index: AttemptIndex) -> u64 {
    let (high, low) = execution_id.uuid().as_u64_pair();
    let share = mix(high ^ mix(low ^ u64::from(attempt_index.0)));
    let largest_cut = u128::from(delay_ms / 2) + 1;
    let cut = (u128::from(share) * largest_cut) >> 64;
    delay_ms - u64::try_from(cut).unwrap_or(0)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): spreads every input bit over the word.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::ExecutionKey;
    use crate::policy::ExecutionPolicy;
    use crate::types::{LaneId, Namespace, TimestampMs};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn execution(policy: Option<RetryPolicy>, retry_count: u32) -> Execution {
        let mut execution = Execution::submitted(ExecutionKey {
            execution_id: ExecutionId::from_parts(0, Uuid::from_u128(7)),
            lane_id: LaneId::new("l"),
            namespace: Namespace::new("n"),
            created_at: TimestampMs(0),
        });
        execution.policy = policy.map(|policy| ExecutionPolicy {
            retry_policy: Some(policy),
            ..ExecutionPolicy::default()
        });
        execution.retry_count = retry_count;
        execution
    }

    #[test]
    fn no_policy_means_three_retries_of_the_classes_that_can_be() {
        for class in FailureClass::ALL {
            let delays: Vec<_> =
                (0..4).map(|count| retry_delay_ms(&execution(None, count), *class)).collect();
            let expected = match class {
                FailureClass::Permanent | FailureClass::Cancelled => vec![None; 4],
                _ => vec![Some(1_000), Some(2_000), Some(4_000), None],
            };
            assert_eq!(delays, expected, "{class}");
        }
    }

    #[test]
    fn categories_narrow_the_classes() {
        let policy = RetryPolicy {
            retryable_categories: vec!["timeout".to_owned(), "permanent".to_owned()],
            ..RetryPolicy::default()
        };
        let execution = execution(Some(policy), 0);
        assert!(retry_delay_ms(&execution, FailureClass::Timeout).is_some());
        assert!(retry_delay_ms(&execution, FailureClass::Transient).is_none());
        assert!(retry_delay_ms(&execution, FailureClass::Permanent).is_none());
    }

    proptest! {
        #[test]
        fn backoff_never_overflows_and_never_shrinks(
            initial_delay_ms: u64, max_delay_ms: u64, multiplier in 1.0..1e300, retries: u32,
        ) {
            let backoff = BackoffStrategy::Exponential {
                initial_delay_ms, max_delay_ms, multiplier, jitter: false,
            };
            let delay = backoff_ms(&backoff, retries);
            prop_assert!(delay <= max_delay_ms);
            prop_assert!(delay <= backoff_ms(&backoff, retries.saturating_add(1)));
        }

        #[test]
        fn jitter_cuts_at_most_half_and_repeats_itself(delay: u64, id: u128, index: u32) {
            let id = ExecutionId::from_parts(0, Uuid::from_u128(id));
            let jittered = with_jitter(delay, &id, AttemptIndex::new(index));
            prop_assert!(jittered <= delay && jittered >= delay / 2);
            prop_assert_eq!(jittered, with_jitter(delay, &id, AttemptIndex::new(index)));
        }
    }

    #[test]
    fn jitter_spreads_what_failed_together() {
        let delays: std::collections::BTreeSet<u64> = (0..100)
            .map(|n| {
                let id = ExecutionId::from_parts(0, Uuid::from_u128(n));
                with_jitter(60_000, &id, AttemptIndex::new(0))
            })
            .collect();
        assert!(delays.len() > 95);
    }
}
