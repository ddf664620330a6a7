//! Whether the calls on one execution have an order that explains all of their answers.
//!
//! The order may not turn round two calls of which one was over before the other began. A call without an
//! answer has happened at some time after it was made, or not at all. A sweep does not say which leases it has
//! ended: an attempt that is kept as ended by one was ended during some sweep that was made between its claim
//! and the next one's answer.

use std::collections::BTreeMap;

use ff_core::contracts::ReconcileTask;
use ff_core::execution::Attempt;
use ff_core::state::AttemptOutcome;
use ff_core::types::{LeaseEpoch, LeaseId};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use super::calls::{History, Life, Made};
use super::check::{lost_claims, was_lost_to_time};
use super::record::{Answer, Call, Created};
use super::register::{Lease, Register, Step, Told};
use super::shrink::shortest;
use super::table::{Property, Violation};

/// A step with the time in which it was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act<'a> {
    pub(super) step: Step<'a>,
    pub(super) told: Told<'a>,
    pub(super) from: usize,
    /// `None` when nobody was told.
    pub(super) until: Option<usize>,
    /// The call, if it is one.
    pub(super) made: Option<&'a Made>,
}

/// Places of lines, spread so that others fit between.
fn spread(place: usize) -> usize {
    place * 4 + 2
}

/// Checks every execution.
pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    history.lives.iter().filter_map(|life| check_life(life, history)).collect()
}

fn check_life(life: &Life<'_>, history: &History<'_>) -> Option<Violation> {
    let acts = match acts(life, history) {
        Ok(acts) => acts,
        Err(violation) => return Some(*violation),
    };
    let acts = shortest(&acts)?;
    let problem = format!("no order of the calls on {} explains all of their answers", life.id);
    let mut violation = Violation::new(Property::CallsHaveAnOrder, problem)
        .shown_by(acts.iter().filter_map(|act| act.made))
        .with_attempts_of(life);
    for act in acts.iter().filter(|act| act.made.is_none()) {
        if let Step::Sweep { attempt, .. } = act.step {
            violation = violation.with_kept(format!("a sweep has ended attempt {attempt}"));
        }
    }
    Some(violation)
}

/// A thread of the tester. It makes one call at a time.
type Thread = (bool, usize);

/// What a thread does next.
enum Edge<'a> {
    Begins(Step<'a>),
    IsTold(Told<'a>),
}

/// Asks the tester.
pub(super) fn has_order<'a>(acts: &[Act<'a>], start: Register<'a>) -> bool {
    let mut tester = LinearizabilityTester::new(start);
    for (thread, edge) in edges(acts) {
        let fed = match edge {
            Edge::Begins(step) => tester.on_invoke(thread, step).is_ok(),
            Edge::IsTold(told) => tester.on_return(thread, told).is_ok(),
        };
        assert!(fed, "a thread of the tester made two calls at once");
    }
    tester.is_consistent()
}

