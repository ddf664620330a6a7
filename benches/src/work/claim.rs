//! Single claims.

use std::time::Instant;

use ff_core::backend::CapabilitySet;
use ff_core::engine_error::EngineError;

use super::{Latencies, lane, policy};
use crate::Bench;

impl Bench {
    /// Claims executions one by one.
    ///
    /// # Errors
    /// As the backend.
    pub async fn claim(&self, executions: u64) -> Result<Latencies, EngineError> {
        let mut latencies = Latencies::new();
        for _ in 0..executions {
            let start = Instant::now();
            self.backend.claim(&lane(), &CapabilitySet::default(), policy(0)).await?;
            latencies.push(start.elapsed());
        }
        Ok(latencies)
    }
}
