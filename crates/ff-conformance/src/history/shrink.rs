//! The shortest history found that still has no order.
//!
//! What is left out may not be what the rest needs: leaving out a refusal, a renewal or what came last asks
//! less of an order, and what came first is left out only for a register that then says nothing of it. So what
//! remains has no order of itself, whatever else was called.

use ff_core::state::AttemptOutcome;

use super::linear::{Act, has_order};
use super::record::{Answer, Call};
use super::register::{Register, Step, Told};

/// The shortest of these acts that have no order; `None` when they have one.
pub(super) fn shortest<'a>(acts: &[Act<'a>]) -> Option<Vec<Act<'a>>> {
    Some(window(without_rest(prefix(offending(acts)?))))
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

/// Acts that have no order: those that change something, at most one of the others with them, or all. The
/// orders of few acts are searched quickly, and those of many that have none may take for ever.
fn offending<'a>(acts: &[Act<'a>]) -> Option<Vec<Act<'a>>> {
    let (others, changes): (Vec<Act<'_>>, _) = acts.iter().copied().partition(changes_nothing);
    let with_one = others.into_iter().map(|other| [changes.as_slice(), &[other]].concat());
    let mut parts = std::iter::once(changes.clone()).chain(with_one);
    parts.find(|acts| fails(acts)).or_else(|| fails(acts).then(|| acts.to_vec()))
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
