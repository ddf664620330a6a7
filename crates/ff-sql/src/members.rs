//! Cancelling the members of a flow, all together.

use std::time::Duration;

use ff_core::backend::CancelFlowWait;
use ff_core::engine_error::EngineError;
use ff_core::rules::flow::{FlowCancellation, Hold, cancel_member};
use ff_core::types::ExecutionId;
use tokio::time::{sleep, timeout};

use crate::changes::{Changes, Loaded};

/// How long a wait sleeps before it looks at the backlog again: the worker that lets go is often elsewhere.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A member that is cancelled with its flow.
#[derive(Clone, Debug)]
pub struct CancelledMember {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Who held it.
    pub hold: Hold,
}

/// What a cancellation does to the members of its flow.
#[derive(Debug, Default)]
pub struct CancelledMembers {
    /// What shall be stored.
    pub changes: Changes,
    /// The members that are cancelled.
    pub cancelled: Vec<CancelledMember>,
    /// The members that the rules cannot read.
    pub unreadable: Vec<ExecutionId>,
}

impl CancelledMembers {
    /// Asks the rule about each member that was loaded.
    pub fn decide(
        loaded: impl IntoIterator<Item = (ExecutionId, Result<Loaded, EngineError>)>,
        cancellation: &FlowCancellation,
    ) -> Self {
        let mut members = Self::default();
        for (id, loaded) in loaded {
            match loaded {
                Ok(loaded) => members.take(&loaded, cancellation),
                Err(error) => {
                    tracing::error!(%error, "a flow's cancellation passes a corrupt member by");
                    members.unreadable.push(id);
                }
            }
        }
        members
    }

    fn take(&mut self, loaded: &Loaded, cancellation: &FlowCancellation) {
        let Some(decision) = cancel_member(&loaded.execution, cancellation) else { return };
        let hold = self.changes.take(decision);
        let execution_id = loaded.execution.execution_id.clone();
        self.cancelled.push(CancelledMember { execution_id, hold });
    }

    /// Adds another part of the flow's members, what shall be stored of them aside.
    pub fn extend(&mut self, part: Self) {
        self.cancelled.extend(part.cancelled);
        self.unreadable.extend(part.unreadable);
    }

    /// The members that a worker may be running.
    pub fn held(&self) -> Vec<CancelledMember> {
        self.cancelled.iter().filter(|member| member.hold.is_held).cloned().collect()
    }

    /// The texts of the ids of the members that are cancelled.
    pub fn cancelled_texts(&self) -> Vec<String> {
        self.cancelled.iter().map(|member| member.execution_id.to_string()).collect()
    }

    /// The texts of members' ids.
    pub fn texts(ids: &[ExecutionId]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }
}

/// Waits as long as the caller does for the members' workers to let go (FLOW-8).
///
/// # Errors
/// `Timeout`, and what looking at the backlog answers.
pub async fn wait_until_let_go<F>(
    wait: CancelFlowWait,
    is_let_go: impl Fn() -> F,
) -> Result<(), EngineError>
where
    F: Future<Output = Result<bool, EngineError>>,
{
    match wait {
        CancelFlowWait::NoWait => Ok(()),
        CancelFlowWait::WaitIndefinite => look_until(is_let_go).await,
        CancelFlowWait::WaitTimeout(patience) => {
            // However short the wait is, there is one look.
            if is_let_go().await? {
                return Ok(());
            }
            let late = EngineError::Timeout { op: "cancel_flow", elapsed: patience };
            timeout(patience, look_until(is_let_go)).await.unwrap_or(Err(late))
        }
    }
}

async fn look_until<F>(is_let_go: impl Fn() -> F) -> Result<(), EngineError>
where
    F: Future<Output = Result<bool, EngineError>>,
{
    let mut pause = FIRST_PAUSE;
    while !is_let_go().await? {
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}
