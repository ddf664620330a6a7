//! Renewing leases, giving them back, taking them away, and looking at them.

use ff_core::backend::{Handle, LeaseRenewal};
use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, ListExpiredLeasesArgs, ListExpiredLeasesResult,
    RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::lease::{self as rule, Held};
use ff_core::rules::{input, operator as operator_rule};
use ff_core::types::{LeaseId, TimestampMs};
use ff_sql::by_handle::{Answers, no_answer};
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::columns;
use crate::decide::decide;
use crate::error::{from_sqlx, unexpected};
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{LABEL, PostgresBackend, operator, rows};

const RENEW: &str = include_str!("../sql/lease/renew.sql");
const LIST_EXPIRED: &str = include_str!("../sql/lease/list_expired.sql");

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::renew`].
pub(crate) async fn renew(backend: &PostgresBackend, handle: &Handle) -> Answer<LeaseRenewal> {
    let mut answers = renew_batch(backend, std::slice::from_ref(handle)).await?;
    answers.pop().unwrap_or_else(|| no_answer(LABEL))
}

/// See [`ff_core::engine_backend::EngineBackend::renew_batch`].
pub(crate) async fn renew_batch(
    backend: &PostgresBackend,
    handles: &[Handle],
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let mut answers = Answers::new(LABEL, handles, |handle| handle.check_backend(LABEL));
    for round in answers.rounds() {
        let items = answers.items(&round);
        let round_answers = repeat(backend, async |_| renew_round(backend, &items).await).await?;
        answers.note(round, round_answers);
    }
    Ok(answers.into_vec())
}

async fn renew_round(
    backend: &PostgresBackend,
    handles: &[&Handle],
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let mut tx = Tx::alone(backend).await?;
    let now = tx.now().await?;
    let expiries =
        handles.iter().map(|handle| now.saturating_add_millis(u64::from(handle.lease_ttl_ms())).0);
    let renew = columns::bind_leases(tx.query(RENEW), handles)
        .bind(expiries.collect::<Vec<_>>())
        .bind(now.0);
    let rows = renew.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    tx.commit().await?;
    let renewed =
        rows::by_key(&rows, |row| rows::get::<i64>(row, "lease_expires_at_ms").map(TimestampMs))?;
    let misses: Vec<&Handle> = handles
        .iter()
        .copied()
        .filter(|handle| !renewed.contains_key(handle.execution_id()))
        .collect();
    let mut missed = explain_misses(backend, &misses, now).await?.into_iter();
    let answers = handles.iter().map(|handle| match renewed.get(handle.execution_id()) {
        Some(expires_at) => {
            Ok(LeaseRenewal { expires_at: *expires_at, lease_epoch: handle.lease_epoch() })
        }
        None => missed.next().unwrap_or_else(|| no_answer(LABEL)),
    });
    Ok(answers.collect())
}

/// What the hot statement did not match, asked of the rule.
async fn explain_misses(
    backend: &PostgresBackend,
    misses: &[&Handle],
    now: TimestampMs,
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    decide(backend, misses, Some(now), |_, _, held| rule::renew(held)).await
}

/// See [`ff_core::engine_backend::EngineBackend::progress`].
pub(crate) async fn progress(
    backend: &PostgresBackend,
    handle: &Handle,
    progress: Value,
) -> Answer<()> {
    input::check_progress(&progress, &backend.config.limits())?;
    decide_one(backend, handle, |held| rule::progress(held, progress.clone())).await
}

/// See [`ff_core::engine_backend::EngineBackend::delay`].
pub(crate) async fn delay(
    backend: &PostgresBackend,
    handle: &Handle,
    until: TimestampMs,
) -> Answer<()> {
    decide_one(backend, handle, |held| rule::delay(held, until)).await
}

async fn decide_one(
    backend: &PostgresBackend,
    handle: &Handle,
    rule: impl Fn(Held<'_>) -> Answer<Decision<()>>,
) -> Answer<()> {
    handle.check_backend(LABEL)?;
    let rule = &rule;
    let answers =
        repeat(backend, async |_| decide(backend, &[handle], None, |_, _, held| rule(held)).await);
    answers.await?.pop().unwrap_or_else(|| no_answer(LABEL))
}

/// See [`ff_core::engine_backend::EngineBackend::check_leases`].
pub(crate) async fn check(
    backend: &PostgresBackend,
    handles: &[Handle],
) -> Answer<Vec<Answer<()>>> {
    let mut answers = Answers::new(LABEL, handles, |handle| handle.check_backend(LABEL));
    for round in answers.rounds() {
        let items = answers.items(&round);
        // A rule that never stores anything leaves it at the look.
        let look = async |_| {
            decide(backend, &items, None, |_, _, held| {
                held.live_attempt().map(|_| Decision::unchanged(()))
            })
            .await
        };
        let round_answers = repeat(backend, look).await?;
        answers.note(round, round_answers);
    }
    Ok(answers.into_vec())
}

/// See [`ff_core::engine_backend::EngineBackend::revoke_lease`].
pub(crate) async fn revoke(
    backend: &PostgresBackend,
    args: RevokeLeaseArgs,
) -> Answer<RevokeLeaseResult> {
    input::check_revoke(&args)?;
    operator::decide(backend, &args.execution_id, |execution, now| {
        Ok(operator_rule::revoke(execution, &args, now))
    })
    .await
}

/// See [`ff_core::engine_backend::EngineBackend::list_expired_leases`].
pub(crate) async fn list_expired(
    backend: &PostgresBackend,
    args: ListExpiredLeasesArgs,
) -> Answer<ListExpiredLeasesResult> {
    let limit = input::check_list_expired_leases(&args)?;
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST_EXPIRED)
            .bind(args.as_of.0)
            .bind(args.namespace.as_ref().map(|namespace| namespace.as_str()))
            .bind(args.after.as_ref().map(|after| after.expires_at_ms.0))
            .bind(args.after.as_ref().map(|after| after.execution_id.as_str()))
            .bind(i64::from(limit));
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    let entries = found.iter().map(expired_lease).collect::<Answer<Vec<_>>>()?;
    let is_full = entries.len() == limit as usize;
    let cursor = entries
        .last()
        .filter(|_| is_full)
        .map(|last| ExpiredLeasesCursor::new(last.expires_at_ms, last.execution_id.clone()));
    Ok(ListExpiredLeasesResult::new(entries, cursor))
}

fn expired_lease(row: &PgRow) -> Answer<ExpiredLeaseInfo> {
    let key = rows::key(row)?;
    let execution_id = key.execution_id()?;
    let missing = || unexpected("a lease without its attempt, worker or expiry");
    let attempt = rows::attempt(row, key)?.ok_or_else(missing)?;
    let index = attempt.attempt_index;
    let lease_id = LeaseId::derive(&execution_id, index, attempt.lease_epoch);
    Ok(ExpiredLeaseInfo::new(
        execution_id,
        lease_id,
        attempt.lease_epoch,
        attempt.worker_instance_id.ok_or_else(missing)?,
        attempt.lease_expires_at.ok_or_else(missing)?,
        index,
    ))
}
