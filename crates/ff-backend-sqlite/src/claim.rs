//! Claiming.

use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, HandleLease};
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution, ExecutionContext};
use ff_core::decision::Event;
use ff_core::engine_error::EngineError;
use ff_core::rules::claim::handle_kind;
use ff_core::rules::input;
use ff_core::state::LeaseEventType;
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch, TimestampMs};
use ff_sql::document::{AttemptDocument, EventDocuments, to_parameter};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use tokio::time::sleep;

use crate::error::{from_sqlx, unexpected};
use crate::tx::Tx;
use crate::{LABEL, SqliteBackend, rows};

const PEEK: &str = include_str!("../sql/claim/peek.sql");
const CLAIM: &str = include_str!("../sql/claim/claim.sql");
const GRANT: &str = include_str!("../sql/claim/grant.sql");

/// How long a waiting claim goes without looking for what other processes, and time, have brought.
const POLL: Duration = Duration::from_millis(100);

/// An execution that a claim has picked.
struct Picked {
    execution_id: ExecutionId,
    context: ExecutionContext,
    attempt_index: AttemptIndex,
    position: (i64, i64),
}

/// See [`ff_core::engine_backend::EngineBackend::claim`].
pub(crate) async fn claim(
    backend: &SqliteBackend,
    lane: &LaneId,
    capabilities: &CapabilitySet,
    policy: ClaimPolicy,
) -> Result<Option<Handle>, EngineError> {
    let lanes = vec![lane.clone()];
    let args = ClaimBatchArgs { lanes, capabilities: capabilities.clone(), policy, max: 1 };
    Ok(claim_batch(backend, args).await?.pop().map(|claimed| claimed.handle))
}

/// See [`ff_core::engine_backend::EngineBackend::claim_batch`].
pub(crate) async fn claim_batch(
    backend: &SqliteBackend,
    args: ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    input::check_claim_batch(&args)?;
    let Some(max_wait) = args.policy.max_wait else {
        return try_claim(backend, &args).await;
    };
    // Noted before the first look, so that what appears between the look and the wait wakes it.
    let waiter = backend.wake_ups.wait_for(&args.lanes);
    let mut time_is_up = std::pin::pin!(sleep(max_wait));
    loop {
        let claimed = try_claim(backend, &args).await?;
        if !claimed.is_empty() || time_is_up.is_elapsed() {
            return Ok(claimed);
        }
        tokio::select! {
            () = waiter.woken() => {}
            () = sleep(POLL) => {}
            () = &mut time_is_up => {}
        }
    }
}

/// Looks before it writes: a claim that finds nothing is one statement and takes no lock.
async fn try_claim(
    backend: &SqliteBackend,
    args: &ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    let now = backend.config.clock.now();
    let row = pick(PEEK, args, now, &[])?.fetch_one(&backend.readers).await.map_err(from_sqlx)?;
    if !rows::get::<bool>(&row, "found")? {
        return Ok(Vec::new());
    }
    let args = args.clone();
    backend.writer.run_while_awaited(async move |tx| claim_in(tx, &args, now).await).await
}

async fn claim_in(
    tx: &mut Tx<'_>,
    args: &ClaimBatchArgs,
    now: TimestampMs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    let mut passed_by = Vec::new();
    loop {
        let rows =
            pick(CLAIM, args, now, &passed_by)?.fetch_all(tx.conn()).await.map_err(from_sqlx)?;
        let mut picked = Vec::with_capacity(rows.len());
        let passed_by_before = passed_by.len();
        for row in &rows {
            match read(row) {
                Ok(execution) => picked.push(execution),
                Err(error) => {
                    tracing::error!(%error, "a claim passes a corrupt execution by");
                    passed_by.push(rows::key(row)?.execution_id);
                }
            }
        }
        if passed_by.len() == passed_by_before {
            picked.sort_by_key(Picked::queue_position);
            return grant(tx, picked, &args.policy, now).await;
        }
        tx.restart_operation().await?;
    }
}

fn pick(
    statement: &'static str,
    args: &ClaimBatchArgs,
    now: TimestampMs,
    passed_by: &[uuid::Uuid],
) -> Result<Query<'static, Sqlite, SqliteArguments>, EngineError> {
    Ok(sqlx::query(statement)
        .bind(to_parameter(&args.lanes)?)
        .bind(to_parameter(&args.capabilities)?)
        .bind(now.0)
        .bind(to_parameter(&passed_by)?)
        .bind(i64::from(args.max)))
}

fn read(row: &SqliteRow) -> Result<Picked, EngineError> {
    let context = rows::context(row)?;
    let execution_id = context.key.execution_id()?;
    let stored: i64 = rows::get(row, "attempt_index")?;
    let attempt_index = u32::try_from(stored).map(AttemptIndex).map_err(|_| {
        EngineError::corruption("ff_exec_core", "attempt_index", &execution_id, stored)
    })?;
    let priority: i64 = rows::get(row, "priority")?;
    let position = (priority.saturating_neg(), rows::get(row, "created_at_ms")?);
    Ok(Picked { execution_id, context: context.into_context()?, attempt_index, position })
}

impl Picked {
    /// The order of the index that the claim reads, which `RETURNING` does not keep.
    fn queue_position(&self) -> (i64, i64, uuid::Uuid, u16) {
        let id = &self.execution_id;
        (self.position.0, self.position.1, id.uuid(), id.partition())
    }
}

async fn grant(
    tx: &mut Tx<'_>,
    picked: Vec<Picked>,
    policy: &ClaimPolicy,
    now: TimestampMs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let leases: Vec<_> = picked
        .iter()
        .map(|execution| {
            AttemptDocument::leased(&execution.execution_id, execution.attempt_index, policy, now)
        })
        .collect();
    let rows = sqlx::query(GRANT)
        .bind(to_parameter(&leases)?)
        .fetch_all(tx.conn())
        .await
        .map_err(from_sqlx)?;
    let epochs = rows::by_key(&rows, |row| rows::get::<i64>(row, "lease_epoch"))?;
    let mut events = EventDocuments::default();
    let acquired = [Event::lease(now, LeaseEventType::Acquired)];
    let mut claimed = Vec::with_capacity(picked.len());
    for execution in picked {
        events.extend(&execution.execution_id, &acquired);
        let epoch = epochs.get(&execution.execution_id).copied();
        claimed.push(execution.into_claimed(epoch, policy)?);
    }
    tx.append(&events).await?;
    Ok(claimed)
}

impl Picked {
    fn into_claimed(
        self,
        epoch: Option<i64>,
        policy: &ClaimPolicy,
    ) -> Result<ClaimedExecution, EngineError> {
        let epoch = epoch.ok_or_else(|| unexpected("a lease without an epoch"))?;
        let lease_epoch = u64::try_from(epoch).map(LeaseEpoch).map_err(|_| {
            EngineError::corruption("ff_attempt", "lease_epoch", &self.execution_id, epoch)
        })?;
        let lease = HandleLease {
            attempt_index: self.attempt_index,
            lease_epoch,
            worker_instance_id: policy.worker_instance_id.clone(),
            lease_ttl_ms: policy.lease_ttl_ms,
            kind: handle_kind(self.attempt_index, lease_epoch),
        };
        Ok(ClaimedExecution::new(Handle::mint(LABEL, self.execution_id, lease), self.context))
    }
}
