//! The leases that this process holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_core::backend::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A table of leases, each in it for as long as its [`Lease`] lives.
#[derive(Debug)]
pub(super) struct Leases {
    ttl: Duration,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next_key: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    handle: Handle,
    /// When the claim or the last renewal that worked was asked for: the lease lasts its time from then at
    /// least.
    renewed_at: Instant,
    lost: CancellationToken,
}

/// A lease that is renewed until this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    key: u64,
    handle: Handle,
    lost: CancellationToken,
}

/// A lease of the table and its key there.
#[derive(Clone, Debug)]
pub(super) struct HeldLease {
    pub(super) key: u64,
    pub(super) handle: Handle,
}

impl Leases {
    pub(super) fn new(ttl: Duration) -> Arc<Self> {
        Arc::new(Self { ttl, table: Mutex::default() })
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Takes a lease into the table.
    pub(super) fn hold(self: &Arc<Self>, handle: Handle, asked_at: Instant) -> Lease {
        let lost = CancellationToken::new();
        let held = Held { handle: handle.clone(), renewed_at: asked_at, lost: lost.clone() };
        let mut table = self.table();
        let key = table.next_key;
        table.next_key += 1;
        table.held.insert(key, held);
        Lease { leases: Arc::clone(self), key, handle, lost }
    }

    /// The leases that have not been renewed for `age`.
    pub(super) fn older_than(&self, age: Duration, now: Instant) -> Vec<HeldLease> {
        let is_old = |held: &Held| now.saturating_duration_since(held.renewed_at) >= age;
        let table = self.table();
        let old = table.held.iter().filter(|(_, held)| !held.lost.is_cancelled() && is_old(held));
        old.map(|(key, held)| HeldLease { key: *key, handle: held.handle.clone() }).collect()
    }

    /// Notes that a renewal that was asked for at `asked_at` worked.
    pub(super) fn renewed(&self, key: u64, asked_at: Instant) {
        if let Some(held) = self.table().held.get_mut(&key) {
            held.renewed_at = held.renewed_at.max(asked_at);
        }
    }

    /// Notes that a lease has ended; false when it was let go before.
    pub(super) fn lose(&self, key: u64) -> bool {
        let lost = self.table().held.get(&key).map(|held| held.lost.clone());
        // Not under the lock: whoever waits for the token may be woken here.
        if let Some(lost) = &lost {
            lost.cancel();
        }
        lost.is_some()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Fires when the lease has ended otherwise than by this process finishing it.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.table().held.remove(&self.key);
    }
}
