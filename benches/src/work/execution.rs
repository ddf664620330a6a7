//! Executions created, and taken through their whole life.

use std::time::Instant;

use ff_core::backend::CapabilitySet;
use ff_core::contracts::{ClaimBatchArgs, Completion, CreateExecutionArgs};
use ff_core::engine_error::EngineError;
use ff_core::policy::{ExecutionPolicy, RoutingRequirements};
use futures::future::try_join_all;

use super::{Latencies, batches, lane, policy, share};
use crate::Bench;

impl Bench {
    /// Creates executions, each durable by itself, from this many producers at once.
    ///
    /// # Errors
    /// As the backend.
    pub async fn create(&self, executions: u64, producers: u64) -> Result<Latencies, EngineError> {
        let shares = (0..producers).map(|producer| async move {
            let mut latencies = Latencies::new();
            for _ in 0..share(executions, producers, producer) {
                let start = Instant::now();
                self.backend.create_execution(self.args()).await?;
                latencies.push(start.elapsed());
            }
            Ok::<_, EngineError>(latencies)
        });
        Ok(try_join_all(shares).await?.concat())
    }

    /// Creates executions in batches.
    ///
    /// # Errors
    /// As the backend.
    pub async fn create_in_batches(
        &self,
        executions: u64,
        size: u64,
    ) -> Result<Latencies, EngineError> {
        self.create_all(executions, size, || self.args()).await
    }

    /// Creates executions that the workers of benches may not take.
    ///
    /// # Errors
    /// As the backend.
    pub async fn create_blocked(&self, executions: u64, size: u64) -> Result<(), EngineError> {
        let requirements =
            RoutingRequirements { required_capabilities: [String::from("gpu")].into() };
        let routing_requirements = Some(requirements);
        let policy = ExecutionPolicy { routing_requirements, ..ExecutionPolicy::default() };
        let args = || CreateExecutionArgs { policy: Some(policy.clone()), ..self.args() };
        self.create_all(executions, size, args).await.map(drop)
    }

    async fn create_all(
        &self,
        executions: u64,
        size: u64,
        args: impl Fn() -> CreateExecutionArgs,
    ) -> Result<Latencies, EngineError> {
        for batch in batches(executions, size) {
            self.backend.create_executions((0..batch).map(|_| args()).collect()).await?;
        }
        Ok(Latencies::new())
    }

    /// Creates, claims and completes executions with single calls, from this many workers at once.
    ///
    /// # Errors
    /// As the backend.
    pub async fn lifecycle(&self, executions: u64, workers: u64) -> Result<Latencies, EngineError> {
        let shares = (0..workers).map(|worker| async move {
            let mut latencies = Latencies::new();
            for _ in 0..share(executions, workers, worker) {
                let start = Instant::now();
                self.backend.create_execution(self.args()).await?;
                let (lane, offered) = (lane(), CapabilitySet::default());
                if let Some(handle) = self.backend.claim(&lane, &offered, policy(worker)).await? {
                    self.backend.complete(&handle, None).await?;
                }
                latencies.push(start.elapsed());
            }
            Ok::<_, EngineError>(latencies)
        });
        Ok(try_join_all(shares).await?.concat())
    }

    /// Creates, claims and completes executions in batches.
    ///
    /// # Errors
    /// As the backend.
    pub async fn lifecycle_in_batches(
        &self,
        executions: u64,
        size: u64,
    ) -> Result<Latencies, EngineError> {
        for batch in batches(executions, size) {
            self.create_in_batches(batch, batch).await?;
            let claimed = self.backend.claim_batch(claim(batch)).await?;
            let finished = claimed
                .into_iter()
                .map(|claimed| Completion { handle: claimed.handle, result: None })
                .collect();
            for answer in self.backend.complete_batch(finished).await? {
                answer?;
            }
        }
        Ok(Latencies::new())
    }
}

pub(super) fn claim(max: u64) -> ClaimBatchArgs {
    let capabilities = CapabilitySet::default();
    let max = u32::try_from(max).unwrap_or(u32::MAX);
    ClaimBatchArgs { lanes: vec![lane()], capabilities, policy: policy(0), max }
}
