use ff_core::backend::FailOutcome;
use ff_core::contracts::{
    ClaimBatchArgs, ClaimedExecution, Completion, CreateExecutionArgs, CreateExecutionResult,
    Failure,
};

use super::{create, finish};
use crate::claim;
use crate::lanes::KnownLanes;
use crate::writer::{Batcher, Writer};

/// The single calls that are run in batches with those beside them.
pub(crate) struct Batchers {
    pub(crate) claim: Batcher<ClaimBatchArgs, Vec<ClaimedExecution>>,
    pub(crate) create: Batcher<CreateExecutionArgs, CreateExecutionResult>,
    pub(crate) complete: Batcher<Completion, ()>,
    pub(crate) fail: Batcher<Failure, FailOutcome>,
}

impl Batchers {
    pub(crate) fn of(writer: &Writer, lanes: &KnownLanes) -> Self {
        let lanes = lanes.clone();
        Self {
            claim: Batcher::while_awaited(writer.clone(), |tx, batch| {
                Box::pin(async move {
                    let answers = claim::claim_all(tx, batch).await?;
                    Ok(answers.into_iter().map(Ok).collect())
                })
            }),
            create: Batcher::new(writer.clone(), move |tx, batch| {
                let lanes = lanes.clone();
                Box::pin(async move {
                    let results = create::create_checked(tx, batch.to_vec(), &lanes).await?;
                    Ok(results.into_iter().map(Ok).collect())
                })
            }),
            complete: Batcher::new(writer.clone(), |tx, batch| {
                Box::pin(finish::complete_in(tx, batch))
            }),
            fail: Batcher::new(writer.clone(), |tx, batch| Box::pin(finish::fail_in(tx, batch))),
        }
    }
}
