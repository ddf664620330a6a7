//! Each execution finishes once, and once more for each replay, in the way that its worker was told.

use ff_core::backend::{FailureClass, Handle};
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::LeaseId;

use crate::history::calls::{History, Life, Made};
use crate::history::kept::KeptExecution;
use crate::history::record::{Answer, Call};
use crate::history::table::{Property, Violation, lease};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for life in &history.lives {
        found.extend(check_endings(life));
        let Some(kept) = life.kept else { continue };
        found.extend(life.successes().filter_map(|made| check_kept(made, life, kept)));
        found.extend(check_replays(life, kept));
        found.extend(check_result(life, kept));
    }
    found
}

fn broken(problem: String) -> Violation {
    Violation::new(Property::OneOutcome, problem)
}

/// The handle whose lease a call ends.
fn ended(made: &Made) -> Option<&Handle> {
    made.call.handle().filter(|_| !matches!(made.call, Call::Renew(_)))
}

/// One lease is ended by one call, and by repetitions of it that are answered alike.
fn check_endings(life: &Life<'_>) -> Vec<Violation> {
    let endings: Vec<&Made> = life.successes().filter(|made| ended(made).is_some()).collect();
    let mut found = Vec::new();
    for (index, one) in endings.iter().enumerate() {
        for other in endings.iter().skip(index + 1).filter(|other| ended(one) == ended(other)) {
            let is_repeat = one.call == other.call
                && one.answer == other.answer
                && !matches!(one.call, Call::Delay { .. });
            if let Some(handle) = ended(one).filter(|_| !is_repeat) {
                let problem = format!("{} of {} was ended twice", lease(handle), life.id);
                found.push(broken(problem).shown_by([*one, *other]));
            }
        }
    }
    found
}

/// What the answer to a call means for the attempt that it ended.
fn outcome_told(made: &Made) -> Option<AttemptOutcome> {
    match (&made.call, made.answer.as_ref()?) {
        (Call::Complete { .. }, Answer::Done) => Some(AttemptOutcome::Success),
        (Call::Delay { .. }, Answer::Done) => Some(AttemptOutcome::Released),
        (Call::Fail { .. }, Answer::RetryAt(_)) => Some(AttemptOutcome::Retry),
        (Call::Fail { class: FailureClass::Cancelled, .. }, Answer::Ended) => {
            Some(AttemptOutcome::Cancelled)
        }
        (Call::Fail { .. }, Answer::Ended) => Some(AttemptOutcome::Failed),
        (Call::Revoke { .. }, Answer::Revoked(_)) => Some(AttemptOutcome::Interrupted),
        _ => None,
    }
}

fn check_kept(made: &Made, life: &Life<'_>, kept: &KeptExecution) -> Option<Violation> {
    let told = outcome_told(made)?;
    let attempt = match &made.answer {
        Some(Answer::Revoked(revoked)) => kept.attempts.iter().find(|attempt| {
            LeaseId::derive(life.id, attempt.attempt_index, attempt.lease_epoch) == *revoked
        }),
        _ => kept.attempt(made.call.handle()?.attempt_index().0),
    };
    let outcome = attempt.and_then(|attempt| attempt.outcome);
    (outcome != Some(told)).then(|| {
        let kept = outcome.map_or("without outcome", |it| it.as_str());
        let problem = format!("{} was told {told}, and its attempt is kept {kept}", life.id);
        broken(problem).shown_by([made]).with_attempts_of(life)
    })
}

/// Each replay that was answered has happened, and no other.
fn check_replays(life: &Life<'_>, kept: &KeptExecution) -> Option<Violation> {
    let replays = || life.calls.iter().copied().filter(|made| matches!(made.call, Call::Replay(_)));
    let told = replays().filter(|made| made.succeeded()).count();
    let unknown = replays().filter(|made| made.is_unknown()).count();
    let count = usize::try_from(kept.execution.replay_count).ok()?;
    (!(told..=told + unknown).contains(&count)).then(|| {
        let problem = format!("{} was replayed {told} times, and {count} are kept", life.id);
        broken(problem).shown_by(replays().filter(|made| made.may_have_happened()))
    })
}

/// A completed execution has the result that completed it.
fn check_result(life: &Life<'_>, kept: &KeptExecution) -> Option<Violation> {
    if kept.execution.public_state != PublicState::Completed {
        return None;
    }
    let result_of = |made: &&&Made| match &made.call {
        Call::Complete { handle, result } => {
            handle.attempt_index() == kept.execution.attempt_index
                && made.may_have_happened()
                && kept.result.as_deref() == Some(result.as_bytes())
        }
        _ => false,
    };
    if life.calls.iter().any(|made| result_of(&made)) {
        return None;
    }
    let result = kept.result.as_deref().map(String::from_utf8_lossy);
    let problem = format!("nobody completed {} with {}", life.id, result.unwrap_or_default());
    let completions = life.successes().filter(|made| matches!(made.call, Call::Complete { .. }));
    Some(broken(problem).shown_by(completions).with_attempts_of(life))
}
