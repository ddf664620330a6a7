//! Commands that take several executions and act on each by itself.

use std::process::ExitCode;

use flowfabric::core::engine_error::EngineError;
use flowfabric::core::state::PublicState;
use flowfabric::core::types::ExecutionId;
use serde_json::json;

use crate::output::{Failure, Output};

/// What became of each execution, in the order given.
pub(crate) struct Answers(Vec<(ExecutionId, Answer)>);

type Answer = Result<PublicState, String>;

/// What was done, as a word and as a line.
pub(crate) struct Deed {
    pub(crate) word: &'static str,
    pub(crate) line: fn(&ExecutionId, PublicState) -> String,
}

/// Acts on one execution after the other, whatever became of those before.
pub(crate) async fn each(
    ids: Vec<ExecutionId>,
    act: impl AsyncFn(&ExecutionId) -> Answer,
) -> Answers {
    let mut answers = Vec::new();
    for id in ids {
        let answer = act(&id).await;
        answers.push((id, answer));
    }
    Answers(answers)
}

impl Answers {
    /// Prints a line for each.
    pub(crate) fn print(&self, deed: &Deed, output: &Output) -> Result<ExitCode, Failure> {
        let printed = if output.is_json() {
            self.print_json(deed, output)
        } else {
            self.print_text(deed, output)
        };
        let failed = self.0.iter().any(|(_, answer)| answer.is_err());
        let code = if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        match printed {
            Ok(()) | Err(Failure::ReaderGone) => Ok(code),
            Err(failure) => Err(failure),
        }
    }

    fn print_json(&self, deed: &Deed, output: &Output) -> Result<(), Failure> {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (id, answer) in &self.0 {
            match answer {
                Ok(state) => done.push(json!({ "execution_id": id, "public_state": state })),
                Err(reason) => failed.push(json!({ "execution_id": id, "reason": reason })),
            }
        }
        output.document(&json!({ deed.word: done, "failed": failed }))
    }

    fn print_text(&self, deed: &Deed, output: &Output) -> Result<(), Failure> {
        let mut printed = Ok(());
        for (id, answer) in &self.0 {
            match answer {
                Ok(state) => printed = printed.and(output.line(&(deed.line)(id, *state))),
                Err(reason) => output.note(&format!("ff: {reason}")),
            }
        }
        printed
    }
}

/// Why an operation on an execution was refused, where the command knows nothing better.
pub(crate) fn refusal(id: &ExecutionId, error: &EngineError) -> String {
    match error {
        EngineError::NotFound { .. } => unknown(id),
        error => format!("{id}: {error}"),
    }
}

pub(crate) fn unknown(id: &ExecutionId) -> String {
    format!(
        "there is no execution {id} in the store; `ff list` lists them, and --db names another store"
    )
}
