//! Leases held and renewed.

use std::time::Instant;

use ff_core::backend::Handle;
use ff_core::engine_error::EngineError;

use super::execution::claim;
use super::{LOAD, Latencies, batches};
use crate::Bench;

impl Bench {
    /// Creates and claims executions, to be held.
    ///
    /// # Errors
    /// As the backend.
    pub async fn hold(&self, executions: u64) -> Result<Vec<Handle>, EngineError> {
        let mut held = Vec::new();
        for batch in batches(executions, LOAD) {
            self.create_in_batches(batch, batch).await?;
            let claimed = self.backend.claim_batch(claim(batch)).await?;
            held.extend(claimed.into_iter().map(|claimed| claimed.handle));
        }
        Ok(held)
    }

    /// Renews leases, one call for each of these lists.
    ///
    /// # Errors
    /// As the backend.
    pub async fn renew(&self, lists: &[&[Handle]]) -> Result<Latencies, EngineError> {
        let mut latencies = Latencies::new();
        for handles in lists {
            let start = Instant::now();
            for answer in self.backend.renew_batch(handles).await? {
                answer?;
            }
            latencies.push(start.elapsed());
        }
        Ok(latencies)
    }
}
