use ff_core::partition::PartitionConfig;
use ff_core::types::{LaneId, TimestampMs};

use super::super::stored::Completion;
use super::*;
use crate::task::Plan;

/// A task that was submitted, acknowledged and completed.
struct Sound {
    stored: Stored,
    entries: Vec<Entry>,
    id: ExecutionId,
}

fn sound() -> Sound {
    let task = Task { key: "a/1".to_owned(), plan: Plan::Work(1) };
    let id = ExecutionId::solo(&LaneId::new("l"), &PartitionConfig::default());
    let mut stored = Stored::default();
    stored.executions.push(Execution {
        execution_id: id.clone(),
        public_state: PublicState::Completed,
        payload: serde_json::to_vec(&task).unwrap(),
        result: Some(serde_json::to_vec(&task.returns()).unwrap()),
    });
    stored.keys.insert(task.key.clone(), id.uuid());
    stored.attempts.insert(id.uuid(), vec![attempt(AttemptOutcome::Success)]);
    stored.lease_events.insert((id.uuid(), "acquired".to_owned()), 1);
    stored.completions.push(completion(&id));
    let key = task.key.clone();
    let entries =
        vec![Entry::Intent(task), Entry::Stored { key, execution_id: id.clone() }, Entry::End];
    Sound { stored, entries, id }
}

fn attempt(outcome: AttemptOutcome) -> Attempt {
    Attempt { outcome: Some(outcome), was_claimed: true, is_open: false }
}

fn completion(id: &ExecutionId) -> Completion {
    let (outcome, occurred_at) = ("success".to_owned(), TimestampMs(1));
    Completion { execution: id.uuid(), outcome, occurred_at }
}

fn found(change: impl FnOnce(&mut Sound)) -> Findings {
    let mut sound = sound();
    change(&mut sound);
    check(&sound.stored, &sound.entries)
}

#[test]
fn what_is_as_it_must_be_is_sound() {
    let findings = found(|_| ());
    assert!(findings.is_sound(), "{findings:?}");
}

#[test]
fn an_acknowledged_execution_that_is_not_there_is_lost() {
    let findings = found(|it| it.stored = Stored::default());
    assert_eq!(findings.lost.len(), 1, "{findings:?}");
}

#[test]
fn an_intent_that_was_not_acknowledged_may_be_lost() {
    let findings = found(|it| {
        it.stored = Stored::default();
        it.entries.remove(1);
    });
    assert!(findings.is_sound(), "{findings:?}");
}

#[test]
fn a_second_completion_is_found() {
    for findings in [
        found(|it| it.stored.completions.push(completion(&it.id))),
        found(|it| {
            let attempts = it.stored.attempts.entry(it.id.uuid()).or_default();
            attempts.push(attempt(AttemptOutcome::Success));
        }),
    ] {
        assert_eq!(findings.twice.len(), 1, "{findings:?}");
    }
}

#[test]
fn a_key_with_two_executions_is_found() {
    let findings = found(|it| {
        let other = sound();
        it.stored.executions.extend(other.stored.executions);
        it.stored.attempts.extend(other.stored.attempts);
        it.stored.lease_events.extend(other.stored.lease_events);
        it.stored.completions.extend(other.stored.completions);
    });
    assert_eq!(findings.twice, ["a/1 was created twice"]);
}

#[test]
fn what_never_ends_is_found() {
    let findings = found(|it| it.stored.executions[0].public_state = PublicState::Running);
    assert_eq!(findings.unfinished.len(), 1, "{findings:?}");
}

#[test]
fn an_end_that_was_not_planned_is_found() {
    let findings = found(|it| {
        it.stored.executions[0].public_state = PublicState::Failed;
        it.stored.completions[0].outcome = "failed".to_owned();
    });
    assert!(!findings.problems.is_empty());
}

#[test]
fn rows_that_do_not_agree_are_found() {
    let changes: [fn(&mut Sound); 7] = [
        |it| it.stored.executions[0].result = None,
        |it| it.stored.executions[0].payload.clear(),
        |it| it.stored.keys.clear(),
        |it| it.stored.completions.clear(),
        |it| it.stored.attempts.clear(),
        |it| it.stored.lease_events.clear(),
        |it| it.entries.push(Entry::Problem("a panic".to_owned())),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let findings = found(change);
        assert!(!findings.problems.is_empty(), "change {number}");
    }
}
