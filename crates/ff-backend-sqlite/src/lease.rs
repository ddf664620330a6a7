//! Renewing, giving back, checking and taking leases.

use ff_core::backend::{Handle, LeaseRenewal};
use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, ListExpiredLeasesArgs, ListExpiredLeasesResult,
    RevokeLeaseArgs, RevokeLeaseResult,
};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::lease::{self as rule, Held};
use ff_core::rules::{input, operator};
use ff_core::types::{LeaseId, Namespace, TimestampMs};
use ff_sql::by_handle::no_answer;
use ff_sql::changes::{Changes, Loaded};
use ff_sql::document::{HandleDocument, KeyDocument, to_parameter};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::error::{from_sqlx, unexpected};
use crate::tx::{Tx, in_order};
use crate::{LABEL, SqliteBackend, rows};

const LOAD: &str = include_str!("../sql/execution/load.sql");
const LIST_EXPIRED: &str = include_str!("../sql/lease/list_expired.sql");
const RENEW: &str = include_str!("../sql/lease/renew.sql");

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::renew`].
pub(crate) async fn renew(backend: &SqliteBackend, handle: &Handle) -> Answer<LeaseRenewal> {
    let mut answers = renew_batch(backend, std::slice::from_ref(handle)).await?;
    answers.pop().unwrap_or_else(|| Err(unexpected("no answer to a renewal")))
}

/// See [`ff_core::engine_backend::EngineBackend::renew_batch`].
pub(crate) async fn renew_batch(
    backend: &SqliteBackend,
    handles: &[Handle],
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let ours: Vec<Handle> =
        handles.iter().filter(|handle| handle.check_backend(LABEL).is_ok()).cloned().collect();
    let mut renewed = Vec::new().into_iter();
    if !ours.is_empty() {
        let answers = backend.writer.run(async move |tx| renew_all(tx, &ours).await).await?;
        renewed = answers.into_iter();
    }
    let answers = handles.iter().map(|handle| {
        handle.check_backend(LABEL)?;
        renewed.next().unwrap_or_else(|| Err(unexpected("no answer to a renewal")))
    });
    Ok(answers.collect())
}

async fn renew_all(tx: &mut Tx<'_>, handles: &[Handle]) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let now = tx.now();
    let documents: Vec<_> = handles.iter().map(|handle| HandleDocument::new(handle, now)).collect();
    let rows = sqlx::query(RENEW)
        .bind(to_parameter(&documents)?)
        .bind(now.0)
        .fetch_all(tx.conn())
        .await
        .map_err(from_sqlx)?;
    let renewed =
        rows::by_key(&rows, |row| rows::get::<i64>(row, "lease_expires_at_ms").map(TimestampMs))?;
    let keys: Vec<_> = handles.iter().map(KeyDocument::of_handle).collect();
    let all_renewed = handles.iter().all(|handle| renewed.contains_key(handle.execution_id()));
    if all_renewed && renewed.len() == handles.len() {
        let answers = handles.iter().map(|handle| {
            let expires_at = renewed.get(handle.execution_id()).copied();
            let expires_at = expires_at.ok_or_else(|| unexpected("a renewal without expiry"))?;
            Ok(LeaseRenewal { expires_at, lease_epoch: handle.lease_epoch() })
        });
        return Ok(answers.collect());
    }
    // The rule names what became of each lease; renewing one again at the same time changes nothing.
    let mut answers = Vec::with_capacity(handles.len());
    let mut changes = Changes::default();
    for (handle, loaded) in handles.iter().zip(tx.load(&keys).await?) {
        answers.push(
            loaded.and_then(|loaded| Ok(changes.take(rule::renew(held(&loaded, handle, now))?))),
        );
    }
    tx.store(changes).await?;
    Ok(answers)
}

/// See [`ff_core::engine_backend::EngineBackend::progress`].
pub(crate) async fn progress(
    backend: &SqliteBackend,
    handle: &Handle,
    progress: Value,
) -> Answer<()> {
    input::check_progress(&progress, &backend.config.limits())?;
    decide(backend, handle, |held| rule::progress(held, progress)).await
}

/// See [`ff_core::engine_backend::EngineBackend::delay`].
pub(crate) async fn delay(
    backend: &SqliteBackend,
    handle: &Handle,
    until: TimestampMs,
) -> Answer<()> {
    decide(backend, handle, move |held| rule::delay(held, until)).await
}

/// Load, ask the rule, store.
async fn decide(
    backend: &SqliteBackend,
    handle: &Handle,
    rule: impl FnOnce(Held<'_>) -> Answer<Decision<()>> + Send + 'static,
) -> Answer<()> {
    handle.check_backend(LABEL)?;
    let handle = handle.clone();
    let decide = async move |tx: &mut Tx<'_>| {
        let key = KeyDocument::of_handle(&handle);
        tx.decide(key, |loaded, now| rule(held(loaded, &handle, now))).await
    };
    backend.writer.run(decide).await
}

fn held<'a>(loaded: &'a Loaded, handle: &'a Handle, now: TimestampMs) -> Held<'a> {
    Held { execution: &loaded.execution, attempt: loaded.attempt.as_ref(), handle, now }
}

/// See [`ff_core::engine_backend::EngineBackend::check_leases`].
pub(crate) async fn check(backend: &SqliteBackend, handles: &[Handle]) -> Answer<Vec<Answer<()>>> {
    let is_ours = |handle: &&Handle| handle.check_backend(LABEL).is_ok();
    let keys: Vec<_> = handles.iter().filter(is_ours).map(KeyDocument::of_handle).collect();
    // Before the look: what is renewed between the two is not taken for expired.
    let now = backend.config.clock.now();
    let mut loaded = Vec::new().into_iter();
    if !keys.is_empty() {
        let rows = sqlx::query(LOAD)
            .bind(to_parameter(&keys)?)
            .fetch_all(&backend.readers)
            .await
            .map_err(from_sqlx)?;
        loaded = in_order(&rows, keys.len())?.into_iter();
    }
    let answers = handles.iter().map(|handle| {
        handle.check_backend(LABEL)?;
        let loaded = loaded.next().unwrap_or_else(|| no_answer(LABEL))?;
        held(&loaded, handle, now).live_attempt().map(|_| ())
    });
    Ok(answers.collect())
}

/// See [`ff_core::engine_backend::EngineBackend::revoke_lease`].
pub(crate) async fn revoke(
    backend: &SqliteBackend,
    args: RevokeLeaseArgs,
) -> Answer<RevokeLeaseResult> {
    input::check_revoke(&args)?;
    let revoke = async move |tx: &mut Tx<'_>| {
        let key = KeyDocument::new(&args.execution_id);
        tx.decide(key, |loaded, now| Ok(operator::revoke(&loaded.execution, &args, now))).await
    };
    backend.writer.run(revoke).await
}

/// See [`ff_core::engine_backend::EngineBackend::list_expired_leases`].
pub(crate) async fn list_expired(
    backend: &SqliteBackend,
    args: ListExpiredLeasesArgs,
) -> Answer<ListExpiredLeasesResult> {
    let limit = input::check_list_expired_leases(&args)?;
    let after = args.after.as_ref();
    let found = sqlx::query(LIST_EXPIRED)
        .bind(args.as_of.0)
        .bind(args.namespace.as_ref().map(Namespace::as_str))
        .bind(after.map(|cursor| cursor.expires_at_ms.0))
        .bind(after.map(|cursor| i64::from(cursor.execution_id.partition())))
        .bind(after.map(|cursor| cursor.execution_id.uuid()))
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    let entries = found.iter().map(read_expired).collect::<Answer<Vec<_>>>()?;
    let is_full = entries.len() == limit as usize;
    let cursor = entries
        .last()
        .filter(|_| is_full)
        .map(|last| ExpiredLeasesCursor::new(last.expires_at_ms, last.execution_id.clone()));
    Ok(ListExpiredLeasesResult::new(entries, cursor))
}

fn read_expired(row: &SqliteRow) -> Answer<ExpiredLeaseInfo> {
    let key = rows::key(row)?;
    let execution_id = key.execution_id()?;
    let attempt = rows::attempt(row, key)?.ok_or_else(|| unexpected("a lease on no attempt"))?;
    let held = attempt.worker_instance_id.zip(attempt.lease_expires_at);
    let (worker_instance_id, expires_at) = held.ok_or_else(|| unexpected("a lease of nobody"))?;
    let (attempt_index, epoch) = (attempt.attempt_index, attempt.lease_epoch);
    let lease_id = LeaseId::derive(&execution_id, attempt_index, epoch);
    Ok(ExpiredLeaseInfo::new(
        execution_id,
        lease_id,
        epoch,
        worker_instance_id,
        expires_at,
        attempt_index,
    ))
}
