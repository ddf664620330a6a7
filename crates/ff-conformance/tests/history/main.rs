//! Histories of the reference backend hold, and those of backends that are broken when calls overlap do not.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use ff_conformance::history::{Workload, hammer};
use ff_conformance::reference::ReferenceFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_reference_keeps_its_promises_under_load() {
    for seed in 0..5 {
        let workload = Workload { seed, ..Workload::default() };

        let counts = hammer(&ReferenceFixture, &workload).await;

        println!("{}", counts.unwrap_or_else(|violation| panic!("{violation}")));
    }
}
