//! Compares what nodes have noted with what is stored.

mod check;
mod stored;

use std::sync::Arc;

use ff_core::contracts::{EventStream, READ_EVENTS_MAX_LIMIT};
use ff_core::engine_backend::EngineBackend;
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, TimestampMs};

use crate::Outcome;
use crate::arena::Arena;
use crate::ledger::Entry;
pub(crate) use check::Findings;
pub(crate) use stored::{COUNT_OPEN, Stored, read_from};

/// What `read_from` writes of.
pub(crate) mod rows {
    pub(crate) use ff_core::types::{ExecutionId, TimestampMs};

    pub(crate) use super::stored::{
        ATTEMPTS, COMPLETIONS, Completion, EXECUTIONS, Execution, KEYS, LEASE_EVENTS,
    };
}

/// Executions whose outcomes are asked for in one call.
const CHUNK: usize = 500;

/// What an audit found.
pub(crate) struct Audit {
    pub(crate) findings: Findings,
    pub(crate) ends: Vec<(PublicState, usize)>,
    pub(crate) created: usize,
    /// Runs of handlers, and how many of them were not the first of their execution.
    pub(crate) runs: (usize, usize),
    /// When executions finished, in order.
    pub(crate) finished_at: Vec<TimestampMs>,
}

/// Looks at everything that is stored, by its rows and by the engine's own reads.
pub(crate) async fn audit(arena: &Arc<dyn Arena>, entries: &[Entry]) -> Outcome<Audit> {
    let stored = arena.read().await?;
    let mut findings = check::check(&stored, entries);
    ask(&*arena.open().await?, &stored, &mut findings).await?;
    let examination = arena.examine().await?;
    if !examination.is_sound() {
        findings.problem(format!("the store is not sound: {:?}", examination.findings));
    }
    arena.check_after_kill().await?;
    Ok(Audit {
        findings,
        ends: stored.ends(),
        created: stored.executions.len(),
        runs: count_runs(entries),
        finished_at: stored.completions.iter().map(|event| event.occurred_at).collect(),
    })
}

fn count_runs(entries: &[Entry]) -> (usize, usize) {
    let runs = entries.iter().filter_map(|entry| match entry {
        Entry::Run { key, .. } => Some(key),
        _ => None,
    });
    let keys: Vec<_> = runs.collect();
    let first: std::collections::HashSet<_> = keys.iter().collect();
    (keys.len(), keys.len() - first.len())
}

/// What programs are told must be what is stored, and subscribers must miss and repeat nothing.
async fn ask(backend: &dyn EngineBackend, stored: &Stored, findings: &mut Findings) -> Outcome<()> {
    for chunk in stored.executions.chunks(CHUNK) {
        let ids: Vec<ExecutionId> = chunk.iter().map(|one| one.execution_id.clone()).collect();
        for (execution, outcome) in chunk.iter().zip(backend.read_outcomes(&ids).await?) {
            let told = outcome.map(|outcome| (outcome.public_state, outcome.result));
            if told != Some((execution.public_state, execution.result.clone())) {
                findings.problem(format!("{} is told as {told:?}", execution.execution_id));
            }
        }
    }
    let mut told = Vec::new();
    let mut after = None;
    loop {
        let read = backend.read_events(EventStream::Completion, after, READ_EVENTS_MAX_LIMIT);
        let page = read.await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor);
        told.extend(page.into_iter().map(|event| event.execution_id.uuid()));
    }
    told.sort_unstable();
    let mut recorded: Vec<_> = stored.completions.iter().map(|event| event.execution).collect();
    recorded.sort_unstable();
    if told != recorded {
        let (told, recorded) = (told.len(), recorded.len());
        findings.problem(format!("subscribers are told {told} of {recorded} completions"));
    }
    Ok(())
}
