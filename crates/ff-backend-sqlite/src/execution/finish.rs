use ff_core::backend::{FailOutcome, Handle};
use ff_core::contracts::{Completion, Failure};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::input::{self, InputLimits};
use ff_core::rules::{execution as rule, lease::Held};
use ff_core::types::TimestampMs;
use ff_sql::by_handle::HasHandle;
use ff_sql::changes::{Changes, Loaded};
use ff_sql::document::KeyDocument;
use ff_sql::rounds::rounds;
use sqlx::AssertSqlSafe;

use crate::error::{from_sqlx, unexpected};
use crate::tx::Tx;
use crate::values::{ROWS_MAX, for_rows, padded};
use crate::{LABEL, SqliteBackend, rows};

const COMPLETE: &str = include_str!("../../sql/execution/complete.sql");
const FIND_HELD: &str = include_str!("../../sql/execution/find_held.sql");

/// Bytes of results that one statement takes; SQLite's limit on a parameter is far above.
const PART_BYTES: usize = 16 << 20;

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::complete`].
pub(crate) async fn complete(
    backend: &SqliteBackend,
    handle: &Handle,
    result: Option<Vec<u8>>,
) -> Answer<()> {
    let item = Completion { handle: handle.clone(), result };
    check_completion(&item, &backend.config.limits())?;
    let bytes = item.bytes();
    backend.batchers.complete.call(item, bytes).await
}

/// See [`ff_core::engine_backend::EngineBackend::complete_batch`].
pub(crate) async fn complete_batch(
    backend: &SqliteBackend,
    batch: Vec<Completion>,
) -> Answer<Vec<Answer<()>>> {
    let limits = backend.config.limits();
    let check = move |item: &Completion| check_completion(item, &limits);
    finish_batch(backend, batch, check, complete_in).await
}

/// Completes what the rules of input accept.
pub(super) async fn complete_in(tx: &mut Tx<'_>, batch: &[Completion]) -> Answer<Vec<Answer<()>>> {
    finish_in(tx, batch, async |tx, items| complete_round(tx, items).await).await
}

/// See [`ff_core::engine_backend::EngineBackend::fail`].
pub(crate) async fn fail(backend: &SqliteBackend, item: Failure) -> Answer<FailOutcome> {
    check_failure(&item, &backend.config.limits())?;
    let bytes = item.bytes();
    backend.batchers.fail.call(item, bytes).await
}

/// See [`ff_core::engine_backend::EngineBackend::fail_batch`].
pub(crate) async fn fail_batch(
    backend: &SqliteBackend,
    batch: Vec<Failure>,
) -> Answer<Vec<Answer<FailOutcome>>> {
    let limits = backend.config.limits();
    let check = move |item: &Failure| check_failure(item, &limits);
    finish_batch(backend, batch, check, fail_in).await
}

/// Fails what the rules of input accept.
pub(super) async fn fail_in(
    tx: &mut Tx<'_>,
    batch: &[Failure],
) -> Answer<Vec<Answer<FailOutcome>>> {
    finish_in(tx, batch, async |tx, items| fail_round(tx, items).await).await
}

/// What both batch forms have in common: a bad item has its own answer.
async fn finish_batch<I, T>(
    backend: &SqliteBackend,
    batch: Vec<I>,
    check: impl Fn(&I) -> Answer<()>,
    finish: impl AsyncFnOnce(&mut Tx<'_>, &[I]) -> Answer<Vec<Answer<T>>> + Send + 'static,
) -> Answer<Vec<Answer<T>>>
where
    I: Send + 'static,
    T: Send + 'static,
{
    let mut good = Vec::with_capacity(batch.len());
    let refused: Vec<Option<EngineError>> =
        batch.into_iter().map(|item| check(&item).map(|()| good.push(item)).err()).collect();
    let mut finished = Vec::new();
    if !good.is_empty() {
        finished = backend.writer.run(async move |tx| finish(tx, &good).await).await?;
    }
    let mut finished = finished.into_iter();
    let answers = refused.into_iter().map(|refused| match refused {
        Some(error) => Err(error),
        None => finished.next().unwrap_or_else(no_answer),
    });
    Ok(answers.collect())
}

/// Finishes items, of which those that name the same execution are met one after the other.
async fn finish_in<I: HasHandle, T>(
    tx: &mut Tx<'_>,
    batch: &[I],
    finish_round: impl AsyncFn(&mut Tx<'_>, &[&I]) -> Answer<Vec<Answer<T>>>,
) -> Answer<Vec<Answer<T>>> {
    let mut finished: Vec<Option<Answer<T>>> = batch.iter().map(|_| None).collect();
    let rounds = rounds(batch, |item| vec![item.handle().execution_id().clone()]);
    for part in rounds.into_iter().flat_map(|round| parts(round, batch)) {
        let items: Vec<&I> = part.iter().map(|place| &batch[*place]).collect();
        let answers = finish_round(tx, &items).await?;
        for (place, answer) in part.into_iter().zip(answers) {
            finished[place] = Some(answer);
        }
    }
    Ok(finished.into_iter().map(|answer| answer.unwrap_or_else(no_answer)).collect())
}

/// Splits a round so that a part and its results fit into one statement.
fn parts<I: HasHandle>(round: Vec<usize>, items: &[I]) -> Vec<Vec<usize>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for place in round {
        let size = items[place].bytes();
        if part.len() == ROWS_MAX || (bytes + size > PART_BYTES && !part.is_empty()) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += size;
        part.push(place);
    }
    parts.push(part);
    parts
}

fn no_answer<T>() -> Answer<T> {
    Err(unexpected("no answer to a call by handle"))
}

fn check_completion(item: &Completion, limits: &InputLimits) -> Answer<()> {
    item.handle.check_backend(LABEL)?;
    input::check_result(item.result.as_deref(), limits)
}

fn check_failure(item: &Failure, limits: &InputLimits) -> Answer<()> {
    item.handle.check_backend(LABEL)?;
    input::check_reason(&item.reason, limits)
}

async fn complete_round(tx: &mut Tx<'_>, items: &[&Completion]) -> Answer<Vec<Answer<()>>> {
    let now = tx.now();
    let rows = find_held(tx, items, now).await?;
    let held: Vec<(i64, &Completion)> =
        rows.iter().zip(items).filter_map(|(row, item)| Some(((*row)?, *item))).collect();
    complete_held(tx, &held, now).await?;
    let misses: Vec<&Completion> =
        rows.iter().zip(items).filter(|(row, _)| row.is_none()).map(|(_, item)| *item).collect();
    let mut missed = explain_misses(tx, &misses, now).await?.into_iter();
    let answers = rows.iter().map(|row| match row {
        Some(_) => Ok(()),
        None => missed.next().unwrap_or_else(no_answer),
    });
    Ok(answers.collect())
}

/// The row of each whose lease is held.
async fn find_held(
    tx: &mut Tx<'_>,
    items: &[&Completion],
    now: TimestampMs,
) -> Answer<Vec<Option<i64>>> {
    let mut find = sqlx::query(AssertSqlSafe(for_rows(FIND_HELD, items.len()))).bind(now.0);
    for (position, Completion { handle, .. }) in (0_i64..).zip(items) {
        find = find
            .bind(position)
            .bind(i64::from(handle.execution_id().partition()))
            .bind(handle.execution_id().uuid())
            .bind(i64::from(handle.attempt_index().0))
            .bind(i64::try_from(handle.lease_epoch().0).unwrap_or(i64::MAX))
            .bind(handle.worker_instance_id().as_str());
    }
    let mut found = vec![None; items.len()];
    for row in &find.fetch_all(tx.conn()).await.map_err(from_sqlx)? {
        if let Some(slot) = found.get_mut(rows::position(row)?) {
            *slot = Some(rows::get(row, "row_id")?);
        }
    }
    Ok(found)
}

/// Completes executions and their attempts, and tells of it.
async fn complete_held(
    tx: &mut Tx<'_>,
    held: &[(i64, &Completion)],
    now: TimestampMs,
) -> Answer<()> {
    if held.is_empty() {
        return Ok(());
    }
    let mut complete = sqlx::query(AssertSqlSafe(for_rows(COMPLETE, held.len()))).bind(now.0);
    for held in padded(held) {
        complete = complete
            .bind(held.map(|(row_id, _)| *row_id))
            .bind(held.and_then(|(_, item)| item.result.as_deref()));
    }
    for held in padded(held) {
        let handle = held.map(|(_, item)| &item.handle);
        complete = complete
            .bind(handle.map(|handle| i64::from(handle.execution_id().partition())))
            .bind(handle.map(|handle| handle.execution_id().uuid()))
            .bind(handle.map(|handle| i64::from(handle.attempt_index().0)))
            .bind(now.0);
    }
    complete = complete.bind(now.0).bind(tx.instance_tag_path());
    for (row_id, _) in held {
        complete = complete.bind(*row_id);
    }
    complete.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}

/// What the hot statement did not match, asked of the rule.
async fn explain_misses(
    tx: &mut Tx<'_>,
    misses: &[&Completion],
    now: TimestampMs,
) -> Answer<Vec<Answer<()>>> {
    decide(tx, misses, now, |item, loaded, held| {
        rule::complete(held, loaded.result.as_deref(), item.result.clone())
    })
    .await
}

async fn fail_round(tx: &mut Tx<'_>, items: &[&Failure]) -> Answer<Vec<Answer<FailOutcome>>> {
    let now = tx.now();
    decide(tx, items, now, |item, _, held| rule::fail(held, &item.reason, item.class)).await
}

/// Load, ask the rule for each, store.
async fn decide<I: HasHandle, T>(
    tx: &mut Tx<'_>,
    items: &[&I],
    now: TimestampMs,
    rule: impl Fn(&I, &Loaded, Held<'_>) -> Answer<Decision<T>>,
) -> Answer<Vec<Answer<T>>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = items.iter().map(|item| KeyDocument::of_handle(item.handle())).collect();
    let mut changes = Changes::default();
    let mut answers = Vec::with_capacity(items.len());
    for (item, loaded) in items.iter().zip(tx.load(&keys).await?) {
        answers.push(loaded.and_then(|loaded| {
            let held = Held {
                execution: &loaded.execution,
                attempt: loaded.attempt.as_ref(),
                handle: item.handle(),
                now,
            };
            Ok(changes.take(rule(item, &loaded, held)?))
        }));
    }
    tx.store(changes).await?;
    Ok(answers)
}
