//! Histories of the reference backend hold, and those of backends that are broken when calls overlap do not.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod broken;

use broken::{BrokenFixture, Fault};
use ff_conformance::history::{Violation, Workload, hammer};
use ff_conformance::reference::ReferenceFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_reference_keeps_its_promises_under_load() {
    for seed in 0..5 {
        let workload = Workload { seed, ..Workload::default() };

        let counts = hammer(&ReferenceFixture, &workload).await;

        println!("{}", counts.unwrap_or_else(|violation| panic!("{violation}")));
    }
}

/// Runs histories until one does not hold.
async fn violation(fault: Fault) -> Option<Violation> {
    for seed in 0..20 {
        let workload = Workload { seed, ..Workload::default() };
        if let Err(violation) = hammer(&BrokenFixture(fault), &workload).await {
            println!("--- {fault:?} at seed {seed}\n{violation}");
            return Some(violation);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backend_that_is_broken_when_calls_overlap_is_caught() {
    let mut escaped = Vec::new();
    for fault in Fault::ALL {
        if violation(fault).await.is_none() {
            escaped.push(fault);
        }
    }

    assert!(escaped.is_empty(), "no history catches {escaped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrapper_that_breaks_nothing_passes() {
    let found = violation(Fault::Nothing).await;

    assert_eq!(found, None);
}
