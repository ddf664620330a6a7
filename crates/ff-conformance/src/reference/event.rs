//! The history of an execution.

use ff_core::contracts::ExecutionEvent;
use ff_core::engine_error::EngineError;
use ff_core::types::ExecutionId;

use super::ReferenceBackend;

impl ReferenceBackend {
    /// In the order that backends with a table for each stream can give too: by time, then by stream,
    /// then as they were recorded.
    pub(super) fn events(&self, id: &ExecutionId) -> Result<Vec<ExecutionEvent>, EngineError> {
        let mut events = self.lock()?.load(id)?.events.clone();
        events.sort_by_key(|event| (event.occurred_at, event.stream));
        Ok(events)
    }
}
