//! What is done to a store and to those who use it.

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
            Self::Kill => 14,
            Self::Cut => 20,
            Self::Terminate => 10,
            Self::Freeze => 4,
            Self::Restart | Self::Snapshot | Self::Lock => 2,
            Self::KillAll | Self::FullDisk | Self::FullLog | Self::Hog => 1,
        }
    }

    /// Whether nobody can use the store while it lasts. There is one of these at a time.
    pub(crate) fn takes_the_store_away(self) -> bool {
        matches!(self, Self::Restart | Self::FullDisk | Self::FullLog | Self::Lock | Self::Hog)
    }

    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillAll)
    }
}