/// Gives each step to a thread that is free. Those that sweeps and lost answers are given to come last, because
/// they fit in many places and are best tried when others fail.
fn edges<'a>(acts: &[Act<'a>]) -> Vec<(Thread, Edge<'a>)> {
    let mut busy_until: BTreeMap<Thread, Option<usize>> = BTreeMap::new();
    let mut edges: Vec<(usize, Thread, Edge<'a>)> = Vec::new();
    let mut in_order: Vec<&Act<'a>> = acts.iter().collect();
    in_order.sort_by_key(|act| act.from);
    for act in in_order {
        let is_late = act.made.is_none() || act.until.is_none();
        let is_free = |number: &usize| match busy_until.get(&(is_late, *number)) {
            None => true,
            Some(until) => until.is_some_and(|until| until < act.from),
        };
        let thread = (is_late, (0..).find(is_free).unwrap_or(0));
        busy_until.insert(thread, act.until);
        edges.push((act.from, thread, Edge::Begins(act.step)));
        edges.extend(act.until.map(|until| (until, thread, Edge::IsTold(act.told))));
    }
    edges.sort_by_key(|(place, ..)| *place);
    edges.into_iter().map(|(_, thread, edge)| (thread, edge)).collect()
}

/// All that happened to an execution.
fn acts<'a>(life: &Life<'a>, history: &History<'a>) -> Result<Vec<Act<'a>>, Box<Violation>> {
    let mut acts: Vec<Act<'a>> =
        life.calls.iter().flat_map(|made| acts_of_call(made, life)).collect();
    for attempt in life.kept.iter().flat_map(|kept| &kept.attempts) {
        acts.extend(lost_claim(attempt, life, history));
    }
    for attempt in life.kept.iter().flat_map(|kept| &kept.attempts) {
        acts.extend(sweep(attempt, &acts, (life, history))?);
    }
    Ok(acts)
}

fn acts_of_call<'a>(made: &'a Made, life: &Life<'a>) -> Vec<Act<'a>> {
    let act = |step, told| Act {
        step,
        told,
        from: spread(made.called_at),
        until: made.answered_at.filter(|_| !made.is_unknown()).map(spread),
        made: Some(made),
    };
    match &made.call {
        Call::Create(_) if made.is_unknown() => match life.kept {
            Some(_) => vec![act(Step::Create, Told::Nothing)],
            None => Vec::new(),
        },
        Call::Create(creations) => {
            let steps =
                creations.iter().zip(created(made)).filter_map(
                    |(creation, created)| match created {
                        Created::New => (creation.execution_id == *life.id).then_some(Step::Create),
                        Created::DuplicateOf(id) => (id == life.id).then_some(Step::Exists),
                    },
                );
            steps.map(|step| act(step, Told::Done)).collect()
        }
        Call::Claim { .. } => {
            let given = made.given(life.id);
            given.map(|handle| act(Step::Claim(handle.into()), Told::Done)).collect()
        }
        call => {
            let told = match &made.answer {
                Some(answer) if !made.is_unknown() => Told::Answer(answer),
                _ => Told::Nothing,
            };
            let kept = call
                .handle()
                .and_then(|handle| life.kept?.attempt(handle.attempt_index().0)?.outcome);
            vec![act(Step::Call(call, kept), told)]
        }
    }
}

fn created(made: &Made) -> &[Created] {
    match &made.answer {
        Some(Answer::Created(created)) => created,
        _ => &[],
    }
}

/// A lease that is kept and that no claim was told of: it was given by a claim whose answer was lost.
fn lost_claim<'a>(attempt: &'a Attempt, life: &Life<'a>, history: &History<'a>) -> Option<Act<'a>> {
    let is_told = life.claims().any(|(_, handle)| handle.attempt_index() == attempt.attempt_index);
    if is_told || attempt.started_at.is_none() {
        return None;
    }
    let made = lost_claims(attempt, history).next()?;
    let epoch = LeaseEpoch::new(1);
    let lease = Lease {
        attempt: attempt.attempt_index.0,
        epoch: epoch.0,
        instance: attempt.worker_instance_id.as_ref()?.as_str(),
        id: LeaseId::derive(life.id, attempt.attempt_index, epoch),
    };
    let (from, step) = (spread(made.called_at), Step::Claim(lease));
    Some(Act { step, told: Told::Nothing, from, until: None, made: Some(made) })
}

/// The end of an attempt that a sweep is kept to have ended, in the time of the sweeps that may have.
fn sweep<'a>(
    attempt: &Attempt,
    acts: &[Act<'a>],
    (life, history): (&Life<'a>, &History<'a>),
) -> Result<Option<Act<'a>>, Box<Violation>> {
    let index = attempt.attempt_index.0;
    let task = match attempt.outcome {
        Some(AttemptOutcome::Expired) => ReconcileTask::ExpireDeadlines,
        _ if was_lost_to_time(attempt) => ReconcileTask::ExpireLeases,
        _ => return Ok(None),
    };
    let claims = || {
        acts.iter().filter_map(|act| match act.step {
            Step::Claim(lease) => Some((lease.attempt, act)),
            _ => None,
        })
    };
    let begun = claims().find(|(attempt, _)| *attempt == index).map_or(0, |(_, act)| act.from);
    let later = claims().filter(|(attempt, _)| *attempt > index);
    let next = later.filter_map(|(_, act)| act.until).min();
    let over = |made: &Made| made.answered_at.filter(|_| !made.is_unknown()).map(spread);
    let may_have = |made: &&Made| {
        made.call == Call::Reconcile(task)
            && (made.is_unknown() || matches!(made.answer, Some(Answer::Swept(1..))))
            && next.is_none_or(|next| spread(made.called_at) < next)
            && over(made).is_none_or(|over| over > begun)
    };
    let sweeps: Vec<&Made> = history.calls.iter().filter(may_have).collect();
    let Some(first) = sweeps.iter().map(|made| spread(made.called_at)).min() else {
        let problem = format!("attempt {index} of {} has expired, and no sweep was made", life.id);
        let violation = Violation::new(Property::LeasesEndInTime, problem);
        return Err(Box::new(violation.shown_by(life.successes()).with_attempts_of(life)));
    };
    let last = sweeps.iter().map(|made| over(made).unwrap_or(usize::MAX)).max();
    // Between the lines, so that it is neither before nor after the calls that its bounds are taken from.
    let until = last.into_iter().chain(next).min().map(|until| until - 1);
    let step = Step::Sweep { attempt: index, is_deadline: task == ReconcileTask::ExpireDeadlines };
    let from = first.max(begun) + 1;
    Ok(Some(Act { step, told: Told::Done, from, until, made: None }))
}
