//! Makes an execution of each file.

use std::path::PathBuf;

use flowfabric::core::contracts::{CreateExecutionResult, ExecutionOutcome};
use flowfabric::core::policy::RetryPolicy;
use flowfabric::core::state::PublicState;
use flowfabric::core::types::ExecutionId;
use flowfabric::{Client, Submission};
use sha2::{Digest as _, Sha256};

use super::file::{FileVersion, StoredPath};
use super::hash::KIND;
use super::patience::Patience;
use super::walk::{Found, Root};
use crate::output::Failure;

/// Executions in one transaction: enough for its commit to cost little, few enough to be quick.
const BATCH: usize = 1_000;

/// The store, which may be away for a while.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub(super) client: &'a Client,
    pub(super) patience: &'a Patience<'a>,
}

impl Store<'_> {
    async fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<CreateExecutionResult>, Failure> {
        self.patience.ask(|| self.client.submit_batch(submissions.clone())).await
    }

    pub(super) async fn read_outcomes(
        &self,
        ids: &[ExecutionId],
    ) -> Result<Vec<Option<ExecutionOutcome>>, Failure> {
        self.patience.ask(|| self.client.backend().read_outcomes(ids)).await
    }
}

/// A file and the execution that hashes it.
pub(super) struct Planned {
    pub(super) shown: PathBuf,
    pub(super) execution_id: ExecutionId,
}

/// A file to submit. A version whose execution has failed is submitted anew under a key that follows from
/// the failed one, so that a file is tried again once a run and every run agrees on the key.
struct Draft {
    found: Found,
    failed: Option<ExecutionId>,
}

/// Submits the files and answers in their order.
pub(super) async fn submit(
    store: Store<'_>,
    root: &Root,
    files: Vec<Found>,
) -> Result<Vec<Planned>, Failure> {
    let mut planned = Vec::with_capacity(files.len());
    let mut files = files.into_iter().map(|found| Draft { found, failed: None });
    loop {
        let batch: Vec<Draft> = files.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(planned);
        }
        let mut answers: Vec<Option<Planned>> = batch.iter().map(|_| None).collect();
        let mut drafts: Vec<(usize, Draft)> = batch.into_iter().enumerate().collect();
        while !drafts.is_empty() {
            drafts = submit_drafts(store, root, drafts, &mut answers).await?;
        }
        planned.extend(answers.into_iter().flatten());
    }
}

/// Submits drafts and returns those that must be submitted once more.
async fn submit_drafts(
    store: Store<'_>,
    root: &Root,
    drafts: Vec<(usize, Draft)>,
    answers: &mut [Option<Planned>],
) -> Result<Vec<(usize, Draft)>, Failure> {
    let submissions: Result<Vec<_>, _> =
        drafts.iter().map(|(_, draft)| draft.submission(root)).collect();
    let results = store.submit(submissions?).await?;
    let failed_before = failed_before(store, &results).await?;
    let mut again = Vec::new();
    for (((place, draft), result), has_failed) in drafts.into_iter().zip(results).zip(failed_before)
    {
        let execution_id = result.execution_id().clone();
        if has_failed {
            again.push((place, Draft { found: draft.found, failed: Some(execution_id) }));
        } else if let Some(answer) = answers.get_mut(place) {
            *answer = Some(Planned { shown: draft.found.shown, execution_id });
        }
    }
    Ok(again)
}

/// Which results are executions of an earlier run that did not complete.
async fn failed_before(
    store: Store<'_>,
    results: &[CreateExecutionResult],
) -> Result<Vec<bool>, Failure> {
    let duplicates: Vec<ExecutionId> = results
        .iter()
        .filter(|result| matches!(result, CreateExecutionResult::Duplicate { .. }))
        .map(|result| result.execution_id().clone())
        .collect();
    let outcomes = store.read_outcomes(&duplicates).await?;
    let mut outcomes = outcomes.into_iter();
    let failed = results.iter().map(|result| match result {
        CreateExecutionResult::Created { .. } => false,
        CreateExecutionResult::Duplicate { .. } => {
            outcomes.next().flatten().is_some_and(|outcome| {
                outcome.public_state.is_finished() && outcome.public_state != PublicState::Completed
            })
        }
    });
    Ok(failed.collect())
}

impl Draft {
    fn submission(&self, root: &Root) -> Result<Submission, Failure> {
        let submission = Submission::new(KIND, &self.found.version)?
            .lane(root.lane())
            .idempotency_key(self.key())
            .creator("ff checksum")
            .retry(RetryPolicy::default());
        Ok(submission)
    }

    fn key(&self) -> String {
        let FileVersion { path, size, modified_ns } = &self.found.version;
        let mut hasher = Sha256::new();
        match path {
            StoredPath::Text(text) => hasher.update(text.as_bytes()),
            StoredPath::Bytes(bytes) => hasher.update(bytes),
        }
        hasher.update(b"\0");
        hasher.update(size.to_le_bytes());
        hasher.update(modified_ns.to_le_bytes());
        if let Some(failed) = &self.failed {
            hasher.update(failed.as_str());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
