//! What has happened in a run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_core::clock::{Clock, SystemClock};
use ff_core::types::TimestampMs;

use crate::Outcome;
use crate::fault::Fault;

/// Faults as they are injected, and what went wrong beside them.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Mutex<Counts>,
    /// From when until when there was which fault, for whoever reads the logs of a run that failed.
    diary: File,
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
    pub(crate) fn new(folder: &Path) -> Outcome<Self> {
        Ok(Self { counts: Mutex::default(), diary: File::create(folder.join("faults"))? })
    }

    /// Notes a fault that began at this time and is over now.
    pub(crate) fn injected(&self, fault: Fault, began: TimestampMs) {
        let ended = SystemClock.now();
        // It is of help, and no more.
        let _ = writeln!(&self.diary, "{began} {ended} {}", fault.name());
        let mut counts = self.lock();
        *counts.faults.entry(fault).or_default() += 1;
        if fault.is_kill() || fault.takes_the_store_away() {
            counts.ends.push((fault, ended));
        }
    }

    pub(crate) fn problem(&self, problem: impl Into<String>) {
        self.lock().problems.push(problem.into());
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
