//! Submits tasks, and notes each before and after.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ff_core::contracts::{CancelExecutionArgs, CancelFlowArgs, ExecutionFilter};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::types::{CancelSource, ExecutionId, FlowId, LaneId};
use ff_runtime::{Client, ClientError};
use futures::future::try_join_all;
use tokio::time::sleep;

use super::{Arguments, ledger_of};
use crate::Outcome;
use crate::ledger::{self, Entry, Ledger};
use crate::random::Random;
use crate::task::{LANE, Plan, Task};

/// The file that tells submitters to stop.
pub(crate) const STOP: &str = "stop";
/// Submissions of a node that are under way at the same time.
const AT_ONCE: usize = 4;
/// Executions that have not finished, beyond which a submitter waits.
const BACKLOG_MAX: u64 = 400;
/// Between two tries at what the store did not answer.
const AGAIN: Duration = Duration::from_millis(100);

struct Submitter {
    client: Client,
    ledger: Arc<Ledger>,
    random: Random,
    name: String,
    numbers: u64,
}

/// Submits until the file says to stop, and begins with what its predecessor got no answer to.
pub(super) async fn submit(
    arguments: &Arguments,
    store: Arc<dyn EngineBackend>,
    ledger: Arc<Ledger>,
) -> Outcome<()> {
    let Arguments { folder, name, predecessor, seed, .. } = arguments;
    let client = Client::new(store);
    let submitter = |number: usize| {
        let name = format!("{name}.{number}");
        let random = Random::new(*seed, &name);
        Submitter { client: client.clone(), ledger: Arc::clone(&ledger), random, name, numbers: 0 }
    };
    if let Some(predecessor) = predecessor {
        submitter(0).take_over(&ledger_of(folder, predecessor)).await?;
    }
    let stop = folder.join(STOP);
    let submitting = (1..=AT_ONCE).map(|number| submitter(number).submit_until(&stop));
    try_join_all(submitting).await?;
    ledger.write(&Entry::End)
}

impl Submitter {
    async fn submit_until(mut self, stop: &Path) -> Outcome<()> {
        while !stop.exists() {
            match self.random.below(40) {
                0 => self.submit_flow().await?,
                1..=4 => self.submit_batch().await?,
                _ => self.submit_one().await?,
            }
            let pause = self.random.millis(10, 100);
            sleep(pause).await;
            while self.is_ahead().await && !stop.exists() {
                sleep(AGAIN).await;
            }
        }
        Ok(())
    }

