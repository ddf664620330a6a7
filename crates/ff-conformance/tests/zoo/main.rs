//! The zoo: backends that are each broken in one way. The suite must catch every one of them.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod broken;
mod fault;
mod late;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::reference::ReferenceFixture;
use ff_conformance::{Case, Fixture, Store, cases};
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;

use broken::BrokenBackend;
use fault::Fault;

struct BrokenFixture(Fault);

struct BrokenStore {
    inner: Box<dyn Store>,
    backend: Arc<BrokenBackend>,
}

#[async_trait]
impl Fixture for BrokenFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let inner = ReferenceFixture.open(clock).await;
        let backend = BrokenBackend::over(inner.backend(), self.0);
        Box::new(BrokenStore { inner, backend })
    }
}

#[async_trait]
impl Store for BrokenStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::clone(&self.backend) as Arc<dyn EngineBackend>
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        BrokenBackend::over(self.inner.reopen().await, self.backend.fault())
    }
}

/// Whether a case fails on a backend.
fn fails(case: &Case, fault: Fault) -> bool {
    fails_on(&BrokenFixture(fault), case)
}

fn fails_on(fixture: &dyn Fixture, case: &Case) -> bool {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(case.run(fixture)))).is_err()
}

/// Cases that need more than a backend are not asked.
fn asked() -> impl Iterator<Item = &'static &'static Case> {
    let needs_more =
        |case: &Case| case.needs.iter().any(|need| ["probe", "transaction"].contains(need));
    cases().iter().filter(move |case| !needs_more(case))
}

#[test]
fn every_broken_backend_is_caught() {
    let escaped: Vec<Fault> = Fault::ALL
        .iter()
        .copied()
        .filter(|fault| !asked().any(|case| fails(case, *fault)))
        .collect();

    assert!(escaped.is_empty(), "no case catches {escaped:?}");
}

#[test]
fn a_backend_that_is_not_broken_passes() {
    let failed: Vec<String> =
        asked().filter(|case| fails(case, Fault::None)).map(|case| case.path()).collect();

    assert!(failed.is_empty(), "{failed:?}");
}
