//! What has happened in a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_core::clock::{Clock, SystemClock};
use ff_core::types::TimestampMs;

use crate::fault::Fault;

/// Faults as they are injected, and what went wrong beside them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    inner: Mutex<Counts>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// When faults that are recovered from were over.
    pub(crate) ends: Vec<(Fault, TimestampMs)>,
    /// What should not have happened.
    pub(crate) problems: Vec<String>,
}

impl Tally {
    /// Notes a fault that is over now.
    pub(crate) fn injected(&self, fault: Fault) {
        let mut counts = self.lock();
        *counts.faults.entry(fault).or_default() += 1;
        if fault.is_kill() || fault.takes_the_store_away() {
            counts.ends.push((fault, SystemClock.now()));
        }
    }

    pub(crate) fn problem(&self, problem: impl Into<String>) {
        self.lock().problems.push(problem.into());
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
