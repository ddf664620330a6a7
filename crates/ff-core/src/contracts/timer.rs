use crate::state::words;

words! {
    /// What time makes due. The supervisor calls each task again and again.
    #[non_exhaustive]
    ReconcileTask {
        /// Gives executions whose lease has expired to other workers.
        ExpireLeases = "expire_leases",
        /// Makes delayed executions that are due claimable on paper too, and admits to their queue those
        /// that were submitted more than a second ago: operators may then change their priority.
        PromoteDue = "promote_due",
        /// Ends attempts that run longer than their policy allows.
        TimeOutAttempts = "time_out_attempts",
        /// Ends executions whose deadline has passed.
        ExpireDeadlines = "expire_deadlines",
        /// Takes workers without a sign of life off the registry.
        SweepWorkers = "sweep_workers",
        /// Acknowledges cancelled members for workers that are gone.
        DrainCancelBacklog = "drain_cancel_backlog",
        /// Removes finished executions that are older than their namespace keeps them.
        TrimRetention = "trim_retention",
    }
}

/// What one call of a task did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Rows that the task acted on. As many as the limit means that more may be waiting.
    pub processed: u32,
    /// Rows that it could not act on because what is stored of them is corrupt.
    pub errors: u32,
}

/// Rows that one call of a task acts on at most.
pub const RECONCILE_MAX_LIMIT: u32 = 10_000;
