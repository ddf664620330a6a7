//! What an operation has loaded, and what it shall store.

use ff_core::contracts::ExecutionOutcome;
use ff_core::decision::{Decision, Patch};
use ff_core::execution::{Attempt, Execution};

use crate::document::EventDocuments;

/// An execution as it is stored.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The execution.
    pub execution: Execution,
    /// The attempt that the key names.
    pub attempt: Option<Attempt>,
    /// The execution's result.
    pub result: Option<Vec<u8>>,
}

/// What decisions shall store, gathered so that one statement serves all.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The states that executions and attempts shall have.
    pub patches: Vec<Patch>,
    /// The events to append.
    pub events: EventDocuments,
}

impl Changes {
    /// Takes what the decision stores and gives its outcome.
    pub fn take<T>(&mut self, decision: Decision<T>) -> T {
        if let Some(patch) = decision.patch {
            self.events.extend(&patch.execution.execution_id, &decision.events);
            self.patches.push(patch);
        }
        decision.outcome
    }
}

impl From<Loaded> for ExecutionOutcome {
    fn from(loaded: Loaded) -> Self {
        Self {
            public_state: loaded.execution.public_state,
            result: loaded.result,
            error: loaded.attempt.and_then(|attempt| attempt.error),
        }
    }
}
