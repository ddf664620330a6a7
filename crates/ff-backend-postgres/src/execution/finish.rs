use ff_core::backend::{FailOutcome, Handle};
use ff_core::contracts::{Completion, Failure};
use ff_core::engine_error::EngineError;
use ff_core::rules::execution as rule;
use ff_core::rules::input::{self, InputLimits};
use ff_core::types::TimestampMs;
use ff_sql::by_handle::{Answers, HasHandle, no_answer};

use crate::columns;
use crate::decide::decide;
use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{LABEL, PostgresBackend, rows};

const COMPLETE: &str = include_str!("../../sql/execution/complete.sql");

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::complete`].
pub(crate) async fn complete(
    backend: &PostgresBackend,
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
    backend: &PostgresBackend,
    batch: Vec<Completion>,
) -> Answer<Vec<Answer<()>>> {
    let limits = backend.config.limits();
    let check = |item: &Completion| check_completion(item, &limits);
    let mut answers = Answers::new(LABEL, &batch, check);
    for round in answers.rounds() {
        let items = answers.items(&round);
        let round_answers =
            repeat(backend, async |_| complete_round(backend, &items).await).await?;
        answers.note(round, round_answers);
    }
    Ok(answers.into_vec())
}

/// See [`ff_core::engine_backend::EngineBackend::fail`].
pub(crate) async fn fail(backend: &PostgresBackend, item: Failure) -> Answer<FailOutcome> {
    check_failure(&item, &backend.config.limits())?;
    let bytes = item.bytes();
    backend.batchers.fail.call(item, bytes).await
}

/// See [`ff_core::engine_backend::EngineBackend::fail_batch`].
pub(crate) async fn fail_batch(
    backend: &PostgresBackend,
    batch: Vec<Failure>,
) -> Answer<Vec<Answer<FailOutcome>>> {
    let limits = backend.config.limits();
    let check = |item: &Failure| check_failure(item, &limits);
    let mut answers = Answers::new(LABEL, &batch, check);
    for round in answers.rounds() {
        let items = answers.items(&round);
        let round_answers = repeat(backend, async |_| fail_round(backend, &items).await).await?;
        answers.note(round, round_answers);
    }
    Ok(answers.into_vec())
}

fn check_completion(item: &Completion, limits: &InputLimits) -> Answer<()> {
    item.handle.check_backend(LABEL)?;
    input::check_result(item.result.as_deref(), limits)
}

fn check_failure(item: &Failure, limits: &InputLimits) -> Answer<()> {
    item.handle.check_backend(LABEL)?;
    input::check_reason(&item.reason, limits)
}

async fn complete_round(
    backend: &PostgresBackend,
    items: &[&Completion],
) -> Answer<Vec<Answer<()>>> {
    let mut tx = Tx::alone(backend).await?;
    let now = tx.now().await?;
    let handles: Vec<&Handle> = items.iter().map(|item| &item.handle).collect();
    let results: Vec<_> = items.iter().map(|item| item.result.as_deref()).collect();
    let complete = columns::bind_leases(tx.query(COMPLETE), &handles)
        .bind(results)
        .bind(now.0)
        .bind(&backend.config.instance_tag_key);
    let rows = complete.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    tx.commit().await?;
    let completed = rows::by_key(&rows, |_| Ok(()))?;
    let misses: Vec<&Completion> = items
        .iter()
        .copied()
        .filter(|item| !completed.contains_key(item.handle.execution_id()))
        .collect();
    let mut missed = explain_misses(backend, &misses, now).await?.into_iter();
    let answers = items.iter().map(|item| {
        let hit = completed.contains_key(item.handle.execution_id());
        if hit { Ok(()) } else { missed.next().unwrap_or_else(|| no_answer(LABEL)) }
    });
    Ok(answers.collect())
}

/// What the hot statement did not match, asked of the rule.
async fn explain_misses(
    backend: &PostgresBackend,
    misses: &[&Completion],
    now: TimestampMs,
) -> Answer<Vec<Answer<()>>> {
    decide(backend, misses, Some(now), |item, loaded, held| {
        rule::complete(held, loaded.result.as_deref(), item.result.clone())
    })
    .await
}

async fn fail_round(
    backend: &PostgresBackend,
    items: &[&Failure],
) -> Answer<Vec<Answer<FailOutcome>>> {
    decide(backend, items, None, |item, _, held| rule::fail(held, &item.reason, item.class)).await
}
