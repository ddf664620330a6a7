//! The rows that an audit looks at.

use std::collections::HashMap;

use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{ExecutionId, TimestampMs};
use uuid::Uuid;

use crate::Outcome;

/// What has not come to its end.
pub(crate) const COUNT_OPEN: &str = "SELECT \
    (SELECT count(*) FROM ff_exec_core WHERE lifecycle_phase NOT IN ('terminal', 'cancelled')) \
    + (SELECT count(*) FROM ff_cancel_backlog)";

pub(crate) const EXECUTIONS: &str = "SELECT CAST(partition_key AS bigint) AS partition_key, execution_id, \
    public_state, payload, result FROM ff_exec_core";
pub(crate) const KEYS: &str = "SELECT idempotency_key, execution_id FROM ff_idempotency";
pub(crate) const ATTEMPTS: &str = "SELECT execution_id, outcome, started_at_ms IS NOT NULL AS was_claimed, terminal_at_ms IS NULL AS is_open \
    FROM ff_attempt";
pub(crate) const COMPLETIONS: &str =
    "SELECT execution_id, outcome, occurred_at_ms FROM ff_completion_event ORDER BY occurred_at_ms";
pub(crate) const LEASE_EVENTS: &str = "SELECT execution_id, event_type FROM ff_lease_event";

/// Rows as they are stored, whatever the engine makes of them.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) executions: Vec<Execution>,
    /// The executions that took the keys.
    pub(crate) keys: HashMap<String, Uuid>,
    pub(crate) attempts: HashMap<Uuid, Vec<Attempt>>,
    pub(crate) completions: Vec<Completion>,
    /// How often an execution has a lease event.
    pub(crate) lease_events: HashMap<(Uuid, String), usize>,
}

#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) execution_id: ExecutionId,
    pub(crate) public_state: PublicState,
    pub(crate) payload: Vec<u8>,
    pub(crate) result: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) outcome: Option<AttemptOutcome>,
    /// An execution that ends before anybody claims it has an attempt all the same.
    pub(crate) was_claimed: bool,
    pub(crate) is_open: bool,
}

#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) execution: Uuid,
    pub(crate) outcome: String,
    pub(crate) occurred_at: TimestampMs,
}

impl Stored {
    pub(crate) fn ends(&self) -> Vec<(PublicState, usize)> {
        let mut ends = std::collections::BTreeMap::new();
        for execution in &self.executions {
            *ends.entry(execution.public_state).or_default() += 1;
        }
        ends.into_iter().collect()
    }

    pub(crate) fn add_attempt(
        &mut self,
        execution: Uuid,
        (outcome, was_claimed, is_open): (Option<String>, bool, bool),
    ) -> Outcome<()> {
        let outcome = outcome.map(|outcome| outcome.parse()).transpose();
        let outcome = outcome.map_err(|_| "an unknown outcome of an attempt")?;
        self.attempts.entry(execution).or_default().push(Attempt { outcome, was_claimed, is_open });
        Ok(())
    }

    pub(crate) fn add_lease_event(&mut self, execution: &str, name: String) -> Outcome<()> {
        *self.lease_events.entry((execution.parse()?, name)).or_default() += 1;
        Ok(())
    }
}

/// Reads everything by a connection of either driver: their rows have no common type.
macro_rules! read_from {
    ($conn:expr) => {{
        use crate::audit::rows::*;
        let conn = $conn;
        let mut stored = Stored::default();
        for row in sqlx::query(EXECUTIONS).fetch_all(&mut *conn).await? {
            let partition = u16::try_from(row.try_get::<i64, _>("partition_key")?)?;
            let state: String = row.try_get("public_state")?;
            stored.executions.push(Execution {
                execution_id: ExecutionId::from_parts(partition, row.try_get("execution_id")?),
                public_state: state.parse().map_err(|_| "an unknown state")?,
                payload: row.try_get("payload")?,
                result: row.try_get("result")?,
            });
        }
        for row in sqlx::query(KEYS).fetch_all(&mut *conn).await? {
            stored.keys.insert(row.try_get("idempotency_key")?, row.try_get("execution_id")?);
        }
        for row in sqlx::query(ATTEMPTS).fetch_all(&mut *conn).await? {
            let told =
                (row.try_get("outcome")?, row.try_get("was_claimed")?, row.try_get("is_open")?);
            stored.add_attempt(row.try_get("execution_id")?, told)?;
        }
        for row in sqlx::query(COMPLETIONS).fetch_all(&mut *conn).await? {
            stored.completions.push(Completion {
                execution: row.try_get("execution_id")?,
                outcome: row.try_get("outcome")?,
                occurred_at: TimestampMs(row.try_get("occurred_at_ms")?),
            });
        }
        for row in sqlx::query(LEASE_EVENTS).fetch_all(&mut *conn).await? {
            let execution: String = row.try_get("execution_id")?;
            stored.add_lease_event(&execution, row.try_get("event_type")?)?;
        }
        Ok(stored)
    }};
}
pub(crate) use read_from;
