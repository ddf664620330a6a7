//! The streams of events, and the history of an execution.

use std::collections::BTreeMap;

use ff_core::contracts::{
    DEFAULT_INSTANCE_TAG_KEY, EventCursor, EventStream, ExecutionEvent, FlowSnapshot, RecordedEvent,
};
use ff_core::decision::{Event, EventKind};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::input;
use ff_core::types::ExecutionId;
use serde_json::Value;

use super::ReferenceBackend;

/// Every event that is kept, stream by stream in the order in which they were recorded.
#[derive(Clone, Default)]
pub(super) struct EventLog {
    streams: BTreeMap<EventStream, Stream>,
}

#[derive(Clone, Default)]
struct Stream {
    /// An id is never given twice, also when its event is gone.
    last_id: u64,
    events: Vec<RecordedEvent>,
}

impl ReferenceBackend {
    /// In the order that backends with a table for each stream can give too: by time, then by stream,
    /// then as they were recorded.
    pub(super) fn history(&self, id: &ExecutionId) -> Result<Vec<ExecutionEvent>, EngineError> {
        let mut state = self.lock()?;
        state.load(id)?;
        let mut events: Vec<_> = state.events.of_execution(id).map(history_entry).collect();
        events.sort_by_key(|event| (event.occurred_at, event.stream));
        Ok(events)
    }

    pub(super) fn read_stream(
        &self,
        stream: EventStream,
        after: Option<EventCursor>,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EngineError> {
        input::check_read_events_limit(limit)?;
        let state = self.lock()?;
        let Some(Stream { events, .. }) = state.events.streams.get(&stream) else {
            return Ok(Vec::new());
        };
        let is_read = |event: &RecordedEvent| after.is_some_and(|after| event.cursor <= after);
        let unread = events.iter().skip(events.partition_point(is_read));
        Ok(unread.take(limit as usize).cloned().collect())
    }
}

impl EventLog {
    /// Appends what was decided of an execution, with what its events carry of it.
    pub(super) fn append(&mut self, execution: &Execution, events: Vec<Event>) {
        for event in events {
            let (stream, mut recorded) = self.record(execution.execution_id.clone(), event);
            recorded.flow_id = execution.flow_id.filter(|_| stream == EventStream::Completion);
            recorded.namespace = execution.namespace.clone();
            recorded.instance_tag = execution.tags.get(DEFAULT_INSTANCE_TAG_KEY).cloned();
            self.push(stream, recorded);
        }
    }

    /// Appends what was decided of a flow; its UUID stands in the place of an execution's.
    pub(super) fn append_of_flow(&mut self, flow: &FlowSnapshot, event: Event) {
        let (stream, mut recorded) = self.record(ExecutionId::from_parts(0, flow.flow_id.0), event);
        recorded.namespace = flow.namespace.clone();
        recorded.instance_tag = flow.tags.get(DEFAULT_INSTANCE_TAG_KEY).cloned();
        self.push(stream, recorded);
    }

    /// The event under the next id of its stream.
    fn record(&mut self, id: ExecutionId, event: Event) -> (EventStream, RecordedEvent) {
        let (stream, name, details) = told(event.kind);
        let log = self.streams.entry(stream).or_default();
        log.last_id += 1;
        let cursor = EventCursor::new(0, log.last_id);
        let mut recorded = RecordedEvent::new(cursor, id, event.occurred_at, name);
        recorded.details = details;
        (stream, recorded)
    }

    fn push(&mut self, stream: EventStream, recorded: RecordedEvent) {
        self.streams.entry(stream).or_default().events.push(recorded);
    }

    pub(super) fn of_execution(
        &self,
        id: &ExecutionId,
    ) -> impl Iterator<Item = (EventStream, &RecordedEvent)> {
        let all = self
            .streams
            .iter()
            .flat_map(|(name, stream)| stream.events.iter().map(move |event| (*name, event)));
        all.filter(move |(_, event)| event.execution_id == *id)
    }

    pub(super) fn remove(&mut self, id: &ExecutionId) {
        for stream in self.streams.values_mut() {
            stream.events.retain(|event| event.execution_id != *id);
        }
    }
}

fn told(kind: EventKind) -> (EventStream, &'static str, Value) {
    match kind {
        EventKind::Completion(outcome) => (EventStream::Completion, outcome.as_str(), Value::Null),
        EventKind::Lease(event_type) => (EventStream::Lease, event_type.as_str(), Value::Null),
        EventKind::Operator { event_type, details } => {
            (EventStream::Operator, event_type.as_str(), details)
        }
    }
}

fn history_entry((stream, event): (EventStream, &RecordedEvent)) -> ExecutionEvent {
    ExecutionEvent::new(event.occurred_at, stream, event.name.clone(), event.details.clone())
}
