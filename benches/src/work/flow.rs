//! Flows that are cancelled.

use std::collections::HashMap;
use std::time::Instant;

use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{AddExecutionToFlowArgs, CreateExecutionArgs, CreateFlowArgs};
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, FlowId, Namespace, TimestampMs};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{LOAD, batches};
use crate::Bench;
use crate::report::Run;

/// Members that are added at the same time.
const AT_ONCE: usize = 32;

impl Bench {
    /// Makes a flow with so many members that wait.
    ///
    /// # Errors
    /// As the backend.
    pub async fn flow(&self, members: u64) -> Result<FlowId, EngineError> {
        let (flow_id, now) = (FlowId::new(), TimestampMs::from_millis(0));
        let namespace = Namespace::new("default");
        let flow_kind = "bench".to_owned();
        let tags = HashMap::new();
        let args = CreateFlowArgs { flow_id, flow_kind, namespace, tags, now };
        self.backend.create_flow(args).await?;
        for batch in batches(members, LOAD) {
            let batch: Vec<_> = (0..batch).map(|_| self.member_of(&flow_id)).collect();
            let ids: Vec<_> = batch.iter().map(|args| args.execution_id.clone()).collect();
            self.backend.create_executions(batch).await?;
            let adding = ids.into_iter().map(|execution_id| {
                let args = AddExecutionToFlowArgs { flow_id, execution_id, now };
                self.backend.add_execution_to_flow(args)
            });
            stream::iter(adding).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        }
        Ok(flow_id)
    }

    fn member_of(&self, flow_id: &FlowId) -> CreateExecutionArgs {
        let execution_id = ExecutionId::for_flow(flow_id, &self.backend.partition_config());
        let partition_id = execution_id.partition();
        CreateExecutionArgs { execution_id, partition_id, ..self.args() }
    }

    /// Cancels a flow with all its members.
    ///
    /// # Errors
    /// As the backend.
    pub async fn cancel_flow(&self, flow_id: &FlowId) -> Result<Run, EngineError> {
        let start = Instant::now();
        let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
        self.backend.cancel_flow(flow_id, policy, wait).await?;
        let elapsed = start.elapsed();
        Ok(Run { units: 1, elapsed, latencies: vec![elapsed] })
    }
}
