//! The state words, spelled once.
//!
//! Every word is stored as its snake_case text, the same in both databases. Reading accepts a few
//! older spellings besides; writing never makes them.

use std::fmt;

/// A text that is not a word of its vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a word of {vocabulary}")]
pub struct UnknownWord {
    /// The vocabulary that was asked.
    pub vocabulary: &'static str,
    /// The text that it does not hold.
    pub word: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$word_doc:meta])* $word:ident = $text:literal $(| $other:literal)*),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word),+
        }

        impl $name {
            /// Every word, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The stored word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),+
                }
            }

            /// Every text that reads as this word, the stored one first.
            pub const fn spellings(self) -> &'static [&'static str] {
                match self {
                    $(Self::$word => &[$text $(, $other)*]),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::state::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text $(| $other)* => Ok(Self::$word),)+
                    _ => Err($crate::state::UnknownWord {
                        vocabulary: stringify!($name),
                        word: text.to_owned(),
                    }),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::state::WordVisitor(::std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use words;

pub(crate) struct WordVisitor<W>(pub(crate) std::marker::PhantomData<W>);

impl<W> serde::de::Visitor<'_> for WordVisitor<W>
where
    W: std::str::FromStr<Err = UnknownWord>,
{
    type Value = W;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state word")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<W, E> {
        text.parse().map_err(E::custom)
    }
}

words! {
    /// Where an execution stands in its life.
    LifecyclePhase {
        /// Accepted.
        Submitted = "submitted",
        /// Admitted, waiting, or given back.
        Runnable = "runnable",
        /// Leased to a worker.
        Active = "active",
        /// Waiting for a signal.
        Suspended = "suspended",
        /// Finished by its worker, its deadline or its flow's shape.
        Terminal = "terminal",
        /// Finished by a cancellation.
        Cancelled = "cancelled",
    }
}

words! {
    /// Whether a worker holds an execution.
    OwnershipState {
        /// Nobody holds it.
        Unowned = "unowned",
        /// A worker holds its lease.
        Leased = "leased",
    }
}

words! {
    /// Whether an execution may be claimed, and what stands in the way.
    EligibilityState {
        /// It may be claimed.
        EligibleNow = "eligible_now",
        /// It may be claimed from `eligible_at_ms` on.
        NotEligibleUntilTime = "not_eligible_until_time",
        /// Executions that it depends on have not finished.
        BlockedByDependencies = "blocked_by_dependencies",
        /// Its budget is spent.
        BlockedByBudget = "blocked_by_budget",
        /// Its quota is used up.
        BlockedByQuota = "blocked_by_quota",
        /// An operator holds it back.
        BlockedByOperator = "blocked_by_operator",
        /// It is active, suspended or finished.
        NotApplicable = "not_applicable",
    }
}

words! {
    /// Where the current attempt of an execution stands.
    AttemptState {
        /// No attempt has begun.
        Pending = "pending" | "initial",
        /// A worker runs it.
        RunningAttempt = "running_attempt",
        /// The last attempt was cut off or given back.
        AttemptInterrupted = "attempt_interrupted",
        /// The last attempt failed and another follows.
        PendingRetryAttempt = "pending_retry_attempt",
        /// An operator asked for another attempt.
        PendingReplayAttempt = "pending_replay_attempt",
        /// The last attempt ended and none follows.
        AttemptTerminal = "attempt_terminal",
    }
}

words! {
    /// What a user is told, derived from the other words.
    PublicState {
        /// Waiting for a worker.
        Waiting = "waiting" | "pending",
        /// Waiting for its time.
        Delayed = "delayed",
        /// Waiting for budget or quota.
        RateLimited = "rate_limited",
        /// Waiting for executions that it depends on.
        WaitingChildren = "waiting_children",
        /// A worker runs it.
        Running = "running" | "claimed",
        /// Waiting for a signal.
        Suspended = "suspended",
        /// Its signal came; waiting for a worker.
        Resumable = "resumable",
        /// Finished with success.
        Completed = "completed",
        /// Finished with a failure.
        Failed = "failed",
        /// Cancelled.
        Cancelled = "cancelled",
        /// Its deadline passed.
        Expired = "expired",
        /// Left out by its flow's shape.
        Skipped = "skipped",
    }
}

words! {
    /// How an attempt ended.
    AttemptOutcome {
        /// The handler succeeded.
        Success = "success",
        /// It failed and nothing follows.
        Failed = "failed",
        /// It failed and a retry follows.
        Retry = "retry",
        /// Its lease expired or was revoked.
        Interrupted = "interrupted",
        /// It ran longer than its policy allows.
        TimedOut = "timed_out",
        /// Its worker gave it back.
        Released = "released",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// Its execution's deadline passed.
        Expired = "expired",
        /// Its flow left it out.
        Skipped = "skipped",
    }
}

words! {
    /// How an execution finished, as a completion event tells it.
    CompletionOutcome {
        /// The handler succeeded.
        Success = "success",
        /// It failed for good.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// Its deadline passed.
        Expired = "expired",
        /// Its flow left it out.
        Skipped = "skipped",
    }
}

words! {
    /// What happened to a lease, as a lease event tells it.
    LeaseEventType {
        /// A worker claimed the execution.
        Acquired = "acquired",
        /// The lease was taken from its worker.
        Revoked = "revoked",
        /// The lease's time was up.
        Expired = "expired",
        /// Its worker gave it back.
        Released = "released",
    }
}

words! {
    /// What an operator did, as an operator event tells it.
    #[non_exhaustive]
    OperatorEventType {
        /// The priority was changed.
        PriorityChanged = "priority_changed",
        /// A finished execution was set to run again.
        Replayed = "replayed",
        /// A flow's cancellation was asked for.
        FlowCancelRequested = "flow_cancel_requested",
    }
}

words! {
    /// What the registry of workers records.
    WorkerEventType {
        /// A process was put on the registry.
        Registered = "registered",
        /// It gave a sign of life.
        Heartbeat = "heartbeat",
        /// It was taken off by name.
        MarkedDead = "marked_dead",
        /// It was taken off because its time to live had passed without a sign of life.
        TtlSwept = "ttl_swept",
    }
}

words! {
    /// Where a flow stands.
    PublicFlowState {
        /// It takes members and they run.
        Open = "open",
        /// It finished with success.
        Completed = "completed",
        /// It finished with a failure.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

words! {
    /// Whether a lane gives out executions.
    LaneState {
        /// Claims take from it.
        Active = "active",
        /// Claims pass it by until it is resumed.
        Paused = "paused",
    }
}

impl LifecyclePhase {
    /// Whether the execution has finished and nothing but a replay can move it.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Terminal | Self::Cancelled)
    }
}

impl PublicState {
    /// Whether the execution has finished and nothing but a replay can move it.
    pub fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired | Self::Skipped
        )
    }
}

