use ff_core::backend::{FailOutcome, Handle};
use ff_core::contracts::{Completion, Failure};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::rules::input::{self, InputLimits};
use ff_core::rules::{execution as rule, lease::Held};
use ff_core::types::TimestampMs;
use ff_sql::changes::{Changes, Loaded};
use ff_sql::rounds::rounds;

use crate::columns;
use crate::error::{from_sqlx, unexpected};
use crate::retry::repeat;
use crate::tx::{Key, Tx};
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
    complete_batch(backend, vec![item]).await?.pop().unwrap_or_else(no_answer)
}

/// See [`ff_core::engine_backend::EngineBackend::complete_batch`].
pub(crate) async fn complete_batch(
    backend: &PostgresBackend,
    batch: Vec<Completion>,
) -> Answer<Vec<Answer<()>>> {
    let limits = backend.config.limits();
    let check = |item: &Completion| check_completion(item, &limits);
    let mut finished = Finished::new(&batch, check);
    for round in finished.rounds() {
        let items = finished.items(&round);
        let answers = repeat(async |_| complete_round(backend, &items).await).await?;
        finished.note(round, answers);
    }
    Ok(finished.into_answers())
}

/// See [`ff_core::engine_backend::EngineBackend::fail`].
pub(crate) async fn fail(backend: &PostgresBackend, item: Failure) -> Answer<FailOutcome> {
    fail_batch(backend, vec![item]).await?.pop().unwrap_or_else(no_answer)
}

/// See [`ff_core::engine_backend::EngineBackend::fail_batch`].
pub(crate) async fn fail_batch(
    backend: &PostgresBackend,
    batch: Vec<Failure>,
) -> Answer<Vec<Answer<FailOutcome>>> {
    let limits = backend.config.limits();
    let check = |item: &Failure| check_failure(item, &limits);
    let mut finished = Finished::new(&batch, check);
    for round in finished.rounds() {
        let items = finished.items(&round);
        let answers = repeat(async |_| fail_round(backend, &items).await).await?;
        finished.note(round, answers);
    }
    Ok(finished.into_answers())
}

/// What both batch forms have in common: a bad item has its own answer, and an execution that the
/// batch names twice is met twice, one after the other.
struct Finished<'b, I, T> {
    batch: &'b [I],
    answers: Vec<Option<Answer<T>>>,
}

impl<'b, I: HasHandle, T> Finished<'b, I, T> {
    fn new(batch: &'b [I], check: impl Fn(&I) -> Answer<()>) -> Self {
        Self { batch, answers: batch.iter().map(|item| check(item).err().map(Err)).collect() }
    }

    /// Places of the good items: those of one round name each execution once.
    fn rounds(&self) -> Vec<Vec<usize>> {
        let good: Vec<usize> =
            (0..self.batch.len()).filter(|place| self.answers[*place].is_none()).collect();
        let rounds = rounds(&good, |place| vec![self.batch[*place].handle().execution_id()]);
        rounds.into_iter().map(|round| round.into_iter().map(|at| good[at]).collect()).collect()
    }

    fn items(&self, round: &[usize]) -> Vec<&'b I> {
        round.iter().map(|place| &self.batch[*place]).collect()
    }

    fn note(&mut self, round: Vec<usize>, answers: Vec<Answer<T>>) {
        for (place, answer) in round.into_iter().zip(answers) {
            self.answers[place] = Some(answer);
        }
    }

    fn into_answers(self) -> Vec<Answer<T>> {
        self.answers.into_iter().map(|answer| answer.unwrap_or_else(no_answer)).collect()
    }
}

fn no_answer<T>() -> Answer<T> {
    Err(unexpected("no answer to a call by handle"))
}

trait HasHandle {
    fn handle(&self) -> &Handle;
}

impl HasHandle for Completion {
    fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl HasHandle for Failure {
    fn handle(&self) -> &Handle {
        &self.handle
    }
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
    let rows = complete.fetch_all(tx.conn()).await.map_err(from_sqlx)?;
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
        if hit { Ok(()) } else { missed.next().unwrap_or_else(no_answer) }
    });
    Ok(answers.collect())
}

/// What the hot statement did not match, asked of the rule.
async fn explain_misses(
    backend: &PostgresBackend,
    misses: &[&Completion],
    now: TimestampMs,
) -> Answer<Vec<Answer<()>>> {
    if misses.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = Tx::begin(backend).await?;
    let answers = decide(&mut tx, misses, now, |item, loaded, held| {
        rule::complete(held, loaded.result.as_deref(), item.result.clone())
    })
    .await?;
    tx.commit().await?;
    Ok(answers)
}

async fn fail_round(
    backend: &PostgresBackend,
    items: &[&Failure],
) -> Answer<Vec<Answer<FailOutcome>>> {
    let mut tx = Tx::begin(backend).await?;
    let now = tx.now().await?;
    let answers =
        decide(&mut tx, items, now, |item, _, held| rule::fail(held, &item.reason, item.class));
    let answers = answers.await?;
    tx.commit().await?;
    Ok(answers)
}

/// Load, ask the rule for each, store.
async fn decide<I: HasHandle, T>(
    tx: &mut Tx<'_>,
    items: &[&I],
    now: TimestampMs,
    rule: impl Fn(&I, &Loaded, Held<'_>) -> Answer<Decision<T>>,
) -> Answer<Vec<Answer<T>>> {
    let keys: Vec<_> = items.iter().map(|item| Key::of_handle(item.handle())).collect();
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
