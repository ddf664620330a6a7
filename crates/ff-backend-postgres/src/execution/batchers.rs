use std::sync::{Arc, Weak};

use ff_core::backend::FailOutcome;
use ff_core::contracts::{
    ClaimBatchArgs, ClaimedExecution, Completion, CreateExecutionArgs, CreateExecutionResult,
    Failure,
};
use ff_core::engine_error::EngineError;

use super::{create, finish};
use crate::batcher::Batcher;
use crate::error::unexpected;
use crate::{PostgresBackend, claim};

/// Batches of each kind that run at the same time: while one commits, the next is under way.
const RUNNING_MAX: usize = 2;

/// The single calls that are run in batches with those beside them.
pub(crate) struct Batchers {
    pub(crate) claim: Batcher<ClaimBatchArgs, Vec<ClaimedExecution>>,
    pub(crate) create: Batcher<CreateExecutionArgs, CreateExecutionResult>,
    pub(crate) complete: Batcher<Completion, ()>,
    pub(crate) fail: Batcher<Failure, FailOutcome>,
}

impl Batchers {
    /// Those of the backend, which goes when nobody but these has it.
    pub(crate) fn of(backend: &Weak<PostgresBackend>) -> Self {
        let (claiming, creating) = (backend.clone(), backend.clone());
        let (completing, failing) = (backend.clone(), backend.clone());
        Self {
            claim: Batcher::new(RUNNING_MAX, move |batch| {
                let backend = reach(&claiming);
                Box::pin(async move { claim::try_claim_all(&*backend?, batch).await })
            }),
            create: Batcher::new(RUNNING_MAX, move |batch| {
                let backend = reach(&creating);
                Box::pin(async move {
                    let results = create::create_checked(&*backend?, batch).await?;
                    Ok(results.into_iter().map(Ok).collect())
                })
            }),
            complete: Batcher::new(RUNNING_MAX, move |batch| {
                let backend = reach(&completing);
                Box::pin(async move { finish::complete_batch(&*backend?, batch).await })
            }),
            fail: Batcher::new(RUNNING_MAX, move |batch| {
                let backend = reach(&failing);
                Box::pin(async move { finish::fail_batch(&*backend?, batch).await })
            }),
        }
    }
}

fn reach(backend: &Weak<PostgresBackend>) -> Result<Arc<PostgresBackend>, EngineError> {
    backend.upgrade().ok_or_else(|| unexpected("the backend was dropped"))
}
