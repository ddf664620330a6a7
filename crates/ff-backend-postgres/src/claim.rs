//! Claiming.

use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, HandleLease};
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution};
use ff_core::engine_error::EngineError;
use ff_core::rules::{claim as rule, input};
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch, TimestampMs};
use sqlx::postgres::PgRow;
use tokio::time::sleep;

use crate::columns;
use crate::error::{from_sqlx, unexpected};
use crate::retry::{repeat, repeat_undone};
use crate::tx::Tx;
use crate::{LABEL, PostgresBackend, rows};

const PICK: &str = include_str!("../sql/claim/pick.sql");
const PUT_BACK: &str = include_str!("../sql/claim/put_back.sql");

/// How long a waiting claim goes without looking for what other processes, and time, have brought.
const POLL: Duration = Duration::from_millis(100);

/// See [`ff_core::engine_backend::EngineBackend::claim`].
pub(crate) async fn claim(
    backend: &PostgresBackend,
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
    backend: &PostgresBackend,
    args: ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    input::check_claim_batch(&args)?;
    let Some(max_wait) = args.policy.max_wait else {
        return try_claim(backend, &args).await;
    };
    // Noted before the first look, so that what appears between the look and the wait wakes it.
    let waiter = backend.notifier.wait_for(&args.lanes);
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

/// A part of a lane, by the hash of what its executions require; the parts that are due have none.
type Queue = (Option<String>, Option<i64>);

/// What one look at the queues came to.
#[derive(Default)]
struct Look {
    claimed: Vec<ClaimedExecution>,
    /// Claimed, and then found to be unreadable.
    unreadable: Vec<(Handle, String)>,
    /// Queues in which other claims were faster.
    short: Vec<Queue>,
}

/// Claims in one statement, which passes by what the rules cannot read. What it cannot see to be
/// unreadable, a policy, is found here, and its execution is put back. While other claims are faster, the
/// queues in which they are are passed by, until there is none left.
async fn try_claim(
    backend: &PostgresBackend,
    args: &ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    let mut passed_by = Vec::new();
    loop {
        let found = repeat_undone(backend, async || pick(backend, args, &passed_by).await).await?;
        let look = read(&found, &args.policy)?;
        if !look.unreadable.is_empty() {
            let put_back = put_back(backend, &look.unreadable).await;
            if let (Err(error), true) = (put_back, look.claimed.is_empty()) {
                return Err(error);
            }
        }
        let look_again = !look.short.is_empty() || !look.unreadable.is_empty();
        if !look.claimed.is_empty() || !look_again {
            return Ok(look.claimed);
        }
        passed_by.extend(look.short);
    }
}

fn read(found: &[PgRow], policy: &ClaimPolicy) -> Result<Look, EngineError> {
    let mut look = Look::default();
    for row in found {
        if rows::get::<bool>(row, "is_short")? {
            look.short.push((rows::get(row, "short_lane_id")?, rows::get(row, "short_set")?));
            continue;
        }
        let handle = handle(row, policy)?;
        match rows::context(row)?.into_context() {
            Ok(context) => look.claimed.push(ClaimedExecution::new(handle, context)),
            Err(error) => look.unreadable.push((handle, error.to_string())),
        }
    }
    Ok(look)
}

async fn pick(
    backend: &PostgresBackend,
    args: &ClaimBatchArgs,
    passed_by: &[Queue],
) -> Result<Vec<PgRow>, EngineError> {
    let mut tx = Tx::alone(backend).await?;
    let now = tx.now().await?;
    let policy = &args.policy;
    let lanes: Vec<&str> = args.lanes.iter().map(LaneId::as_str).collect();
    let capabilities: Vec<&str> = args.capabilities.iter().collect();
    let expires_at = now.saturating_add_millis(u64::from(policy.lease_ttl_ms));
    let pick = tx
        .query(PICK)
        .bind(lanes)
        .bind(capabilities)
        .bind(now.0)
        .bind(i64::from(args.max))
        .bind(policy.worker_id.as_str())
        .bind(policy.worker_instance_id.as_str())
        .bind(expires_at.0)
        .bind(&backend.config.instance_tag_key)
        .bind(passed_by.iter().map(|(lane, _)| lane.as_deref()).collect::<Vec<_>>())
        .bind(passed_by.iter().map(|(_, hash)| *hash).collect::<Vec<_>>());
    let found = pick.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    tx.commit().await?;
    Ok(found)
}

fn handle(row: &PgRow, policy: &ClaimPolicy) -> Result<Handle, EngineError> {
    let execution_id: ExecutionId = rows::key(row)?.execution_id()?;
    let attempt_index: i32 = rows::get(row, "attempt_index")?;
    let lease_epoch: i64 = rows::get(row, "lease_epoch")?;
    let number = |_| unexpected("a lease that cannot be counted");
    let attempt_index = AttemptIndex::new(u32::try_from(attempt_index).map_err(number)?);
    let lease_epoch = LeaseEpoch::new(u64::try_from(lease_epoch).map_err(number)?);
    let lease = HandleLease {
        attempt_index,
        lease_epoch,
        worker_instance_id: policy.worker_instance_id.clone(),
        lease_ttl_ms: policy.lease_ttl_ms,
        kind: rule::handle_kind(attempt_index, lease_epoch),
    };
    Ok(Handle::mint(LABEL, execution_id, lease))
}

/// Gives the leases back and blocks the executions, so that nothing claims them again until an
/// operator has mended what is named as the reason.
async fn put_back(
    backend: &PostgresBackend,
    unreadable: &[(Handle, String)],
) -> Result<(), EngineError> {
    for (_, error) in unreadable {
        tracing::error!(%error, "a claim blocks a corrupt execution");
    }
    let ids: Vec<&ExecutionId> =
        unreadable.iter().map(|(handle, _)| handle.execution_id()).collect();
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let now: TimestampMs = tx.now().await?;
        let indexes = unreadable.iter().map(|(handle, _)| i64::from(handle.attempt_index().0));
        let epochs = unreadable
            .iter()
            .map(|(handle, _)| i64::try_from(handle.lease_epoch().0).unwrap_or(i64::MAX));
        let reasons = unreadable.iter().map(|(_, reason)| reason.as_str());
        let put_back = columns::bind_ids(tx.query(PUT_BACK), &ids)
            .bind(indexes.collect::<Vec<_>>())
            .bind(epochs.collect::<Vec<_>>())
            .bind(reasons.collect::<Vec<_>>())
            .bind(now.0)
            .bind(&backend.config.instance_tag_key);
        put_back.execute(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await
    })
    .await
}
