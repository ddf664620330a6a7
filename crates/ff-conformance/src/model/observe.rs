//! What is seen of an operation: its answer as text, whether it succeeded, and the kinds of its errors.

use std::fmt::Debug;

use ff_core::engine_error::{ContentionKind, EngineError};

/// What one side of a step answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) text: String,
    pub(super) succeeded: bool,
    pub(super) errors: Vec<String>,
}

impl Observed {
    pub(super) fn of<T: Debug>(answer: &Result<T, EngineError>) -> Self {
        let errors = answer.as_ref().err().map(kinds).unwrap_or_default();
        let text = match answer {
            // What the driver says is the driver's.
            Err(EngineError::Transport { .. }) => "Err(Transport)".to_owned(),
            answer => format!("{answer:?}"),
        };
        Self { text, succeeded: answer.is_ok(), errors }
    }

    /// Of a batch in which every item has an answer of its own.
    pub(super) fn of_each<T: Debug>(
        answer: &Result<Vec<Result<T, EngineError>>, EngineError>,
    ) -> Self {
        let mut observed = Self::of(answer);
        for item in answer.iter().flatten() {
            observed.errors.extend(item.as_ref().err().map(kinds).unwrap_or_default());
        }
        observed.succeeded = answer.as_ref().is_ok_and(|items| items.iter().any(Result::is_ok));
        observed
    }

    /// The same, without the name of the backend that answered.
    pub(super) fn without_label(mut self, label: &str) -> Self {
        self.text = self.text.replace(label, "BACKEND");
        self
    }
}

/// The names of an error's kind; of an item of a batch also that of the item's error.
fn kinds(error: &EngineError) -> Vec<String> {
    let name = match error {
        EngineError::NotFound { entity } => format!("NotFound({entity})"),
        EngineError::Validation { kind, .. } => format!("Validation({kind:?})"),
        EngineError::Contention(ContentionKind::ExecutionNotActive { .. }) => {
            "Contention(ExecutionNotActive)".to_owned()
        }
        EngineError::Contention(kind) => format!("Contention({kind:?})"),
        EngineError::Conflict(kind) => format!("Conflict({kind:?})"),
        EngineError::State(kind) => format!("State({kind:?})"),
        EngineError::BatchItem { source, .. } => {
            let mut names = kinds(source);
            names.push("BatchItem".to_owned());
            return names;
        }
        EngineError::Timeout { .. } => "Timeout".to_owned(),
        EngineError::Transport { .. } => "Transport".to_owned(),
        other => format!("{other:?}"),
    };
    vec![name]
}