    /// Submits half of what was left without an answer again, under the same keys: of the other half it stays
    /// open whether they are stored.
    async fn take_over(&mut self, ledger: &Path) -> Outcome<()> {
        let entries = ledger::read(ledger)?;
        let answered: HashSet<&String> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Stored { key, .. } => Some(key),
                _ => None,
            })
            .collect();
        for entry in &entries {
            if let Entry::Intent(task) = entry
                && task.plan != Plan::Member
                && !answered.contains(&task.key)
                && self.random.below(2) == 0
            {
                self.submit_task(task, None).await?;
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> Task {
        self.numbers += 1;
        let key = format!("{}/{}", self.name, self.numbers);
        Task::draw(key, &mut self.random)
    }

    async fn submit_one(&mut self) -> Outcome<()> {
        let task = self.draw();
        let stored = self.submit_task(&task, None).await?;
        if let (Some(execution_id), Plan::Unwanted) = (stored, task.plan) {
            let pause = self.random.millis(0, 60);
            sleep(pause).await;
            self.cancel(execution_id).await;
        }
        Ok(())
    }

    async fn submit_batch(&mut self) -> Outcome<()> {
        let count = 2 + self.random.below(4);
        let tasks: Vec<_> = (0..count).map(|_| self.draw()).collect();
        let submissions: Result<Vec<_>, _> = tasks.iter().map(Task::submission).collect();
        let submissions = submissions?;
        for task in &tasks {
            self.ledger.write(&Entry::Intent(task.clone()))?;
        }
        match patiently(async || self.client.submit_batch(submissions.clone()).await).await {
            Ok(results) => {
                for (task, result) in tasks.iter().zip(results) {
                    self.note_stored(task, result.execution_id().clone())?;
                }
                Ok(())
            }
            Err(error) => self.note_refused(&tasks[0], &error),
        }
    }

    /// A flow, and its cancellation while some of its members run.
    async fn submit_flow(&mut self) -> Outcome<()> {
        let created = patiently(async || self.client.create_flow("chaos").await).await;
        let Ok(flow_id) = created else { return Ok(()) };
        for _ in 0..3 {
            let task = Task { plan: Plan::Member, ..self.draw() };
            self.submit_task(&task, Some(flow_id)).await?;
        }
        let pause = self.random.millis(0, 80);
        sleep(pause).await;
        self.cancel_flow(flow_id).await;
        Ok(())
    }

    async fn submit_task(
        &self,
        task: &Task,
        flow_id: Option<FlowId>,
    ) -> Outcome<Option<ExecutionId>> {
        let submission = task.submission()?;
        let submission = match flow_id {
            Some(flow_id) => submission.flow(flow_id),
            None => submission,
        };
        self.ledger.write(&Entry::Intent(task.clone()))?;
        match patiently(async || self.client.submit(submission.clone()).await).await {
            Ok(execution_id) => {
                self.note_stored(task, execution_id.clone())?;
                Ok(Some(execution_id))
            }
            Err(error) => self.note_refused(task, &error).map(|()| None),
        }
    }

    fn note_stored(&self, task: &Task, execution_id: ExecutionId) -> Outcome<()> {
        self.ledger.write(&Entry::Stored { key: task.key.clone(), execution_id })
    }

    fn note_refused(&self, task: &Task, error: &ClientError) -> Outcome<()> {
        let (key, error) = (task.key.clone(), error.to_string());
        self.ledger.write(&Entry::Problem(format!("the submission of {key} was refused: {error}")))
    }

    /// What has ended otherwise by now stays so.
    async fn cancel(&self, execution_id: ExecutionId) {
        let backend = self.client.backend();
        let _ = patiently(async || {
            let args = CancelExecutionArgs {
                execution_id: execution_id.clone(),
                reason: "unwanted".to_owned(),
                source: CancelSource::OperatorOverride,
                lease_id: None,
                lease_epoch: None,
                attempt_id: None,
                now: backend.now().await?,
            };
            Ok(backend.cancel_execution(args).await?)
        })
        .await;
    }

    async fn cancel_flow(&self, flow_id: FlowId) {
        let backend = self.client.backend();
        let _ = patiently(async || {
            let args = CancelFlowArgs {
                flow_id,
                reason: "unwanted".to_owned(),
                cancellation_policy: "cancel_all".to_owned(),
                now: backend.now().await?,
            };
            Ok(backend.cancel_flow_header(args).await?)
        })
        .await;
    }

    /// Whether the workers cannot keep up. A store that does not answer is not asked again.
    async fn is_ahead(&mut self) -> bool {
        if !self.numbers.is_multiple_of(16) {
            return false;
        }
        let lane_id = Some(LaneId::new(LANE));
        let filter = ExecutionFilter { lane_id, ..ExecutionFilter::default() };
        let Ok(counts) = self.client.backend().count_executions(&filter).await else {
            return false;
        };
        let open = counts.iter().filter(|count| !count.public_state.is_finished());
        open.map(|count| count.count).sum::<u64>() > BACKLOG_MAX
    }
}

/// Makes a call until it is answered or refused for good.
async fn patiently<T>(call: impl AsyncFn() -> Result<T, ClientError>) -> Result<T, ClientError> {
    loop {
        match call().await {
            Err(ClientError::Engine(error)) if may_pass(&error) => sleep(AGAIN).await,
            answer => return answer,
        }
    }
}

fn may_pass(error: &EngineError) -> bool {
    let is_over =
        matches!(error, EngineError::Contention(ContentionKind::ExecutionNotActive { .. }));
    error.is_retryable() && !is_over
}
