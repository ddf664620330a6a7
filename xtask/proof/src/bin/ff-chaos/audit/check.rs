//! What must hold of the rows, for what was submitted.

use std::collections::{HashMap, HashSet};

use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::ExecutionId;
use uuid::Uuid;

use super::stored::{Attempt, Execution, Stored};
use crate::ledger::Entry;
use crate::task::{Returned, Task};

/// What does not hold, each with the execution that it is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Said to be stored, and not there.
    pub(crate) lost: Vec<String>,
    /// Ended more than once.
    pub(crate) twice: Vec<String>,
    /// Never ended.
    pub(crate) unfinished: Vec<String>,
    pub(crate) problems: Vec<String>,
}

impl Findings {
    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    pub(crate) fn is_sound(&self) -> bool {
        *self == Self::default()
    }
}

pub(crate) fn check(stored: &Stored, entries: &[Entry]) -> Findings {
    let mut findings = Findings::default();
    let rows: HashMap<_, _> =
        stored.executions.iter().map(|row| (row.execution_id.uuid(), row)).collect();
    let mut submitted = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Intent(task) => drop(submitted.insert(task.key.as_str(), task)),
            Entry::Problem(problem) => findings.problem(format!("a node: {problem}")),
            Entry::Stored { .. } | Entry::Run { .. } | Entry::End => {}
        }
    }
    for entry in entries {
        if let Entry::Stored { key, execution_id } = entry
            && !is_there(rows.get(&execution_id.uuid()).copied(), key)
        {
            findings.lost.push(format!("{execution_id}, submitted as {key}"));
        }
    }
    let ends = ends(stored);
    let mut keys = HashSet::new();
    for row in &stored.executions {
        let Some(task) = task_of(row).filter(|task| submitted.get(&*task.key) == Some(&task))
        else {
            findings.problem(format!("{} was not submitted", row.execution_id));
            continue;
        };
        if stored.keys.get(&task.key) != Some(&row.execution_id.uuid()) {
            findings.problem(format!("{} does not have its key {}", row.execution_id, task.key));
        }
        check_end(row, &task, &mut findings);
        let one = One { row, ends: ends.get(&row.execution_id.uuid()).map_or(&[], Vec::as_slice) };
        one.check(stored, &mut findings);
        if !keys.insert(task.key.clone()) {
            findings.twice.push(format!("{} was created twice", task.key));
        }
    }
    findings
}

fn is_there(row: Option<&Execution>, key: &str) -> bool {
    row.and_then(task_of).is_some_and(|task| task.key == key)
}

fn task_of(row: &Execution) -> Option<Task> {
    serde_json::from_slice(&row.payload).ok()
}

/// The completion events of each execution.
fn ends(stored: &Stored) -> HashMap<Uuid, Vec<&str>> {
    let mut ends: HashMap<_, Vec<_>> = HashMap::new();
    for event in &stored.completions {
        ends.entry(event.execution).or_default().push(event.outcome.as_str());
    }
    ends
}

/// The task has come to one of its ends, with the result that belongs to it.
fn check_end(row: &Execution, task: &Task, findings: &mut Findings) {
    let id = &row.execution_id;
    if !row.public_state.is_finished() {
        findings.unfinished.push(format!("{id} is {}, {:?}", row.public_state, task.plan));
        return;
    }
    if !task.ends().contains(&row.public_state) {
        findings.problem(format!("{id} has ended as {}, {:?}", row.public_state, task.plan));
    }
    let result: Option<Returned> =
        row.result.as_ref().and_then(|result| serde_json::from_slice(result).ok());
    let expected = (row.public_state == PublicState::Completed).then(|| task.returns());
    if result != expected || row.result.is_some() != expected.is_some() {
        findings.problem(format!("{id} has the result {result:?}"));
    }
}

/// An execution and the outcomes of its completion events.
struct One<'s> {
    row: &'s Execution,
    ends: &'s [&'s str],
}

impl One<'_> {
    fn check(&self, stored: &Stored, findings: &mut Findings) {
        let id = &self.row.execution_id;
        let attempts = stored.attempts.get(&id.uuid()).map_or(&[][..], Vec::as_slice);
        let count = |wanted| attempts.iter().filter(|it| it.outcome == Some(wanted)).count();
        let successes = count(AttemptOutcome::Success);
        if self.ends.len() > 1 || successes > 1 {
            findings.twice.push(format!("{id} has ended as {:?}, {attempts:?}", self.ends));
        }
        if !self.row.public_state.is_finished() {
            return;
        }
        if self.ends != [outcome_word(self.row.public_state)] {
            findings.problem(format!("{id} is {}: {:?}", self.row.public_state, self.ends));
        }
        if (successes == 1) != (self.row.public_state == PublicState::Completed) {
            findings.problem(format!("{id} is {}: {attempts:?}", self.row.public_state));
        }
        if attempts.iter().any(|attempt| attempt.is_open) {
            findings.problem(format!("{id} has finished, and an attempt is open: {attempts:?}"));
        }
        self.check_events(stored, attempts, findings);
    }

    /// Events tell what became of each attempt.
    fn check_events(&self, stored: &Stored, attempts: &[Attempt], findings: &mut Findings) {
        let id: &ExecutionId = &self.row.execution_id;
        let told = |name: &str| {
            stored.lease_events.get(&(id.uuid(), name.to_owned())).copied().unwrap_or_default()
        };
        let count = |wanted| attempts.iter().filter(|it| it.outcome == Some(wanted)).count();
        let pairs = [
            ("acquired", attempts.iter().filter(|attempt| attempt.was_claimed).count()),
            ("released", count(AttemptOutcome::Released)),
            ("expired", count(AttemptOutcome::Interrupted)),
        ];
        for (name, expected) in pairs {
            if told(name) != expected {
                let told = told(name);
                findings.problem(format!("{id} has {told} events {name}: {attempts:?}"));
            }
        }
    }
}

/// What the completion event of an execution in this state says.
fn outcome_word(state: PublicState) -> &'static str {
    match state {
        PublicState::Completed => "success",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests;
