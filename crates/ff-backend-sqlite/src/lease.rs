//! Renewing and giving back leases.

use ff_core::backend::{Handle, LeaseRenewal};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::rules::lease::{self as rule, Held};
use ff_core::types::TimestampMs;
use ff_sql::changes::Changes;
use ff_sql::document::{HandleDocument, KeyDocument, to_parameter};
use serde_json::Value;

use crate::error::{from_sqlx, unexpected};
use crate::tx::Tx;
use crate::{LABEL, SqliteBackend, rows};

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
        answers.push(loaded.and_then(|loaded| {
            let attempt = loaded.attempt.as_ref();
            let held = Held { execution: &loaded.execution, attempt, handle, now };
            Ok(changes.take(rule::renew(held)?))
        }));
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
    backend
        .writer
        .run(async move |tx| {
            let loaded = tx.load(&[KeyDocument::of_handle(&handle)]).await?.pop();
            let loaded = loaded.unwrap_or_else(|| Err(EngineError::execution_not_found()))?;
            let attempt = loaded.attempt.as_ref();
            let now = tx.now();
            let held = Held { execution: &loaded.execution, attempt, handle: &handle, now };
            let mut changes = Changes::default();
            changes.take(rule(held)?);
            tx.store(changes).await
        })
        .await
}
