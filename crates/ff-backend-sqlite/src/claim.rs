//! Claiming.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution, ExecutionContext};
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::claim as rule;
use ff_core::rules::input;
use ff_core::types::{LaneId, TimestampMs};
use ff_sql::claims::Claims;
use ff_sql::document::to_parameter;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};
use tokio::time::sleep;
use uuid::Uuid;

use crate::error::{from_sqlx, unexpected};
use crate::tx::Tx;
use crate::values::{ROWS_MAX, for_rows, padded};
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

/// A lease that the rule has granted.
struct Granted<'a> {
    row_id: i64,
    execution_id: Uuid,
    lease_epoch: i64,
    policy: &'a ClaimPolicy,
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
        return claim_now(backend, args).await;
    };
    // Noted before the first look, so that what appears between the look and the wait wakes it.
    let waiter = backend.wake_ups.wait_for(&args.lanes);
    let mut time_is_up = std::pin::pin!(sleep(max_wait));
    loop {
        let claimed = claim_alone(backend, &args).await?;
        if !claimed.is_empty() || time_is_up.is_elapsed() {
            return Ok(claimed);
        }
        tokio::select! {
            () = waiter.woken() => backend.expects_work.store(true, Ordering::Relaxed),
            () = sleep(POLL) => {}
            () = &mut time_is_up => {}
        }
    }
}

/// Claims with those beside it, unless there is nothing to claim: then it is one statement and takes no lock. Where
/// the last claim found something, there is likely to be something, and it is not looked for twice.
async fn claim_now(
    backend: &SqliteBackend,
    args: ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    if !backend.expects_work.load(Ordering::Relaxed) && !is_anything_there(backend, &args).await? {
        return Ok(Vec::new());
    }
    let claimed = backend.batchers.claim.call(args, 0).await?;
    backend.expects_work.store(!claimed.is_empty(), Ordering::Relaxed);
    Ok(claimed)
}

/// A look of a claim that waits. It is not made with others, which would take something for it after it was
/// dropped.
async fn claim_alone(
    backend: &SqliteBackend,
    args: &ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    // Of several that were woken one goes ahead, and the others look.
    let is_likely = backend.expects_work.swap(false, Ordering::Relaxed);
    if !is_likely && !is_anything_there(backend, args).await? {
        return Ok(Vec::new());
    }
    let batch = vec![args.clone()];
    let claim = async move |tx: &mut Tx<'_>| claim_all(tx, &batch).await;
    let claimed = backend.writer.run_while_awaited(claim).await?.pop();
    let claimed = claimed.ok_or_else(|| unexpected("no answer to a claim"))?;
    backend.expects_work.store(!claimed.is_empty(), Ordering::Relaxed);
    Ok(claimed)
}

/// Makes claims that were checked. Those that ask for the same are made as one.
pub(crate) async fn claim_all(
    tx: &mut Tx<'_>,
    batch: &[ClaimBatchArgs],
) -> Result<Vec<Vec<ClaimedExecution>>, EngineError> {
    let mut answers: Vec<_> = batch.iter().map(|_| Vec::new()).collect();
    for (places, claims) in Claims::gather(batch) {
        for (place, share) in places.into_iter().zip(claim_in(tx, &claims).await?) {
            answers[place] = share;
        }
    }
    Ok(answers)
}

async fn is_anything_there(
    backend: &SqliteBackend,
    args: &ClaimBatchArgs,
) -> Result<bool, EngineError> {
    let mut reader = backend.readers.acquire().await.map_err(from_sqlx)?;
    Ok(!pick(&mut reader, args, (1, backend.config.clock.now())).await?.is_empty())
}

/// Picks, asks the rule for the lease of each, and gives all of them in one call.
async fn claim_in(
    tx: &mut Tx<'_>,
    claims: &Claims<'_>,
) -> Result<Vec<Vec<ClaimedExecution>>, EngineError> {
    let now = tx.now();
    let Some(args) = claims.first() else { return Ok(Vec::new()) };
    let candidates = pick(tx.conn(), args, (claims.max(), now)).await?;
    let (mut granted, mut claimed) = (Vec::new(), Vec::new());
    for (place, candidate) in claims.places(candidates.len()).into_iter().zip(candidates) {
        let Some(args) = claims.get(place) else { continue };
        let lease = rule::grant(&candidate.execution, &args.policy, now)?.outcome;
        granted.push(Granted {
            row_id: candidate.row_id,
            execution_id: candidate.execution.execution_id.uuid(),
            lease_epoch: i64::try_from(lease.lease_epoch.0).unwrap_or(i64::MAX),
            policy: &args.policy,
        });
        let handle = Handle::mint(LABEL, candidate.execution.execution_id, lease);
        claimed.push((place, ClaimedExecution::new(handle, candidate.context)));
    }
    lease(tx, &granted, now).await?;
    Ok(claims.share_out(claimed))
}

/// Stores what the rule has granted.
async fn lease(
    tx: &mut Tx<'_>,
    granted: &[Granted<'_>],
    now: TimestampMs,
) -> Result<(), EngineError> {
    let path = tx.instance_tag_path();
    for part in granted.chunks(ROWS_MAX) {
        let mut lease = sqlx::query(AssertSqlSafe(for_rows(LEASE, part.len()))).bind(now.0);
        for row in padded(part) {
            lease = lease.bind(row.map(|row| row.row_id));
        }
        lease = lease.bind(now.0);
        for row in padded(part) {
            lease = lease
                .bind(row.map(|row| row.row_id))
                .bind(row.map(|row| row.policy.worker_id.as_str()))
                .bind(row.map(|row| row.policy.worker_instance_id.as_str()))
                .bind(row.map(|row| row.lease_epoch))
                .bind(row.map(|row| now.saturating_add_millis(row.policy.lease_ttl_ms.into()).0));
        }
        lease = lease.bind(now.0).bind(path.as_str());
        for row in padded(part) {
            lease = lease
                .bind(row.map(|row| row.row_id))
                .bind(row.map(|row| row.execution_id.hyphenated().to_string()));
        }
        lease.execute(tx.conn()).await.map_err(from_sqlx)?;
    }
    Ok(())
}

/// Reads the next executions that can be claimed, in their order, and passes corrupt ones by.
async fn pick(
    conn: &mut SqliteConnection,
    args: &ClaimBatchArgs,
    (max, now): (u32, TimestampMs),
) -> Result<Vec<Candidate>, EngineError> {
    let wanted = max as usize;
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
