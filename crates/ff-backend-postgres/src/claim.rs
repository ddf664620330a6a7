//! Claiming.

use std::time::Duration;

use ff_core::backend::{CapabilitySet, ClaimPolicy, Handle, HandleLease};
use ff_core::contracts::{ClaimBatchArgs, ClaimedExecution};
use ff_core::engine_error::EngineError;
use ff_core::rules::{claim as rule, input};
use ff_core::types::{AttemptIndex, ExecutionId, LaneId, LeaseEpoch, TimestampMs};
use ff_sql::claims::Claims;
use futures::future::join_all;
use sqlx::postgres::PgRow;
use tokio::time::sleep;

use crate::columns;
use crate::error::{from_sqlx, unexpected};
use crate::queue_heads::QueueHead;
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
        return backend.batchers.claim.call(args, 0).await;
    };
    // Noted before the first look, so that what appears between the look and the wait wakes it.
    let waiter = backend.notifier.wait_for(&args.lanes);
    let mut time_is_up = std::pin::pin!(sleep(max_wait));
    loop {
        let claimed = claim_alone(backend, &args).await?;
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
    /// With the place of who claims.
    claimed: Vec<(usize, ClaimedExecution)>,
    /// Claimed, and then found to be unreadable.
    unreadable: Vec<(Handle, String)>,
    /// Queues in which other claims were faster.
    short: Vec<Queue>,
    /// Something changed as it was to be claimed.
    is_changed: bool,
    /// Where the queues begin, when that took long to find.
    heads: Vec<QueueHead>,
    searched: Duration,
}

/// A look of a claim that waits. It is not made with others, which would take something for it after it was
/// dropped.
async fn claim_alone(
    backend: &PostgresBackend,
    args: &ClaimBatchArgs,
) -> Result<Vec<ClaimedExecution>, EngineError> {
    let answer = try_claim_all(backend, vec![args.clone()]).await?.pop();
    answer.unwrap_or_else(|| Err(unexpected("no answer to a claim")))
}

/// Makes claims that were checked. Those that ask for the same are one statement.
pub(crate) async fn try_claim_all(
    backend: &PostgresBackend,
    batch: Vec<ClaimBatchArgs>,
) -> Result<Vec<Result<Vec<ClaimedExecution>, EngineError>>, EngineError> {
    let (places, claims): (Vec<_>, Vec<_>) = Claims::gather(&batch).into_iter().unzip();
    let made = join_all(claims.iter().map(|claims| try_claim(backend, claims))).await;
    let mut answers: Vec<_> =
        batch.iter().map(|_| Err(unexpected("no answer to a claim"))).collect();
    for ((places, claims), made) in places.into_iter().zip(&claims).zip(made) {
        let shares = claims.share_out(made?);
        for (place, share) in places.into_iter().zip(shares) {
            answers[place] = Ok(share);
        }
    }
    Ok(answers)
}

/// Claims in one statement, which passes by what the rules cannot read. What it cannot see to be
/// unreadable, a policy, is found here, and its execution is put back. While other claims are faster, the
/// queues in which they are are passed by, until there is none left. That there is nothing is said only after
/// the queues were looked at from their beginning.
async fn try_claim(
    backend: &PostgresBackend,
    claims: &Claims<'_>,
) -> Result<Vec<(usize, ClaimedExecution)>, EngineError> {
    let Some(args) = claims.first() else { return Ok(Vec::new()) };
    let mut passed_by = Vec::new();
    let mut heads = backend.queue_heads.known(args);
    loop {
        let place = (passed_by.as_slice(), heads.as_deref());
        let found = repeat_undone(backend, async || pick(backend, claims, place).await).await?;
        let mut look = read(&found, claims)?;
        if !look.heads.is_empty() {
            backend.queue_heads.keep(args, std::mem::take(&mut look.heads), look.searched);
        }
        if !look.unreadable.is_empty() {
            let put_back = put_back(backend, &look.unreadable).await;
            if let (Err(error), true) = (put_back, look.claimed.is_empty()) {
                return Err(error);
            }
        }
        if !look.claimed.is_empty() {
            return Ok(look.claimed);
        }
        if heads.take().is_some() {
            backend.queue_heads.forget(args);
            continue;
        }
        if look.short.is_empty() && look.unreadable.is_empty() && !look.is_changed {
            return Ok(Vec::new());
        }
        passed_by.extend(look.short);
    }
}

fn read(found: &[PgRow], claims: &Claims<'_>) -> Result<Look, EngineError> {
    let mut look = Look::default();
    for row in found {
        match rows::get::<&str>(row, "what")? {
            "claimed" => {
                let claimer: i32 = rows::get(row, "claimer")?;
                let place = usize::try_from(claimer - 1).unwrap_or(usize::MAX);
                let args = claims.get(place).ok_or_else(|| unexpected("a claim of nobody"))?;
                let handle = handle(row, &args.policy)?;
                match rows::context(row)?.into_context() {
                    Ok(context) => {
                        look.claimed.push((place, ClaimedExecution::new(handle, context)));
                    }
                    Err(error) => look.unreadable.push((handle, error.to_string())),
                }
            }
            "short" => {
                look.short.push((rows::get(row, "lane_id")?, rows::get(row, "required_set")?));
            }
            "head" => {
                look.searched = searched(row)?;
                look.heads.push(head(row)?);
            }
            _ => look.is_changed = true,
        }
    }
    Ok(look)
}

fn head(row: &PgRow) -> Result<QueueHead, EngineError> {
    Ok(QueueHead {
        lane_id: rows::get(row, "lane_id")?,
        required_set: rows::get(row, "required_set")?,
        rank: rows::get(row, "rank")?,
        created_at_ms: rows::get(row, "created_at_ms")?,
        execution_id: rows::get(row, "execution_id")?,
    })
}

fn searched(row: &PgRow) -> Result<Duration, EngineError> {
    let micros: i64 = rows::get(row, "searched_us")?;
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

async fn pick(
    backend: &PostgresBackend,
    claims: &Claims<'_>,
    (passed_by, heads): (&[Queue], Option<&[QueueHead]>),
) -> Result<Vec<PgRow>, EngineError> {
    let mut tx = Tx::alone(backend).await?;
    let now = tx.now().await?;
    let Some(args) = claims.first() else { return Ok(Vec::new()) };
    let lanes: Vec<&str> = args.lanes.iter().map(LaneId::as_str).collect();
    let capabilities: Vec<&str> = args.capabilities.iter().collect();
    let policies = claims.policies();
    let expiry = |policy: &ClaimPolicy| now.saturating_add_millis(policy.lease_ttl_ms.into()).0;
    let pick = tx
        .query(PICK)
        .bind(lanes)
        .bind(capabilities)
        .bind(now.0)
        .bind(i64::from(claims.max()))
        .bind(policies.clone().map(|policy| policy.worker_id.as_str()).collect::<Vec<_>>())
        .bind(policies.clone().map(|policy| policy.worker_instance_id.as_str()).collect::<Vec<_>>())
        .bind(policies.map(expiry).collect::<Vec<_>>())
        .bind(&backend.config.instance_tag_key)
        .bind(passed_by.iter().map(|(lane, _)| lane.as_deref()).collect::<Vec<_>>())
        .bind(passed_by.iter().map(|(_, hash)| *hash).collect::<Vec<_>>());
    let pick = columns::bind_heads(pick, heads).bind(claims.bounds());
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
