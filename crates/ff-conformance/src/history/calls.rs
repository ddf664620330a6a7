//! A log's lines joined to calls, and the calls of one execution.

use std::collections::BTreeMap;

use ff_core::backend::Handle;
use ff_core::types::ExecutionId;

use super::kept::{Kept, KeptExecution};
use super::record::{Answer, Call, Created, Entry, What};

/// A call that was made, and when, by the places of its lines in the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    pub(super) client: String,
    pub(super) call: Call,
    /// `None` when nobody was told: the process died, or the call was dropped.
    pub(super) answer: Option<Answer>,
    pub(super) called_at: usize,
    pub(super) answered_at: Option<usize>,
}

impl Made {
    /// Whether the call was over before the other began.
    pub(super) fn precedes(&self, other: &Self) -> bool {
        self.answered_at.is_some_and(|answered_at| answered_at < other.called_at)
    }

    /// Whether it was done, and somebody was told so.
    pub(super) fn succeeded(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_success)
    }

    /// Whether it was done or not is not known.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.answer, None | Some(Answer::Unknown(_)))
    }

    pub(super) fn may_have_happened(&self) -> bool {
        self.succeeded() || self.is_unknown()
    }

    /// The leases of the execution that it was given, if it is a claim. A batch that takes one execution after
    /// the other may come upon one again whose first lease was ended meanwhile.
    pub(super) fn given(&self, id: &ExecutionId) -> impl Iterator<Item = &Handle> {
        let handles: &[Handle] = match &self.answer {
            Some(Answer::Claimed(handles)) => handles,
            _ => &[],
        };
        handles.iter().filter(move |handle| handle.execution_id() == id)
    }

    /// The executions that the call is about, or that its answer names.
    fn executions(&self) -> Vec<&ExecutionId> {
        match &self.call {
            Call::Create(creations) => {
                let mut ids: Vec<_> = creations.iter().map(|one| &one.execution_id).collect();
                if let Some(Answer::Created(created)) = &self.answer {
                    ids.extend(created.iter().filter_map(|created| match created {
                        Created::New => None,
                        Created::DuplicateOf(id) => Some(id),
                    }));
                }
                ids
            }
            Call::Claim { .. } => match &self.answer {
                Some(Answer::Claimed(handles)) => {
                    handles.iter().map(Handle::execution_id).collect()
                }
                _ => Vec::new(),
            },
            Call::Cancel { execution_id, .. }
            | Call::Revoke { execution_id, .. }
            | Call::Replay(execution_id) => vec![execution_id],
            Call::Reconcile(_) | Call::Read { .. } => Vec::new(),
            by_handle => by_handle.handle().map(Handle::execution_id).into_iter().collect(),
        }
    }
}

/// Joins the lines of each call. A line that a killed process has half written is missing: a call without its
/// first line was never made, and one without its second has no answer.
pub(super) fn join(entries: &[Entry]) -> Vec<Made> {
    let mut calls: Vec<Made> = Vec::new();
    let mut open: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let key = (entry.client.as_str(), entry.number);
        match &entry.what {
            What::Called(call) => {
                open.insert(key, calls.len());
                let (client, call) = (entry.client.clone(), call.clone());
                let (answer, answered_at) = (None, None);
                calls.push(Made { client, call, answer, called_at: place, answered_at });
            }
            What::Answered(answer) => {
                let call = open.remove(&key).and_then(|index| calls.get_mut(index));
                assert!(call.is_some(), "an answer without its call: {entry:?}");
                if let Some(call) = call {
                    call.answer = Some(answer.clone());
                    call.answered_at = Some(place);
                }
            }
        }
    }
    calls
}

/// All that was done to one execution, and what became of it.
pub(super) struct Life<'a> {
    pub(super) id: &'a ExecutionId,
    /// In the order in which they were made.
    pub(super) calls: Vec<&'a Made>,
    pub(super) kept: Option<&'a KeptExecution>,
}

impl<'a> Life<'a> {
    /// The claims that were given the execution, each with its lease.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&'a Made, &'a Handle)> {
        self.calls.iter().flat_map(|made| made.given(self.id).map(|handle| (*made, handle)))
    }

    /// The claim that was given the lease of this handle.
    pub(super) fn claim_of(&self, handle: &Handle) -> Option<&'a Made> {
        self.claims().find(|(_, given)| *given == handle).map(|(made, _)| made)
    }

    pub(super) fn successes(&self) -> impl Iterator<Item = &'a Made> {
        self.calls.iter().copied().filter(|made| made.succeeded())
    }
}

/// Everything that the checks look at.
pub(super) struct History<'a> {
    pub(super) calls: &'a [Made],
    pub(super) lives: Vec<Life<'a>>,
    pub(super) kept: &'a Kept,
}

impl<'a> History<'a> {
    pub(super) fn new(calls: &'a [Made], kept: &'a Kept) -> Self {
        let mut by_id: BTreeMap<&ExecutionId, Vec<&Made>> = BTreeMap::new();
        for execution in &kept.executions {
            by_id.entry(&execution.execution.execution_id).or_default();
        }
        for made in calls {
            let mut ids = made.executions();
            ids.sort();
            ids.dedup();
            for id in ids {
                by_id.entry(id).or_default().push(made);
            }
        }
        let lives =
            by_id.into_iter().map(|(id, calls)| Life { id, calls, kept: kept.find(id) }).collect();
        Self { calls, lives, kept }
    }
}
