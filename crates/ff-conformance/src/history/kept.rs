//! What a store keeps when a history is over.

#![expect(clippy::unwrap_used, reason = "a store that cannot be read back has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_core::contracts::{
    EventStream, ExecutionFilter, LIST_EXECUTIONS_MAX_LIMIT, READ_EVENTS_MAX_LIMIT,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::execution::{Attempt, Execution};
use ff_core::types::ExecutionId;

use super::record::SeenEvent;

/// Everything that a store keeps, read when nothing is done to it any more.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Every execution.
    pub executions: Vec<KeptExecution>,
    /// Every stream, from its beginning to its end.
    pub streams: BTreeMap<EventStream, Vec<SeenEvent>>,
}

/// An execution as it is kept.
#[derive(Clone, Debug)]
pub struct KeptExecution {
    /// The execution.
    pub execution: Execution,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
    /// What its handler returned.
    pub result: Option<Vec<u8>>,
}

impl Kept {
    /// Reads a store. Every event must be readable.
    pub async fn read(backend: &Arc<dyn EngineBackend>) -> Self {
        let mut kept = Self::default();
        let (filter, mut after) = (ExecutionFilter::default(), None);
        loop {
            let page =
                backend.list_executions(&filter, after, LIST_EXECUTIONS_MAX_LIMIT).await.unwrap();
            for execution in page.executions {
                let id = &execution.execution_id;
                let attempts = backend.list_attempts(id).await.unwrap();
                let result = backend.get_execution_result(id).await.unwrap();
                kept.executions.push(KeptExecution { execution, attempts, result });
            }
            after = page.cursor;
            if after.is_none() {
                break;
            }
        }
        for stream in EventStream::ALL {
            kept.streams.insert(*stream, read_stream(backend, *stream).await);
        }
        kept
    }

    pub(super) fn find(&self, id: &ExecutionId) -> Option<&KeptExecution> {
        self.executions.iter().find(|one| one.execution.execution_id == *id)
    }

    pub(super) fn stream(&self, stream: EventStream) -> &[SeenEvent] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// The names of an execution's events in a stream, sorted.
    pub(super) fn names(&self, stream: EventStream, id: &ExecutionId) -> Vec<&str> {
        let events = self.stream(stream).iter().filter(|event| event.execution_id == *id);
        let mut names: Vec<&str> = events.map(|event| event.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl KeptExecution {
    pub(super) fn attempt(&self, index: u32) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.attempt_index.0 == index)
    }
}

async fn read_stream(backend: &Arc<dyn EngineBackend>, stream: EventStream) -> Vec<SeenEvent> {
    let mut events: Vec<SeenEvent> = Vec::new();
    loop {
        let after = events.last().map(|event| event.cursor);
        let page = backend.read_events(stream, after, READ_EVENTS_MAX_LIMIT).await.unwrap();
        let goes_on = page.last().is_some_and(|last| Some(last.cursor) > after);
        events.extend(page.into_iter().map(SeenEvent::from));
        if !goes_on {
            return events;
        }
    }
}
