//! The zoo: backends that are broken on purpose, each in one way. It is how the tests are tested: the suite, or
//! another of this crate's checks, catches every one of them.
//!
//! ```
//! use ff_conformance::reference::ReferenceFixture;
//! use ff_conformance::zoo::{Fault, ZooFixture};
//!
//! // Your own fixture will do as well.
//! let broken = ZooFixture::over(ReferenceFixture, Fault::LosesResults);
//! # let _: &dyn ff_conformance::Fixture = &broken;
//! ```

mod broken;
mod fault;

use std::sync::Arc;

use async_trait::async_trait;
use ff_core::clock::ManualClock;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;

pub use fault::Fault;

use crate::fixture::{Fixture, Probe, Store};
use broken::BrokenBackend;

/// Opens the stores of another fixture, each with a backend that is broken in one way.
#[derive(Clone, Copy, Debug)]
pub struct ZooFixture<F> {
    inner: F,
    fault: Fault,
}

impl<F: Fixture> ZooFixture<F> {
    /// The stores of `inner`, broken by `fault`.
    pub fn over(inner: F, fault: Fault) -> Self {
        Self { inner, fault }
    }
}

#[async_trait]
impl<F: Fixture> Fixture for ZooFixture<F> {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let inner = self.inner.open(clock).await;
        let backend = BrokenBackend::over(inner.backend(), self.fault);
        Box::new(BrokenStore { inner, backend })
    }
}

/// What lies past the engine is not broken.
struct BrokenStore {
    inner: Box<dyn Store>,
    backend: Arc<BrokenBackend>,
}

#[async_trait]
impl Store for BrokenStore {
    fn backend(&self) -> Arc<dyn EngineBackend> {
        Arc::clone(&self.backend) as Arc<dyn EngineBackend>
    }

    async fn reopen(&self) -> Arc<dyn EngineBackend> {
        BrokenBackend::over(self.inner.reopen().await, self.backend.fault())
    }

    fn probe(&self) -> Option<&dyn Probe> {
        self.inner.probe()
    }

    async fn create_in_transaction(
        &self,
        args: CreateExecutionArgs,
        commit: bool,
    ) -> Option<Result<CreateExecutionResult, EngineError>> {
        self.inner.create_in_transaction(args, commit).await
    }

    async fn settle(&self) {
        self.inner.settle().await;
    }

    fn has_transactions(&self) -> bool {
        self.inner.has_transactions()
    }
}