/// The public state that the other words derive, by rule STATE-1.
///
/// `outcome` is that of the current attempt. `None` is the answer to words that no operation
/// leaves behind, such as a terminal execution whose current attempt has not ended.
pub fn derive_public_state(
    phase: LifecyclePhase,
    eligibility: EligibilityState,
    outcome: Option<AttemptOutcome>,
) -> Option<PublicState> {
    match phase {
        LifecyclePhase::Submitted | LifecyclePhase::Runnable => derive_waiting(eligibility),
        LifecyclePhase::Active => Some(PublicState::Running),
        LifecyclePhase::Suspended => Some(PublicState::Suspended),
        LifecyclePhase::Terminal => derive_finished(outcome?),
        LifecyclePhase::Cancelled => Some(PublicState::Cancelled),
    }
}

fn derive_waiting(eligibility: EligibilityState) -> Option<PublicState> {
    match eligibility {
        EligibilityState::EligibleNow | EligibilityState::BlockedByOperator => {
            Some(PublicState::Waiting)
        }
        EligibilityState::NotEligibleUntilTime => Some(PublicState::Delayed),
        EligibilityState::BlockedByDependencies => Some(PublicState::WaitingChildren),
        EligibilityState::BlockedByBudget | EligibilityState::BlockedByQuota => {
            Some(PublicState::RateLimited)
        }
        EligibilityState::NotApplicable => None,
    }
}

