//! Columns that another program has written, beside the typed maps: what a database would hold as
//! text and numbers.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use ff_core::decision::Patch;
use ff_core::engine_error::EngineError;
use ff_core::execution::{Attempt, Execution};
use ff_core::types::{
    AttemptIndex, ExecutionId, LeaseEpoch, TimestampMs, WorkerId, WorkerInstanceId,
};

/// What was written past the engine, until the engine overwrites it.
#[derive(Clone, Default)]
pub(super) struct RawColumns {
    words: BTreeMap<String, String>,
    numbers: BTreeMap<(AttemptIndex, String), i64>,
    texts: BTreeMap<(AttemptIndex, String), Option<String>>,
}

impl RawColumns {
    pub(super) fn write_word(&mut self, column: &str, text: &str) {
        self.words.insert(column.to_owned(), text.to_owned());
    }

    pub(super) fn word(&self, column: &str) -> Option<&str> {
        self.words.get(column).map(String::as_str)
    }

    pub(super) fn write_number(&mut self, attempt: AttemptIndex, column: &str, value: i64) {
        self.numbers.insert((attempt, column.to_owned()), value);
    }

    pub(super) fn write_text(&mut self, attempt: AttemptIndex, column: &str, text: Option<&str>) {
        self.texts.insert((attempt, column.to_owned()), text.map(str::to_owned));
    }

    /// Every word of an execution is written by every patch, and every column of the patch's attempt.
    pub(super) fn overwritten_by(&mut self, patch: &Patch) {
        self.words.clear();
        if let Some(attempt) = &patch.attempt {
            self.numbers.retain(|(index, _), _| *index != attempt.attempt_index);
            self.texts.retain(|(index, _), _| *index != attempt.attempt_index);
        }
    }

    /// Reads the words that were written into the execution (SAFE-7).
    pub(super) fn read_words(&self, execution: &mut Execution) -> Result<(), EngineError> {
        let id = execution.execution_id.clone();
        for (column, text) in &self.words {
            match column.as_str() {
                "lifecycle_phase" => execution.lifecycle_phase = parse(column, text, &id)?,
                "ownership_state" => execution.ownership_state = parse(column, text, &id)?,
                "eligibility_state" => execution.eligibility_state = parse(column, text, &id)?,
                "public_state" => execution.public_state = parse(column, text, &id)?,
                "attempt_state" => execution.attempt_state = parse(column, text, &id)?,
                other => return Err(corrupt(other, &id, "the reference has no such text")),
            }
        }
        Ok(())
    }

    /// Reads the numbers that were written into the attempt (SAFE-7).
    pub(super) fn read_numbers(
        &self,
        id: &ExecutionId,
        attempt: &mut Attempt,
    ) -> Result<(), EngineError> {
        let index = attempt.attempt_index;
        let written = self.numbers.iter().filter(|((written_to, _), _)| *written_to == index);
        for ((_, column), value) in written {
            match column.as_str() {
                "lease_epoch" => {
                    let epoch = u64::try_from(*value)
                        .map_err(|_| EngineError::corruption("ff_attempt", column, id, value))?;
                    attempt.lease_epoch = LeaseEpoch::new(epoch);
                }
                "started_at_ms" => attempt.started_at = Some(TimestampMs(*value)),
                "terminal_at_ms" => attempt.terminal_at = Some(TimestampMs(*value)),
                "lease_expires_at_ms" => attempt.lease_expires_at = Some(TimestampMs(*value)),
                other => {
                    let problem = "the reference has no such number";
                    return Err(EngineError::corruption("ff_attempt", other, id, problem));
                }
            }
        }
        Ok(())
    }
}

impl RawColumns {
    /// Reads the texts that were written into the attempt (SAFE-7).
    pub(super) fn read_texts(
        &self,
        id: &ExecutionId,
        attempt: &mut Attempt,
    ) -> Result<(), EngineError> {
        let index = attempt.attempt_index;
        for ((_, column), text) in self.texts.iter().filter(|((written, _), _)| *written == index) {
            let corrupt =
                |problem: &dyn Display| EngineError::corruption("ff_attempt", column, id, problem);
            match column.as_str() {
                "outcome" => {
                    attempt.outcome = text
                        .as_deref()
                        .map(str::parse)
                        .transpose()
                        .map_err(|problem| corrupt(&problem))?;
                }
                "worker_id" => attempt.worker_id = text.clone().map(WorkerId::new),
                "worker_instance_id" => {
                    attempt.worker_instance_id = text.clone().map(WorkerInstanceId::new);
                }
                _ => return Err(corrupt(&"the reference has no such text")),
            }
        }
        Ok(())
    }
}

fn parse<W>(column: &str, text: &str, id: &ExecutionId) -> Result<W, EngineError>
where
    W: FromStr<Err: Display>,
{
    text.parse().map_err(|problem| corrupt(column, id, problem))
}

fn corrupt(column: &str, id: &ExecutionId, problem: impl Display) -> EngineError {
    EngineError::corruption("ff_exec_core", column, id, problem)
}
