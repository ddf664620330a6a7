//! Claiming.

use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution, ExecutionContext};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::claim as rule;
use ff_core::rules::input;
use ff_core::types::{LaneId, TimestampMs};
use ff_sql::document::to_parameter;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use tokio::time::sleep;
use uuid::Uuid;

use crate::error::from_sqlx;
use crate::tx::Tx;
use crate::{LABEL, SqliteBackend, rows};

const PICK: &str = include_str!("../sql/claim/pick.sql");
const LEASE: &str = include_str!("../sql/claim/lease.sql");

/// How long a waiting claim goes without looking for what other processes, and time, have brought.
const POLL: Duration = Duration::from_millis(100);
/// Corrupt executions that one claim passes by at most.
const PASSED_BY_MAX: usize = 1_000;

/// An execution that can be claimed, with what its handler needs.
struct Candidate {
    row_id: i64,
    execution: Execution,
    context: ExecutionContext,
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
    let one = ClaimBatchArgs { max: 1, ..args.clone() };
    let mut reader = backend.readers.acquire().await.map_err(from_sqlx)?;
    if pick(&mut reader, &one, backend.config.clock.now()).await?.is_empty() {
        return Ok(Vec::new());
    }
    drop(reader);
    let args = args.clone();
    backend.writer.run_while_awaited(async move |tx| claim_in(tx, &args).await).await
}

/// Picks, asks the rule for the lease of each, and gives all of them in one call.
async fn claim_in(
    tx: &mut Tx<'_>,
    args: &ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    let now = tx.now();
    let (mut picked, mut claimed) = (Vec::new(), Vec::new());
    for candidate in pick(tx.conn(), args, now).await? {
        let lease = rule::grant(&candidate.execution, &args.policy, now)?.outcome;
        let handle = Handle::mint(LABEL, candidate.execution.execution_id, lease);
        picked.push(candidate.row_id);
        claimed.push(ClaimedExecution::new(handle, candidate.context));
    }
    if !picked.is_empty() {
        lease(tx, &picked, &args.policy, now).await?;
    }
    Ok(claimed)
}

/// Stores what the rule has granted.
async fn lease(
    tx: &mut Tx<'_>,
    picked: &[i64],
    policy: &ClaimPolicy,
    now: TimestampMs,
) -> Result<(), EngineError> {
    sqlx::query(LEASE)
        .bind(to_parameter(&picked)?)
        .bind(now.0)
        .bind(policy.worker_id.as_str())
        .bind(policy.worker_instance_id.as_str())
        .bind(now.saturating_add_millis(u64::from(policy.lease_ttl_ms)).0)
        .bind(tx.instance_tag_path())
        .execute(tx.conn())
        .await
        .map_err(from_sqlx)?;
    Ok(())
}

/// Reads the next executions that can be claimed, in their order, and passes corrupt ones by.
async fn pick(
    conn: &mut SqliteConnection,
    args: &ClaimBatchArgs,
    now: TimestampMs,
) -> Result<Vec<Candidate>, EngineError> {
    let wanted = args.max as usize;
    let mut picked = Vec::with_capacity(wanted);
    let mut seen: Vec<Uuid> = Vec::new();
    let mut passed_by = 0;
    loop {
        // As many again as were passed by: the reads stay few however many those are.
        let limit = wanted - picked.len() + passed_by;
        let found = pick_rows(conn, args, now, (&seen, limit)).await?;
        for row in &found {
            let key = rows::key(row)?;
            match read(row) {
                Ok(candidate) => picked.push(candidate),
                Err(error) => {
                    tracing::debug!(%error, "a claim passes a corrupt execution by");
                    passed_by += 1;
                }
            }
            seen.push(key.execution_id);
        }
        if picked.len() >= wanted || found.len() < limit || passed_by > PASSED_BY_MAX {
            picked.truncate(wanted);
            picked.sort_by_key(|candidate| rule::queue_position(&candidate.execution));
            return Ok(picked);
        }
    }
}

async fn pick_rows(
    conn: &mut SqliteConnection,
    args: &ClaimBatchArgs,
    now: TimestampMs,
    (seen, limit): (&[Uuid], usize),
) -> Result<Vec<SqliteRow>, EngineError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    sqlx::query(PICK)
        .bind(to_parameter(&args.lanes)?)
        .bind(to_parameter(&args.capabilities)?)
        .bind(now.0)
        .bind(to_parameter(&seen)?)
        .bind(limit)
        .fetch_all(conn)
        .await
        .map_err(from_sqlx)
}

fn read(row: &SqliteRow) -> Result<Candidate, EngineError> {
    let (execution, _) = rows::execution(row)?;
    let context = rows::context(row)?.into_context()?;
    Ok(Candidate { row_id: rows::get(row, "row_id")?, execution, context })
}
