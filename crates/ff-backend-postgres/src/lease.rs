//! Renewing and giving back leases.

use ff_core::backend::{Handle, LeaseRenewal};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::rules::lease::{self as rule, Held};
use ff_core::types::TimestampMs;
use ff_sql::changes::Changes;
use serde_json::Value;

use crate::columns;
use crate::error::{from_sqlx, unexpected};
use crate::retry::repeat;
use crate::tx::{Key, Tx};
use crate::{LABEL, PostgresBackend, rows};

const RENEW: &str = include_str!("../sql/lease/renew.sql");

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::renew`].
pub(crate) async fn renew(backend: &PostgresBackend, handle: &Handle) -> Answer<LeaseRenewal> {
    let mut answers = renew_batch(backend, std::slice::from_ref(handle)).await?;
    answers.pop().unwrap_or_else(|| Err(unexpected("no answer to a renewal")))
}

/// See [`ff_core::engine_backend::EngineBackend::renew_batch`].
pub(crate) async fn renew_batch(
    backend: &PostgresBackend,
    handles: &[Handle],
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let ours: Vec<&Handle> =
        handles.iter().filter(|handle| handle.check_backend(LABEL).is_ok()).collect();
    let mut renewed = Vec::new().into_iter();
    if !ours.is_empty() {
        renewed = repeat(async |_| renew_all(backend, &ours).await).await?.into_iter();
    }
    let answers = handles.iter().map(|handle| {
        handle.check_backend(LABEL)?;
        renewed.next().unwrap_or_else(|| Err(unexpected("no answer to a renewal")))
    });
    Ok(answers.collect())
}

async fn renew_all(
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
    let rows = renew.fetch_all(tx.conn()).await.map_err(from_sqlx)?;
    tx.commit().await?;
    let renewed =
        rows::by_key(&rows, |row| rows::get::<i64>(row, "lease_expires_at_ms").map(TimestampMs))?;
    let all_renewed = handles.iter().all(|handle| renewed.contains_key(handle.execution_id()));
    if all_renewed && renewed.len() == handles.len() {
        let answers = handles.iter().map(|handle| {
            let expires_at = renewed.get(handle.execution_id()).copied();
            let expires_at = expires_at.ok_or_else(|| unexpected("a renewal without expiry"))?;
            Ok(LeaseRenewal { expires_at, lease_epoch: handle.lease_epoch() })
        });
        return Ok(answers.collect());
    }
    explain(backend, handles, now).await
}

/// The rule names what became of each lease; renewing one again at the same time changes nothing.
async fn explain(
    backend: &PostgresBackend,
    handles: &[&Handle],
    now: TimestampMs,
) -> Answer<Vec<Answer<LeaseRenewal>>> {
    let mut tx = Tx::begin(backend).await?;
    let keys: Vec<_> = handles.iter().map(|handle| Key::of_handle(handle)).collect();
    let mut answers = Vec::with_capacity(handles.len());
    let mut changes = Changes::default();
    for (handle, loaded) in handles.iter().zip(tx.load(&keys).await?) {
        answers.push(loaded.and_then(|loaded| {
            let attempt = loaded.attempt.as_ref();
            let held = Held { execution: &loaded.execution, attempt, handle, now };
            Ok(changes.take(rule::renew(held)?))
        }));
    }
    tx.store(changes).await?;
    tx.commit().await?;
    Ok(answers)
}

/// See [`ff_core::engine_backend::EngineBackend::progress`].
pub(crate) async fn progress(
    backend: &PostgresBackend,
    handle: &Handle,
    progress: Value,
) -> Answer<()> {
    input::check_progress(&progress, &backend.config.limits())?;
    decide(backend, handle, |held| rule::progress(held, progress.clone())).await
}

/// See [`ff_core::engine_backend::EngineBackend::delay`].
pub(crate) async fn delay(
    backend: &PostgresBackend,
    handle: &Handle,
    until: TimestampMs,
) -> Answer<()> {
    decide(backend, handle, |held| rule::delay(held, until)).await
}

/// Load, ask the rule, store.
async fn decide(
    backend: &PostgresBackend,
    handle: &Handle,
    rule: impl Fn(Held<'_>) -> Answer<Decision<()>>,
) -> Answer<()> {
    handle.check_backend(LABEL)?;
    repeat(async |_| {
        let mut tx = Tx::begin(backend).await?;
        let loaded = tx.load(&[Key::of_handle(handle)]).await?.pop();
        let loaded = loaded.unwrap_or_else(|| Err(EngineError::execution_not_found()))?;
        let attempt = loaded.attempt.as_ref();
        let now = tx.now().await?;
        let held = Held { execution: &loaded.execution, attempt, handle, now };
        let mut changes = Changes::default();
        changes.take(rule(held)?);
        tx.store(changes).await?;
        tx.commit().await
    })
    .await
}
