//! What is done to a store and to those who use it.

use std::time::Duration;

use crate::random::Random;

/// A kind of fault. Which of them an arena can be done depends on its backend and on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    KillAll,
    Freeze,
    Terminate,
    Cut,
    Restart,
    FullDisk,
    FullLog,
    Lock,
    Snapshot,
    Hog,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Kill,
        Self::KillAll,
        Self::Freeze,
        Self::Terminate,
        Self::Cut,
        Self::Restart,
        Self::FullDisk,
        Self::FullLog,
        Self::Lock,
        Self::Snapshot,
        Self::Hog,
    ];

    /// What it is called in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "a process killed",
            Self::KillAll => "all processes killed",
            Self::Freeze => "a process frozen past its leases",
            Self::Terminate => "connections terminated by the server",
            Self::Cut => "a connection cut at a commit",
            Self::Restart => "the server restarted at once",
            Self::FullDisk => "the disk full",
            Self::FullLog => "the log's disk full",
            Self::Lock => "the write lock held",
            Self::Snapshot => "a snapshot held",
            Self::Hog => "all connections taken",
        }
    }

    /// How many there are in a deck.
    pub(crate) fn cards(self) -> usize {
        match self {
            Self::Cut => 24,
            Self::Kill => 16,
            Self::Terminate => 12,
            Self::Snapshot => 6,
            Self::Freeze => 4,
            Self::Restart => 3,
            Self::KillAll | Self::FullDisk => 2,
            Self::FullLog | Self::Lock | Self::Hog => 1,
        }
    }

    /// Whether nobody can use the store while it lasts. There is one of these at a time.
    pub(crate) fn takes_the_store_away(self) -> bool {
        matches!(self, Self::Restart | Self::FullDisk | Self::FullLog | Self::Lock | Self::Hog)
    }

    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillAll)
    }

    /// How long it lasts, where that is for whoever injects it to say.
    pub(crate) fn time(self, random: &mut Random) -> Duration {
        match self {
            // Now and then for longer than an operation waits.
            Self::Lock if random.below(5) == 0 => random.millis(5_500, 6_500),
            Self::Lock => random.millis(200, 1_500),
            Self::Snapshot => random.millis(1_000, 5_000),
            // Beyond the lease's own time.
            Self::Freeze => random.millis(300, 1_500),
            _ => random.millis(200, 800),
        }
    }
}
