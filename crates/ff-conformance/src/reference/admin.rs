//! Lanes, retention, and the store itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ff_core::contracts::LaneInfo;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::state::LaneState;
use ff_core::types::{LaneId, Namespace, TimestampMs};

use super::ReferenceBackend;

impl ReferenceBackend {
    pub(super) fn lanes(&self) -> Result<Vec<LaneInfo>, EngineError> {
        let state = self.lock()?;
        let info = |(lane_id, state): (&LaneId, &LaneState)| LaneInfo {
            lane_id: lane_id.clone(),
            state: *state,
        };
        Ok(state.lanes.iter().map(info).collect())
    }

    pub(super) fn pause(&self, lane: &LaneId) -> Result<(), EngineError> {
        input::check_lane(lane)?;
        self.lock()?.lanes.insert(lane.clone(), LaneState::Paused);
        Ok(())
    }

    pub(super) fn resume(&self, lane: &LaneId) -> Result<(), EngineError> {
        input::check_lane(lane)?;
        if let Some(state) = self.lock()?.lanes.get_mut(lane) {
            *state = LaneState::Active;
        }
        self.store.work.notify_waiters();
        Ok(())
    }

    pub(super) fn keep_for(
        &self,
        namespace: &Namespace,
        retention: Option<Duration>,
    ) -> Result<(), EngineError> {
        input::check_name("namespace", namespace.as_str())?;
        let mut state = self.lock()?;
        match retention {
            Some(retention) => state.retention.insert(namespace.clone(), retention),
            None => state.retention.remove(namespace),
        };
        Ok(())
    }

    pub(super) fn check_open(&self) -> Result<(), EngineError> {
        self.lock().map(drop)
    }

    pub(super) fn tell_time(&self) -> Result<TimestampMs, EngineError> {
        self.check_open()?;
        Ok(self.clock_now())
    }

    pub(super) fn shut_down(&self) {
        self.is_shut_down.store(true, Ordering::SeqCst);
        self.store.work.notify_waiters();
    }
}
