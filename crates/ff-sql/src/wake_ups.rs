//! Wakes claims that wait for work, after the commit that made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ff_core::types::LaneId;
use tokio::sync::Notify;

/// The waiting claims, by lane.
#[derive(Clone, Debug, Default)]
pub struct WakeUps {
    lanes: Arc<Mutex<HashMap<LaneId, Vec<Arc<Notify>>>>>,
}

/// A claim that waits; it is forgotten when this is dropped.
#[derive(Debug)]
pub struct Waiter {
    wake_ups: WakeUps,
    lanes: Vec<LaneId>,
    notify: Arc<Notify>,
}

impl WakeUps {
    /// Notes a claim that waits for any of the lanes. A wake-up from now on is not lost.
    pub fn wait_for(&self, lanes: &[LaneId]) -> Waiter {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes {
            waiting.entry(lane.clone()).or_default().push(Arc::clone(&notify));
        }
        drop(waiting);
        Waiter { wake_ups: self.clone(), lanes: lanes.to_vec(), notify }
    }

    /// Wakes every claim that waits for the lane.
    pub fn wake(&self, lane: &LaneId) {
        let waiting = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for notify in waiting.get(lane).into_iter().flatten() {
            notify.notify_one();
        }
    }
}

impl Waiter {
    /// Returns after the next wake-up, or at once when one came since the last.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.wake_ups.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in &self.lanes {
            if let Some(list) = waiting.get_mut(lane) {
                list.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
                if list.is_empty() {
                    waiting.remove(lane);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_wake_up_before_the_wait_is_kept() {
        let wake_ups = WakeUps::default();
        let waiter = wake_ups.wait_for(&[LaneId::new("a"), LaneId::new("b")]);
        wake_ups.wake(&LaneId::new("b"));
        assert!(waiter.woken().now_or_never().is_some());
        wake_ups.wake(&LaneId::new("c"));
        assert!(waiter.woken().now_or_never().is_none());
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let wake_ups = WakeUps::default();
        drop(wake_ups.wait_for(&[LaneId::new("a")]));
        assert!(wake_ups.lanes.lock().unwrap().is_empty());
    }
}
