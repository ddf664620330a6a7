//! Histories of the reference backend hold, and those of backends that are broken when calls overlap do not.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod broken;

use broken::{BrokenFixture, Fault};
use ff_conformance::history::{Violation, Workload, hammer};
use ff_conformance::reference::ReferenceFixture;

/// Histories after which a broken backend that was not caught has escaped.
const SEEDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_on_the_reference_keep_to_one_history() {
    let counts = hammer(&ReferenceFixture, &Workload::default()).await;

    let counts = counts.unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(counts.unknown(), 0, "{counts}");
    assert!(counts.never_done().is_empty() && counts.expired > 0, "{counts}");
}

/// What the first history that does not hold shows.
async fn violation(fault: Fault, seeds: u64) -> Option<Violation> {
    for seed in 0..seeds {
        let workload = Workload { seed, ..Workload::default() };
        if let Err(violation) = hammer(&BrokenFixture(fault), &workload).await {
            return Some(violation);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backend_that_is_broken_when_calls_overlap_is_caught() {
    let mut escaped = Vec::new();
    for fault in Fault::ALL {
        if violation(fault, SEEDS).await.is_none() {
            escaped.push(fault);
        }
    }

    assert!(escaped.is_empty(), "no history catches {escaped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_in_between_that_breaks_nothing_passes() {
    let found = violation(Fault::Nothing, 5).await;

    assert_eq!(found, None);
}
