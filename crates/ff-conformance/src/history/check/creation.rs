//! Nothing that was created or given is lost, nothing appears that nobody made, and all of it finishes.

use std::collections::BTreeMap;

use ff_core::types::ExecutionId;

use crate::history::calls::{History, Life, Made};
use crate::history::record::{Answer, Call, Created, Creation, Refusal};
use crate::history::table::{Property, Violation};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut found: Vec<Violation> = history.lives.iter().flat_map(check_life).collect();
    found.extend(history.calls.iter().filter_map(|made| check_batch(made, history)));
    found.extend(check_keys(history));
    found
}

fn lost(problem: String) -> Violation {
    Violation::new(Property::NothingIsLost, problem)
}

fn check_life(life: &Life<'_>) -> Vec<Violation> {
    let id = life.id;
    let mut found = Vec::new();
    let told = |made: &&&Made| creations(made).any(|(_, created)| is_told(created, id));
    if let (None, Some(made)) = (life.kept, life.calls.iter().find(told)) {
        found.push(lost(format!("{id} was created, and is not kept")).shown_by([*made]));
    }
    let new: Vec<&Made> = life.calls.iter().copied().filter(|made| made_new(made, id)).collect();
    if let [first, second, ..] = new.as_slice() {
        found.push(lost(format!("{id} was created twice")).shown_by([*first, *second]));
    }
    let may_be_created = |made: &&Made| made_new(made, id) || (made.is_unknown() && asks(made, id));
    if let Some(kept) = life.kept {
        if !life.calls.iter().any(may_be_created) {
            let asked = life.calls.iter().copied().filter(|made| asks(made, id));
            found.push(lost(format!("{id} is kept, and was not created")).shown_by(asked));
        }
        if !kept.execution.is_finished() {
            let state = kept.execution.public_state;
            let problem = format!("{id} never finishes: it is {state}");
            found.push(lost(problem).shown_by(life.successes()).with_attempts_of(life));
        }
    }
    found
}

/// Whether the answer says that an execution of this id is stored.
fn is_told((creation, created): (&Creation, &Created), id: &ExecutionId) -> bool {
    match created {
        Created::New => creation.execution_id == *id,
        Created::DuplicateOf(there) => there == id,
    }
}

fn asks(made: &Made, id: &ExecutionId) -> bool {
    matches!(&made.call, Call::Create(creations) if creations.iter().any(|it| it.execution_id == *id))
}

fn made_new(made: &Made, id: &ExecutionId) -> bool {
    creations(made)
        .any(|(_, (creation, created))| creation.execution_id == *id && *created == Created::New)
}

/// What an answered call asked to create, with what became of it.
fn creations(made: &Made) -> impl Iterator<Item = (&Made, (&Creation, &Created))> {
    let (asked, told): (&[Creation], &[Created]) = match (&made.call, &made.answer) {
        (Call::Create(asked), Some(Answer::Created(told))) => (asked, told),
        _ => (&[], &[]),
    };
    asked.iter().zip(told).map(move |it| (made, it))
}

/// A batch whose answer was lost is kept as a whole or not at all. What an idempotency key, or an earlier
/// creation, may have kept from being stored says nothing.
fn check_batch(made: &Made, history: &History<'_>) -> Option<Violation> {
    let Call::Create(asked) = &made.call else { return None };
    if !made.is_unknown() {
        return None;
    }
    let only_here = |creation: &&Creation| {
        let elsewhere = |life: &Life<'_>| {
            life.id == &creation.execution_id
                && life.calls.iter().filter(|made| asks(made, life.id)).count() > 1
        };
        creation.key.is_none() && !history.lives.iter().any(elsewhere)
    };
    let (kept, missing): (Vec<_>, Vec<_>) = asked
        .iter()
        .filter(only_here)
        .partition(|creation| history.kept.find(&creation.execution_id).is_some());
    let (kept, missing) = (kept.first()?, missing.first()?);
    let problem =
        format!("{} of the batch is kept, and {} is not", kept.execution_id, missing.execution_id);
    Some(lost(problem).shown_by([made]))
}

/// One idempotency key names one execution.
fn check_keys(history: &History<'_>) -> Vec<Violation> {
    let mut holders: BTreeMap<&str, (&ExecutionId, &Made)> = BTreeMap::new();
    let mut found = Vec::new();
    for (made, (creation, created)) in history.calls.iter().flat_map(creations) {
        let Some(key) = &creation.key else { continue };
        let there = match created {
            Created::New => &creation.execution_id,
            // The id was there before: that says nothing of the key.
            Created::DuplicateOf(there) if *there == creation.execution_id => continue,
            Created::DuplicateOf(there) => there,
        };
        let (holder, earlier) = *holders.entry(key).or_insert((there, made));
        if holder != there {
            let problem = format!("{key} names {holder}, and {there} too");
            found.push(lost(problem).shown_by([earlier, made]));
        }
    }
    found
}

/// Every answer is one that a call of its kind may have in a history.
pub(super) fn check_answers(history: &History<'_>) -> Vec<Violation> {
    let strange = |made: &&Made| matches!(&made.answer, Some(Answer::Refused(Refusal::Other(_))));
    let found = history.calls.iter().filter(strange).map(|made| {
        let problem = format!("a {} may not be answered like this", made.call.name());
        Violation::new(Property::AnswersAreKnown, problem).shown_by([made])
    });
    found.collect()
}
