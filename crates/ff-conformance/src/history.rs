//! Histories: what many tasks and processes were answered by one store, and a proof that it could be so.
//!
//! [Cases](crate::cases()) call an operation after the other. A history shows what they cannot: two workers
//! that claim at once, a sweep beside a renewal, a subscriber that reads while others commit.
//!
//! 1. [`Recorder`]s make the calls and note each in a [`Log`], before it is made and after it was answered.
//!    [`Workload`] makes them hammer a store: create, claim, renew, finish, give back, revoke, cancel, replay, sweep,
//!    subscribe, and call by handles that are stale, or that another task is using.
//! 2. When they have ended, [`drain`] finishes what they left, [`catch_up`] lets every subscriber read to its end,
//!    and [`Kept::read`] reads back what the store keeps.
//! 3. [`check`](check()) proves the promises below, or answers a [`Violation`] that prints the shortest history
//!    found that breaks one, as a table.
//!
//! [`hammer`] does all of it with the tasks of one process on a store of a [`Fixture`]; [`Cast`] and
//! [`Part`] with several processes, one of which may be killed in the middle.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use ff_conformance::history::{Workload, hammer};
//! use ff_conformance::reference::ReferenceFixture;
//!
//! let workload = Workload { steps: 20, ..Workload::default() };
//! let counts = hammer(&ReferenceFixture, &workload).await?;
//! assert!(counts.leases > 0);
//! # Ok::<(), ff_conformance::history::Violation>(())
//! # }).unwrap();
//! ```
//!
//! # What is proved, and what is not
//!
//! A history proves nothing of histories that were not made: a race that nobody ran into stays hidden. Of the one
//! that was made, for each execution:
//!
//! - *Nothing is lost.* Whatever a call was told to be created or leased is kept, and what is kept was asked for;
//!   an idempotency key names one execution; a batch whose answer was lost is kept as a whole or not at all; in
//!   the end everything has finished. What the executions hold, such as payloads, is not compared.
//! - *No two leases overlap.* No lease is given twice, and none while another holds, in any order of the calls that
//!   agrees with the log. What "holds" means is taken from calls and from sweeps, not from the times that are
//!   kept: the times of two calls need not come from one clock, and are not compared.
//! - *Epochs rise.* Attempt and epoch rise from a claim to those that began after it was over, and each attempt has
//!   one lease.
//! - *A stale handle never succeeds* once a call is over that ended its lease. A completion or failure that repeats
//!   one that was made in time may, and is answered as that was.
//! - *An expired lease has ended, and no other has.* The calls that held on one lease (its claim, its renewals and the
//!   call that ended it) follow one another in less than its time to live, and no sweep ended it before the
//!   expiry told last. The times are those that the store noted; a renewal's is taken from the expiry that it told. A
//!   lease with a renewal whose answer was lost is passed by.
//! - *Each execution has one outcome* for each time that it was replayed, and that is the one that its worker was
//!   told.
//! - *No event is missed or repeated.* Each stream tells all that happened to the execution, once, and each
//!   subscriber has read each stream as it is kept, page by page. In which order a stream tells of one
//!   execution is not compared.
//! - *The calls have an order.* One at a time, in some order that does not turn round what the log tells to have
//!   been one after the other, they would have been answered as they were. This is linearizability, by
//!   stateright's tester; refusals count too, so that a live handle that is refused is found. It does not know
//!   the time: a handle may always be refused as expired.
//!
//! A call whose answer was lost (`Transport`, `Timeout`, `PoolExhausted`, a process that died) may have been done,
//! at any time after it was made, or not; both are allowed for.
//!
//! The checks rely on what the workload does: the store was empty, every write to it is in the log, and no policy
//! times attempts out, bounds reclaims, or removes what has finished. A backend must have every operation that the
//! workload calls.

mod calls;
mod check;
mod client;
mod counts;
mod dice;
mod drain;
mod kept;
mod linear;
mod log;
mod process;
mod record;
mod recorder;
mod register;
mod shrink;
mod subscriber;
mod table;
#[cfg(test)]
mod tests;
mod workload;

use std::sync::Arc;

use ff_core::clock::ManualClock;

use crate::cx::START;
use crate::fixture::Fixture;

pub use counts::Counts;
pub use drain::drain;
pub use kept::{Kept, KeptExecution};
pub use log::Log;
pub use process::{Cast, Part};
pub use record::{Answer, Call, Created, Creation, Entry, Refusal, SeenEvent, What};
pub use recorder::Recorder;
pub use subscriber::catch_up;
pub use table::{Property, Violation};
pub use workload::{Participant, Workload};

/// Checks a history: what was called and answered, and what the store keeps now.
///
/// # Errors
/// The promise that is broken, with the shortest history found that shows it.
pub fn check(entries: &[Entry], kept: &Kept) -> Result<Counts, Violation> {
    let calls = calls::join(entries);
    let history = calls::History::new(&calls, kept);
    let mut found = check::all(&history);
    if found.is_empty() {
        found = linear::check(&history);
    }
    let shortest = found.into_iter().min_by_key(Violation::length);
    shortest.map_or_else(|| Ok(Counts::of_history(&history)), Err)
}

/// Hammers a fresh store with the tasks of this process, half of which have opened it a second time, and checks
/// the history. Needs a runtime of several threads for calls that overlap.
///
/// # Errors
/// As [`check`](check()).
pub async fn hammer(fixture: &dyn Fixture, workload: &Workload) -> Result<Counts, Violation> {
    let clock = Arc::new(ManualClock::starting_at(START));
    let store = fixture.open(Arc::clone(&clock)).await;
    let (backend, log) = (store.backend(), Arc::new(Log::in_memory()));
    let participant = Participant {
        name: "task".to_owned(),
        backends: vec![Arc::clone(&backend), store.reopen().await],
        clock: Some(Arc::clone(&clock)),
        log: Arc::clone(&log),
    };
    workload.run(&participant).await;
    drain(&backend, &log, Some(&clock)).await;
    store.settle().await;
    catch_up(&backend, &log).await;
    check(&log.entries(), &Kept::read(&backend).await)
}
