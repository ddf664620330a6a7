//! Random sequences of commands through the rules alone.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{complete, fail};
use crate::backend::{FailureClass, FailureReason, Handle};
use crate::decision::{Decision, EventKind};
use crate::engine_error::EngineError;
use crate::execution::{Attempt, Execution};
use crate::policy::TimeoutPolicy;
use crate::rules::claim::grant;
use crate::rules::lease::{self, Held};
use crate::rules::testing::{
    CREATED, assert_sound, handle, waiting, with_retry, with_timeout, worker,
};
use crate::rules::timer;
use crate::types::TimestampMs;

/// What may happen to an execution. The number picks one of the handles that were ever given.
#[derive(Clone, Copy, Debug)]
enum Command {
    Advance(i64),
    Claim,
    Renew(usize),
    Progress(usize),
    Delay(usize, i64),
    Complete(usize),
    Fail(usize, FailureClass),
    Sweep(usize),
}

fn command() -> impl Strategy<Value = Command> {
    let class = prop::sample::select(FailureClass::ALL);
    prop_oneof![
        3 => (0_i64..700).prop_map(Command::Advance),
        4 => Just(Command::Claim),
        1 => any::<usize>().prop_map(Command::Renew),
        1 => any::<usize>().prop_map(Command::Progress),
        2 => (any::<usize>(), -10_i64..700).prop_map(|(n, time)| Command::Delay(n, time)),
        1 => any::<usize>().prop_map(Command::Complete),
        3 => (any::<usize>(), class)
            .prop_map(|(n, class)| Command::Fail(n, class)),
        4 => (0_usize..4).prop_map(Command::Sweep),
    ]
}

/// An execution and its attempts in a store of one, applied to by the rules alone.
struct Walk {
    execution: Execution,
    attempts: BTreeMap<u32, Attempt>,
    handles: Vec<Handle>,
    now: TimestampMs,
    completions: usize,
}

impl Walk {
    fn new() -> Self {
        let limits = TimeoutPolicy {
            attempt_timeout_ms: Some(900),
            max_reclaim_count: 1,
            ..TimeoutPolicy::default()
        };
        let mut execution = with_retry(with_timeout(waiting(), limits), 2, 50);
        execution.deadline_at = Some(TimestampMs(CREATED.0 + 8_000));
        Self {
            execution,
            attempts: BTreeMap::new(),
            handles: Vec::new(),
            now: CREATED,
            completions: 0,
        }
    }

    fn apply<T>(&mut self, decision: Decision<T>) -> T {
        let completions =
            decision.events.iter().filter(|event| matches!(event.kind, EventKind::Completion(_)));
        self.completions += completions.count();
        if let Some(patch) = decision.patch {
            if let Some(attempt) = patch.attempt {
                self.attempts.insert(attempt.attempt_index.0, attempt);
            }
            self.execution = patch.execution;
        }
        decision.outcome
    }

    /// Asks a rule by handle; only the newest handle may change anything.
    fn by_handle<T>(
        &mut self,
        pick: usize,
        rule: impl FnOnce(Held<'_>) -> Result<Decision<T>, EngineError>,
    ) {
        let Some(handle) = self.handles.get(pick % self.handles.len().max(1)) else { return };
        let is_newest = self.handles.last() == Some(handle);
        let attempt = self.attempts.get(&handle.attempt_index().0);
        let call = Held { execution: &self.execution, attempt, handle, now: self.now };
        if let Ok(decision) = rule(call) {
            assert!(is_newest || decision.patch.is_none(), "a stale handle changed something");
            self.apply(decision);
        }
    }

    fn step(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::Advance(millis) => self.now = TimestampMs(now.0 + millis),
            Command::Claim => {
                if let Ok(decision) = grant(&self.execution, &worker("w"), now) {
                    let lease = self.apply(decision);
                    let handle = handle(&self.execution, lease);
                    assert!(!self.handles.contains(&handle), "one lease was given twice");
                    self.handles.push(handle);
                }
            }
            Command::Renew(pick) => self.by_handle(pick, lease::renew),
            Command::Progress(pick) => self.by_handle(pick, |held| lease::progress(held, 1.into())),
            Command::Delay(pick, millis) => {
                self.by_handle(pick, |held| lease::delay(held, TimestampMs(now.0 + millis)));
            }
            Command::Complete(pick) => {
                self.by_handle(pick, |held| complete(held, None, None));
            }
            Command::Fail(pick, class) => {
                self.by_handle(pick, |held| fail(held, &FailureReason::new("boom"), class));
            }
            Command::Sweep(task) => {
                let sweeps = [
                    timer::expire_lease,
                    timer::promote_due,
                    timer::time_out_attempt,
                    timer::expire_deadline,
                ];
                if let Some(decision) = sweeps[task](&self.execution, now) {
                    self.apply(decision);
                }
            }
        }
    }
}

proptest! {
    /// STATE-1, CLAIM-3, SAFE-5: over any sequence of commands the words agree, the execution starts
    /// once, finishes once, and is told to have finished once.
    #[test]
    fn any_sequence_of_rules_leaves_a_sound_execution(
        commands in prop::collection::vec(command(), 1..120),
    ) {
        let mut walk = Walk::new();
        let mut finished: Option<Execution> = None;
        for command in commands {
            let before = walk.execution.clone();
            walk.step(command);
            let after = &walk.execution;
            assert_sound(after);
            prop_assert!(before.started_at.is_none() || before.started_at == after.started_at);
            prop_assert_eq!(after.started_at.is_some(), !walk.handles.is_empty());
            prop_assert!(before.attempt_index <= after.attempt_index);
            prop_assert_eq!(
                after.current_attempt.as_ref(),
                walk.attempts.get(&after.attempt_index.0)
            );
            prop_assert_eq!(walk.completions, usize::from(after.is_finished()));
            if let Some(finished) = &finished {
                prop_assert_eq!(finished, after);
            }
            finished = after.is_finished().then(|| after.clone());
        }
    }
}
