//! No two leases overlap, epochs rise, and a handle whose lease was ended never succeeds.

use ff_core::backend::Handle;
use ff_core::execution::Attempt;
use ff_core::types::{ExecutionId, LeaseId};

use crate::history::calls::{History, Life, Made};
use crate::history::record::{Answer, Call};
use crate::history::table::{Property, Violation, lease};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for life in &history.lives {
        found.extend(check_claims(life));
        found.extend(check_kept(life, history));
        found.extend(life.successes().filter_map(|made| check_stale(made, life)));
    }
    found
}

/// A lease's place among those of its execution.
fn place(handle: &Handle) -> (u32, u64) {
    (handle.attempt_index().0, handle.lease_epoch().0)
}

/// No lease is given twice, and a later one has a later place.
fn check_claims(life: &Life<'_>) -> Vec<Violation> {
    let claims: Vec<(&Made, &Handle)> = life.claims().collect();
    let mut found = Vec::new();
    for (index, (one, first)) in claims.iter().enumerate() {
        for (other, second) in claims.iter().skip(index + 1) {
            found.extend(compare((one, first), (other, second), life.id));
        }
    }
    found
}

fn compare(one: (&Made, &Handle), other: (&Made, &Handle), id: &ExecutionId) -> Option<Violation> {
    let ((one, first), (other, second)) = (one, other);
    if place(first) == place(second) {
        let (attempt, epoch) = place(first);
        let problem = format!("lease {attempt}/{epoch} of {id} was given twice");
        let violation = Violation::new(Property::LeasesDoNotOverlap, problem);
        return Some(violation.shown_by([one, other]));
    }
    if one.precedes(other) && place(first) > place(second) {
        let problem = format!("the leases of {id} do not rise");
        return Some(Violation::new(Property::EpochsRise, problem).shown_by([one, other]));
    }
    None
}

/// What claims were given is what is kept, and the other way round.
fn check_kept(life: &Life<'_>, history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let Some(kept) = life.kept else { return found };
    for (made, handle) in life.claims() {
        let attempt = kept.attempt(handle.attempt_index().0);
        if !attempt.is_some_and(|attempt| is_of(attempt, handle)) {
            let problem = format!("{} of {} was given, and is not kept", lease(handle), life.id);
            let violation = Violation::new(Property::NothingIsLost, problem);
            found.push(violation.shown_by([made]).with_attempts_of(life));
        }
    }
    for attempt in kept.attempts.iter().filter(|attempt| attempt.started_at.is_some()) {
        let is_given = life.claims().any(|(_, handle)| is_of(attempt, handle));
        if !is_given && lost_claims(attempt, history).next().is_none() {
            let index = attempt.attempt_index;
            let problem =
                format!("the lease of attempt {index} of {} was given to nobody", life.id);
            let violation = Violation::new(Property::NothingIsLost, problem);
            let claims = life.claims().map(|(made, _)| made);
            found.push(violation.shown_by(claims).with_attempts_of(life));
        }
    }
    let open = |attempt: &&Attempt| attempt.outcome.is_none();
    let last = kept.attempts.iter().map(|attempt| attempt.attempt_index).max();
    for attempt in kept.attempts.iter().filter(open) {
        let index = attempt.attempt_index;
        let problem = match kept.execution.is_finished() {
            true => format!("{} has finished, and its attempt {index} has not", life.id),
            false if Some(index) != last => {
                format!("attempt {index} of {} was followed before it ended", life.id)
            }
            false => continue,
        };
        let violation = Violation::new(Property::LeasesDoNotOverlap, problem);
        found.push(violation.shown_by(life.successes()).with_attempts_of(life));
    }
    found
}

fn is_of(attempt: &Attempt, handle: &Handle) -> bool {
    attempt.attempt_index == handle.attempt_index()
        && attempt.lease_epoch >= handle.lease_epoch()
        && attempt.worker_instance_id.as_ref() == Some(handle.worker_instance_id())
}

/// Claims by the worker of an attempt whose answers were lost: one of them may have been given it.
pub(in crate::history) fn lost_claims<'a>(
    attempt: &Attempt,
    history: &History<'a>,
) -> impl Iterator<Item = &'a Made> {
    let worker = attempt.worker_instance_id.clone();
    let is_his = move |made: &&Made| matches!(&made.call, Call::Claim { instance, .. } if Some(instance) == worker.as_ref());
    history.calls.iter().filter(|made| made.is_unknown()).filter(is_his)
}

/// A success by a handle after a call was over that had ended its lease, unless it repeats a call that may
/// have been made in time (FIN-5).
fn check_stale(made: &Made, life: &Life<'_>) -> Option<Violation> {
    let handle = made.call.handle()?;
    let claim = life.claim_of(handle);
    let ender = life.successes().filter(|end| end.precedes(made)).find(|end| {
        let began = claim.is_none_or(|claim| claim.precedes(end));
        let repeats = |first: &&&Made| {
            first.call == made.call
                && !std::ptr::eq(**first, made)
                && first.may_have_happened()
                && end.answered_at.is_some_and(|ended| first.called_at < ended)
        };
        let is_repeat = !matches!(made.call, Call::Renew(_) | Call::Delay { .. })
            && life.calls.iter().any(|first| repeats(&first));
        ends(end, handle, began) && !is_repeat
    })?;
    let problem = format!("{} of {} succeeded after it was ended", lease(handle), life.id);
    let violation = Violation::new(Property::StaleHandlesFail, problem);
    Some(violation.shown_by(claim.into_iter().chain([ender, made])))
}

/// Whether the success of a call means that the handle's lease has ended by then. `began` says that the lease
/// was given before the call.
fn ends(end: &Made, handle: &Handle, began: bool) -> bool {
    let id = handle.execution_id();
    match &end.call {
        Call::Claim { .. } => end.given(id).any(|given| place(given) > place(handle)),
        Call::Complete { handle: by, .. }
        | Call::Fail { handle: by, .. }
        | Call::Delay { handle: by, .. } => place(by) >= place(handle),
        Call::Revoke { .. } => {
            end.answer
                == Some(Answer::Revoked(LeaseId::derive(
                    id,
                    handle.attempt_index(),
                    handle.lease_epoch(),
                )))
        }
        Call::Cancel { .. } | Call::Replay(_) => began,
        _ => false,
    }
}
