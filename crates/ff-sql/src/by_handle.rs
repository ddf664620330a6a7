//! Batches of calls by handle, each of which has an answer of its own.

use ff_core::backend::Handle;
use ff_core::contracts::{Completion, Failure};
use ff_core::engine_error::EngineError;

use crate::rounds::rounds;

type Answer<T> = Result<T, EngineError>;

/// A call by handle.
pub trait HasHandle {
    /// Its handle.
    fn handle(&self) -> &Handle;

    /// Bytes that it brings to store.
    fn bytes(&self) -> usize;
}

impl HasHandle for Handle {
    fn handle(&self) -> &Handle {
        self
    }

    fn bytes(&self) -> usize {
        0
    }
}

impl HasHandle for Completion {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn bytes(&self) -> usize {
        self.result.as_ref().map_or(0, Vec::len)
    }
}

impl HasHandle for Failure {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn bytes(&self) -> usize {
        self.reason.message.len() + self.reason.detail.as_ref().map_or(0, Vec::len)
    }
}

/// The answers to a batch as they come in.
#[derive(Debug)]
pub struct Answers<'b, I, T> {
    backend: &'static str,
    batch: &'b [I],
    answers: Vec<Option<Answer<T>>>,
}

impl<'b, I: HasHandle, T> Answers<'b, I, T> {
    /// A batch for the backend of this label. A call that the check refuses is answered by that.
    pub fn new(backend: &'static str, batch: &'b [I], check: impl Fn(&I) -> Answer<()>) -> Self {
        let answers = batch.iter().map(|item| check(item).err().map(Err)).collect();
        Self { backend, batch, answers }
    }

    /// The places of the calls that have no answer. Those of one round name each execution once; an
    /// execution that the batch names twice is met twice, one after the other.
    pub fn rounds(&self) -> Vec<Vec<usize>> {
        let open: Vec<usize> =
            (0..self.batch.len()).filter(|place| self.answers[*place].is_none()).collect();
        let rounds = rounds(&open, |place| vec![self.batch[*place].handle().execution_id()]);
        rounds.into_iter().map(|round| round.into_iter().map(|at| open[at]).collect()).collect()
    }

    /// The calls of a round.
    pub fn items(&self, round: &[usize]) -> Vec<&'b I> {
        round.iter().map(|place| &self.batch[*place]).collect()
    }

    /// Notes the answers to a round, in its order.
    pub fn note(&mut self, round: Vec<usize>, answers: Vec<Answer<T>>) {
        for (place, answer) in round.into_iter().zip(answers) {
            self.answers[place] = Some(answer);
        }
    }

    /// The answers in the order of the batch.
    pub fn into_vec(self) -> Vec<Answer<T>> {
        let backend = self.backend;
        let answers = self.answers.into_iter();
        answers.map(|answer| answer.unwrap_or_else(|| no_answer(backend))).collect()
    }
}

/// What a backend says that has none to a call.
///
/// # Errors
/// Always.
pub fn no_answer<T>(backend: &'static str) -> Answer<T> {
    Err(EngineError::Transport { backend, source: "no answer to a call by handle".into() })
}

#[cfg(test)]
mod tests {
    use ff_core::backend::{HandleKind, HandleLease};
    use ff_core::types::{AttemptIndex, ExecutionId, LeaseEpoch, WorkerInstanceId};
    use uuid::Uuid;

    use super::*;

    fn handle(number: u128) -> Handle {
        let lease = HandleLease {
            attempt_index: AttemptIndex::new(0),
            lease_epoch: LeaseEpoch::new(1),
            worker_instance_id: WorkerInstanceId::new("instance"),
            lease_ttl_ms: 1,
            kind: HandleKind::Fresh,
        };
        Handle::mint("test", ExecutionId::from_parts(0, Uuid::from_u128(number)), lease)
    }

    #[test]
    fn each_call_has_its_answer_and_an_execution_is_met_once_a_round() {
        let batch = [handle(1), handle(9), handle(2), handle(1)];
        let refuse_nine = |item: &Handle| match item.execution_id().uuid().as_u128() {
            9 => Err(EngineError::execution_not_found()),
            _ => Ok(()),
        };
        let mut answers = Answers::new("test", &batch, refuse_nine);
        let rounds = answers.rounds();
        assert_eq!(rounds, [vec![0, 2], vec![3]]);
        for (number, round) in rounds.into_iter().enumerate() {
            let items = answers.items(&round);
            let noted = items.iter().map(|item| Ok((number, item.execution_id().uuid().as_u128())));
            let noted = noted.collect();
            answers.note(round, noted);
        }
        let answers: Vec<_> = answers.into_vec().into_iter().map(Result::ok).collect();
        assert_eq!(answers, [Some((0, 1)), None, Some((0, 2)), Some((1, 1))]);
    }
}
