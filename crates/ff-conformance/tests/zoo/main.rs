//! The zoo: backends that are each broken in one way. The suite must catch every one of them.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod late;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ff_conformance::reference::ReferenceFixture;
use ff_conformance::zoo::{Fault, ZooFixture};
use ff_conformance::{Case, Fixture, cases};

fn fails_on(fixture: &dyn Fixture, case: &Case) -> bool {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(case.run(fixture)))).is_err()
}

/// A case in which tasks race catches what breaks in a race now and then.
const TRIES: usize = 20;

#[test]
fn each_broken_backend_is_caught_by_the_case_that_is_named_with_it() {
    let mut escaped = Vec::new();
    for (fault, path) in Fault::ALL {
        let broken = ZooFixture::over(ReferenceFixture, *fault);
        let case = cases().iter().find(|case| case.path() == *path).unwrap();
        if !(0..TRIES).any(|_| fails_on(&broken, case)) {
            escaped.push((fault, path));
        }
    }

    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

#[test]
fn a_backend_that_is_not_broken_passes() {
    let sound = ZooFixture::over(ReferenceFixture, Fault::None);
    let failed: Vec<String> =
        cases().iter().filter(|case| fails_on(&sound, case)).map(|case| case.path()).collect();

    assert!(failed.is_empty(), "{failed:?}");
}
