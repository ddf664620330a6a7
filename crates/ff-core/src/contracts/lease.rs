use crate::types::{
    AttemptIndex, ExecutionId, LeaseEpoch, LeaseId, Namespace, TimestampMs, WorkerInstanceId,
};

/// Entries on a page of [`ListExpiredLeasesArgs`] when no limit is given.
pub const LIST_EXPIRED_LEASES_DEFAULT_LIMIT: u32 = 1_000;
/// Entries on a page of [`ListExpiredLeasesArgs`] at most.
pub const LIST_EXPIRED_LEASES_MAX_LIMIT: u32 = 10_000;

/// A lease to take from its worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeLeaseArgs {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Revoke only this lease.
    pub expected_lease_id: Option<LeaseId>,
    /// Revoke only a lease of this process.
    pub worker_instance_id: WorkerInstanceId,
    /// Why.
    pub reason: String,
}

/// What became of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokeLeaseResult {
    /// The lease has ended.
    Revoked {
        /// Its id.
        lease_id: LeaseId,
        /// Its epoch.
        lease_epoch: LeaseEpoch,
    },
    /// There was no such lease.
    AlreadySatisfied {
        /// `no_active_lease`, `different_worker_instance_id` or `lease_id_mismatch`.
        reason: String,
    },
}

/// Which expired leases to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListExpiredLeasesArgs {
    /// Leases whose time was up at this time.
    pub as_of: TimestampMs,
    /// Begin after this entry.
    pub after: Option<ExpiredLeasesCursor>,
    /// Entries at most: [`LIST_EXPIRED_LEASES_DEFAULT_LIMIT`] when `None`, and never more than
    /// [`LIST_EXPIRED_LEASES_MAX_LIMIT`].
    pub limit: Option<u32>,
    /// Accepted and ignored.
    pub max_partitions_per_call: Option<u32>,
    /// Only of this namespace.
    pub namespace: Option<Namespace>,
}

impl ListExpiredLeasesArgs {
    /// All leases whose time was up at `as_of`.
    pub fn new(as_of: TimestampMs) -> Self {
        Self { as_of, after: None, limit: None, max_partitions_per_call: None, namespace: None }
    }
}

/// A page of expired leases, by expiry and then by execution id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListExpiredLeasesResult {
    /// The leases.
    pub entries: Vec<ExpiredLeaseInfo>,
    /// Where the next page begins; set only when this one is full.
    pub cursor: Option<ExpiredLeasesCursor>,
}

impl ListExpiredLeasesResult {
    /// A page.
    pub fn new(entries: Vec<ExpiredLeaseInfo>, cursor: Option<ExpiredLeasesCursor>) -> Self {
        Self { entries, cursor }
    }
}

/// A lease whose time is up and that nobody has ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredLeaseInfo {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// Its epoch.
    pub lease_epoch: LeaseEpoch,
    /// Who holds it.
    pub worker_instance_id: WorkerInstanceId,
    /// When its time was up.
    pub expires_at_ms: TimestampMs,
    /// The attempt that it is on.
    pub attempt_index: AttemptIndex,
}

impl ExpiredLeaseInfo {
    /// An entry.
    #[expect(clippy::too_many_arguments, reason = "the signature is fixed by the contract")]
    pub fn new(
        execution_id: ExecutionId,
        lease_id: LeaseId,
        lease_epoch: LeaseEpoch,
        worker_instance_id: WorkerInstanceId,
        expires_at_ms: TimestampMs,
        attempt_index: AttemptIndex,
    ) -> Self {
        Self {
            execution_id,
            lease_id,
            lease_epoch,
            worker_instance_id,
            expires_at_ms,
            attempt_index,
        }
    }
}

/// The last entry of a page: the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredLeasesCursor {
    /// When its time was up.
    pub expires_at_ms: TimestampMs,
    /// Its execution.
    pub execution_id: ExecutionId,
}

impl ExpiredLeasesCursor {
    /// A place in the list.
    pub fn new(expires_at_ms: TimestampMs, execution_id: ExecutionId) -> Self {
        Self { expires_at_ms, execution_id }
    }
}
