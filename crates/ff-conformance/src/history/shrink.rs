//! The shortest history found that still has no order.
//!
//! What is left out may not be what the rest needs: leaving out a refusal, a renewal or what came last asks
//! less of an order, and what came first is left out only for a register that then says nothing of it. So what
//! remains has no order of itself, whatever else was called.

use ff_core::state::AttemptOutcome;

use super::linear::{Act, has_order};
use super::record::{Answer, Call};
use super::register::{Register, Step, Told};

/// Shortens acts that have no order.
pub(super) fn shortest(acts: Vec<Act<'_>>) -> Vec<Act<'_>> {
    window(without_rest(prefix(with_one_refusal(acts))))
}

fn fails(acts: &[Act<'_>]) -> bool {
    !has_order(acts, Register::absent())
}

/// Whether it changes nothing, so that an order without it is asked for less.
fn changes_nothing(act: &Act<'_>) -> bool {
    match (act.step, act.told) {
        (Step::Exists, _) => true,
        (Step::Call(call, _), Told::Answer(answer)) => {
            matches!(call, Call::Renew(_)) || !answer.is_success()
        }
        _ => false,
    }
}

/// What changes something, and at most one call that does not, if that is enough. The orders of few acts are
/// searched quickly.
fn with_one_refusal(acts: Vec<Act<'_>>) -> Vec<Act<'_>> {
    let changes: Vec<Act<'_>> = acts.iter().filter(|act| !changes_nothing(act)).copied().collect();
    if fails(&changes) {
        return changes;
    }
    let others = acts.iter().filter(|act| changes_nothing(act));
    let mut with_one =
        others.map(|other| changes.iter().copied().chain([*other]).collect::<Vec<_>>());
    with_one.find(|acts| fails(acts)).unwrap_or_else(|| acts.clone())
}

/// The acts up to the first answer that cannot be explained. Those that had not been answered by then may have
/// happened or not.
fn prefix(acts: Vec<Act<'_>>) -> Vec<Act<'_>> {
    let mut ends: Vec<usize> = acts.iter().filter_map(|act| act.until).collect();
    ends.sort_unstable();
    let mut cuts = ends.into_iter().map(|end| cut(&acts, end));
    cuts.find(|acts| fails(acts)).unwrap_or_else(|| acts.clone())
}

fn cut<'a>(acts: &[Act<'a>], end: usize) -> Vec<Act<'a>> {
    let is_over = |act: &Act<'_>| act.until.is_some_and(|until| until <= end);
    let begun =
        acts.iter().filter(|act| act.from <= end && (is_over(act) || !changes_nothing(act)));
    begun.map(|act| if is_over(act) { *act } else { unanswered(*act) }).collect()
}

fn unanswered(act: Act<'_>) -> Act<'_> {
    let step = match (act.step, act.told) {
        (Step::Call(call, _), Told::Answer(Answer::RetryAt(_))) => {
            Step::Call(call, Some(AttemptOutcome::Retry))
        }
        (Step::Call(call, _), Told::Answer(Answer::Ended)) => {
            Step::Call(call, Some(AttemptOutcome::Failed))
        }
        (step, _) => step,
    };
    Act { step, told: Told::Nothing, until: None, ..act }
}

/// Leaves out, one by one, what changes nothing and is not needed.
fn without_rest(mut acts: Vec<Act<'_>>) -> Vec<Act<'_>> {
    let mut index = acts.len();
    while index > 0 {
        index -= 1;
        let mut fewer = acts.clone();
        let left_out = fewer.remove(index);
        if changes_nothing(&left_out) && fails(&fewer) {
            acts = fewer;
        }
    }
    acts
}

/// What was not over before the last claim that the history can begin with.
fn window(acts: Vec<Act<'_>>) -> Vec<Act<'_>> {
    let mut claims: Vec<usize> =
        acts.iter().filter(|act| matches!(act.step, Step::Claim(_))).map(|act| act.from).collect();
    claims.sort_unstable_by(|one, other| other.cmp(one));
    let from = |claim: usize| {
        let is_in = move |act: &&Act<'_>| act.until.is_none_or(|until| until > claim);
        acts.iter().filter(is_in).copied().collect::<Vec<_>>()
    };
    let mut windows = claims.into_iter().map(from);
    windows.find(|acts| !has_order(acts, Register::any())).unwrap_or_else(|| acts.clone())
}