fn derive_finished(outcome: AttemptOutcome) -> Option<PublicState> {
    match outcome {
        AttemptOutcome::Success => Some(PublicState::Completed),
        AttemptOutcome::Failed | AttemptOutcome::Interrupted | AttemptOutcome::TimedOut => {
            Some(PublicState::Failed)
        }
        AttemptOutcome::Cancelled => Some(PublicState::Cancelled),
        AttemptOutcome::Expired => Some(PublicState::Expired),
        AttemptOutcome::Skipped => Some(PublicState::Skipped),
        AttemptOutcome::Retry | AttemptOutcome::Released => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_spellings_are_read_and_never_written() {
        assert_eq!("initial".parse(), Ok(AttemptState::Pending));
        assert_eq!("pending".parse(), Ok(PublicState::Waiting));
        assert_eq!("claimed".parse(), Ok(PublicState::Running));
        assert_eq!(PublicState::Waiting.as_str(), "waiting");
        assert_eq!(serde_json::to_string(&PublicState::Running).unwrap(), "\"running\"");
    }

    #[test]
    fn every_word_reads_back() {
        for state in PublicState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
            assert!(state.spellings().iter().all(|text| text.parse() == Ok(*state)));
        }
    }

    #[test]
    fn another_word_is_refused_by_name() {
        let error = "sleeping".parse::<LifecyclePhase>().unwrap_err();
        assert_eq!(error.to_string(), "\"sleeping\" is not a word of LifecyclePhase");
        assert!(serde_json::from_str::<PublicState>("\"Waiting\"").is_err());
    }

    #[test]
    fn public_state_follows_from_phase_eligibility_and_outcome() {
        let mut table = String::new();
        for phase in LifecyclePhase::ALL {
            let line = match phase {
                LifecyclePhase::Submitted | LifecyclePhase::Runnable => {
                    derive_line(EligibilityState::ALL, |word| {
                        derive_public_state(*phase, *word, None)
                    })
                }
                LifecyclePhase::Terminal => derive_line(AttemptOutcome::ALL, |word| {
                    derive_public_state(*phase, EligibilityState::NotApplicable, Some(*word))
                }),
                _ => derive_line(&[EligibilityState::NotApplicable], |word| {
                    derive_public_state(*phase, *word, None)
                }),
            };
            table.push_str(&format!("{phase}:{line}\n"));
        }
        expect_test::expect![[r#"
            submitted: eligible_now=waiting not_eligible_until_time=delayed blocked_by_dependencies=waiting_children blocked_by_budget=rate_limited blocked_by_quota=rate_limited blocked_by_operator=waiting not_applicable=-
            runnable: eligible_now=waiting not_eligible_until_time=delayed blocked_by_dependencies=waiting_children blocked_by_budget=rate_limited blocked_by_quota=rate_limited blocked_by_operator=waiting not_applicable=-
            active: not_applicable=running
            suspended: not_applicable=suspended
            terminal: success=completed failed=failed retry=- interrupted=failed timed_out=failed released=- cancelled=cancelled expired=expired skipped=skipped
            cancelled: not_applicable=cancelled
        "#]]
        .assert_eq(&table);
    }

    fn derive_line<W: fmt::Display>(
        words: &[W],
        derive: impl Fn(&W) -> Option<PublicState>,
    ) -> String {
        let show = |state: Option<PublicState>| state.map_or("-", PublicState::as_str);
        words.iter().map(|word| format!(" {word}={}", show(derive(word)))).collect()
    }
}
