//! Submitting executions and waiting for them.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ff_core::contracts::{
    AddExecutionToFlowArgs, CancelExecutionArgs, CreateExecutionArgs, CreateExecutionResult,
    CreateFlowArgs, ExecutionOutcome,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::state::PublicState;
use ff_core::types::{CancelSource, ExecutionId, FlowId, Namespace, TimestampMs};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::clock::store_now;
use crate::error::ClientError;
use crate::submission::{Origin, Submission};

const POLL_FIRST: Duration = Duration::from_millis(5);
const POLL_CAP: Duration = Duration::from_millis(250);
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_CAP: Duration = Duration::from_secs(1);
/// How often a call that may be repeated is repeated before its error is the caller's.
const RETRIES: u32 = 4;

/// Submits executions and waits for what becomes of them. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    backend: Arc<dyn EngineBackend>,
    namespace: Namespace,
}

impl Client {
    /// A client of the backend, in the namespace `default`.
    pub fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self { backend, namespace: Namespace::new("default") }
    }

    /// Submits in this namespace.
    pub fn with_namespace(self, namespace: Namespace) -> Self {
        Self { namespace, ..self }
    }

    /// The backend, for whatever this client has no method for.
    pub fn backend(&self) -> &Arc<dyn EngineBackend> {
        &self.backend
    }

    /// Creates a flow, to submit its members with [`Submission::flow`].
    ///
    /// # Errors
    /// [`ClientError::Engine`].
    pub async fn create_flow(&self, kind: impl Into<String>) -> Result<FlowId, ClientError> {
        let args = CreateFlowArgs {
            flow_id: FlowId::new(),
            flow_kind: kind.into(),
            namespace: self.namespace.clone(),
            tags: HashMap::new(),
            now: self.now().await?,
        };
        repeated(|| self.backend.create_flow(args.clone())).await?;
        Ok(args.flow_id)
    }

    /// Submits an execution and answers the id of the one that is stored: this one, or the one that
    /// has its idempotency key. Tries a few times while the store is busy or away.
    ///
    /// A member of a flow is stored first and then added; submitting it again under its idempotency key adds
    /// it where the program died between the two. Where the flow does not take it, it is cancelled.
    ///
    /// # Errors
    /// [`ClientError::Engine`].
    pub async fn submit(&self, submission: Submission) -> Result<ExecutionId, ClientError> {
        let flow_id = submission.flow_id();
        let args = self.args([submission]).await?.remove(0);
        let result = repeated(|| self.backend.create_execution(args.clone())).await?;
        self.join(flow_id, &args.execution_id, &result).await?;
        Ok(result.execution_id().clone())
    }

    /// Submits several executions, all or none, and answers in the order given. Tries a few times while
    /// the store is busy or away: an execution that was stored by a try whose answer was lost is
    /// then answered as a `Duplicate` of itself. Members are added to their flows one after the other, when
    /// all are stored; those that their flows do not take are cancelled, whatever becomes of the others.
    ///
    /// # Errors
    /// [`ClientError::Engine`], with [`EngineError::BatchItem`] for the first bad one, or of the first that its
    /// flow did not take.
    pub async fn submit_batch(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<CreateExecutionResult>, ClientError> {
        let flows: Vec<_> = submissions.iter().map(Submission::flow_id).collect();
        let args = self.args(submissions).await?;
        let results = repeated(|| self.backend.create_executions(args.clone())).await?;
        let mut joined = Ok(());
        for ((flow_id, args), result) in flows.into_iter().zip(&args).zip(&results) {
            match self.join(flow_id, &args.execution_id, result).await {
                Err(error) if is_refusal(&error) => joined = joined.and(Err(error)),
                answer => answer?,
            }
        }
        joined.map(|()| results)
    }

    /// Adds what was submitted under this id to its flow, if it has one. What an earlier submission under its
    /// key has stored is not cancelled where the flow does not take it.
    async fn join(
        &self,
        flow_id: Option<FlowId>,
        submitted_as: &ExecutionId,
        stored: &CreateExecutionResult,
    ) -> Result<(), ClientError> {
        let Some(flow_id) = flow_id else { return Ok(()) };
        let execution_id = stored.execution_id().clone();
        let now = self.now().await?;
        let args = AddExecutionToFlowArgs { flow_id, execution_id, now };
        let added = repeated(|| self.backend.add_execution_to_flow(args.clone())).await;
        let is_refused = added.as_ref().is_err_and(is_refusal);
        if is_refused && args.execution_id == *submitted_as {
            self.take_back(args.execution_id, now).await?;
        }
        added.map(drop)
    }

    async fn take_back(
        &self,
        execution_id: ExecutionId,
        now: TimestampMs,
    ) -> Result<(), ClientError> {
        let args = CancelExecutionArgs {
            execution_id,
            reason: "its flow did not take it".to_owned(),
            source: CancelSource::OperatorOverride,
            lease_id: None,
            lease_epoch: None,
            attempt_id: None,
            now,
        };
        let cancel = async || match self.backend.cancel_execution(args.clone()).await {
            Err(EngineError::Contention(ContentionKind::ExecutionNotActive { .. })) => Ok(()),
            answer => answer.map(drop),
        };
        repeated(cancel).await
    }

    /// Waits until an execution has finished, in whatever way.
    ///
    /// # Errors
    /// [`ClientError::UnknownExecution`], [`ClientError::Timeout`], [`ClientError::Engine`].
    pub async fn wait(
        &self,
        execution_id: &ExecutionId,
        limit: Option<Duration>,
    ) -> Result<ExecutionOutcome, ClientError> {
        // The first look is not timed, so that a limit of nothing still asks once.
        if let Some(outcome) = self.finished(execution_id).await? {
            return Ok(outcome);
        }
        let Some(limit) = limit else { return self.poll(execution_id).await };
        timeout(limit, self.poll(execution_id)).await.unwrap_or_else(|_| {
            Err(ClientError::Timeout { execution_id: execution_id.clone(), waited: limit })
        })
    }

    /// Waits until an execution has completed and reads what its handler returned.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); [`ClientError::Failed`], [`ClientError::Cancelled`],
    /// [`ClientError::Expired`] or [`ClientError::Skipped`] when it did not complete;
    /// [`ClientError::Decode`].
    pub async fn result<R: DeserializeOwned>(
        &self,
        execution_id: &ExecutionId,
        limit: Option<Duration>,
    ) -> Result<R, ClientError> {
        let outcome = self.wait(execution_id, limit).await?;
        let json = completed(execution_id, outcome)?;
        serde_json::from_slice(&json)
            .map_err(|source| ClientError::Decode { execution_id: execution_id.clone(), source })
    }

    async fn args(
        &self,
        submissions: impl IntoIterator<Item = Submission>,
    ) -> Result<Vec<CreateExecutionArgs>, ClientError> {
        let origin = Origin {
            namespace: &self.namespace,
            partitions: &self.backend.partition_config(),
            now: self.now().await?,
        };
        Ok(submissions.into_iter().map(|submission| submission.into_args(origin)).collect())
    }

    async fn now(&self) -> Result<TimestampMs, ClientError> {
        repeated(|| store_now(&*self.backend)).await
    }

    async fn poll(&self, execution_id: &ExecutionId) -> Result<ExecutionOutcome, ClientError> {
        let mut interval = Backoff::new(POLL_FIRST, POLL_CAP, execution_id);
        loop {
            sleep(interval.next()).await;
            if let Some(outcome) = self.finished(execution_id).await? {
                return Ok(outcome);
            }
        }
    }

    /// How an execution finished; `None` while it has not.
    async fn finished(
        &self,
        execution_id: &ExecutionId,
    ) -> Result<Option<ExecutionOutcome>, ClientError> {
        let ids = std::slice::from_ref(execution_id);
        let outcome =
            repeated(|| self.backend.read_outcomes(ids)).await?.pop().flatten().ok_or_else(
                || ClientError::UnknownExecution { execution_id: execution_id.clone() },
            )?;
        Ok(outcome.public_state.is_finished().then_some(outcome))
    }
}

/// Whether the store has said no, and would say so again.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Engine(error) if !error.is_retryable())
}

/// Makes a call that may be repeated until it is answered, or has failed too often.
async fn repeated<T, F, Fut>(mut call: F) -> Result<T, ClientError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, EngineError>>,
{
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP, RandomState::new().hash_one(()));
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_retryable() && backoff.tries() < RETRIES => {
                sleep(backoff.next()).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The JSON that a completed execution returned; a handler that returned nothing returned `null`.
fn completed(
    execution_id: &ExecutionId,
    outcome: ExecutionOutcome,
) -> Result<Vec<u8>, ClientError> {
    let execution_id = execution_id.clone();
    match outcome.public_state {
        PublicState::Completed => Ok(outcome.result.unwrap_or_else(|| b"null".to_vec())),
        PublicState::Cancelled => Err(ClientError::Cancelled { execution_id }),
        PublicState::Expired => Err(ClientError::Expired { execution_id }),
        PublicState::Skipped => Err(ClientError::Skipped { execution_id }),
        _ => {
            let message = outcome.error.map(|error| error.message).unwrap_or_default();
            Err(ClientError::Failed { execution_id, message })
        }
    }
}
