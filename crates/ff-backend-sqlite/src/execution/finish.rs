use ff_core::backend::{FailOutcome, Handle};
use ff_core::contracts::{Completion, Failure};
use ff_core::decision::{Decision, Event};
use ff_core::engine_error::EngineError;
use ff_core::rules::input::{self, InputLimits};
use ff_core::rules::{execution as rule, lease::Held};
use ff_core::state::CompletionOutcome;
use ff_core::types::TimestampMs;
use ff_sql::changes::{Changes, Loaded};
use ff_sql::document::{EventDocuments, HandleDocument, KeyDocument, to_parameter};
use ff_sql::rounds::rounds;

use crate::error::{from_sqlx, unexpected};
use crate::tx::Tx;
use crate::{LABEL, SqliteBackend, rows};

const COMPLETE: &str = include_str!("../../sql/execution/complete.sql");
const SUCCEED_ATTEMPTS: &str = include_str!("../../sql/execution/succeed_attempts.sql");

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
    complete_batch(backend, vec![item]).await?.pop().unwrap_or_else(no_answer)
}

/// See [`ff_core::engine_backend::EngineBackend::complete_batch`].
pub(crate) async fn complete_batch(
    backend: &SqliteBackend,
    batch: Vec<Completion>,
) -> Answer<Vec<Answer<()>>> {
    let limits = backend.config.limits();
    let check = move |item: &Completion| check_completion(item, &limits);
    finish_batch(backend, batch, check, async |tx, items| complete_round(tx, &items).await).await
}

/// See [`ff_core::engine_backend::EngineBackend::fail`].
pub(crate) async fn fail(backend: &SqliteBackend, item: Failure) -> Answer<FailOutcome> {
    fail_batch(backend, vec![item]).await?.pop().unwrap_or_else(no_answer)
}

/// See [`ff_core::engine_backend::EngineBackend::fail_batch`].
pub(crate) async fn fail_batch(
    backend: &SqliteBackend,
    batch: Vec<Failure>,
) -> Answer<Vec<Answer<FailOutcome>>> {
    let limits = backend.config.limits();
    let check = move |item: &Failure| check_failure(item, &limits);
    finish_batch(backend, batch, check, async |tx, items| fail_round(tx, &items).await).await
}

/// What both batch forms have in common: a bad item has its own answer, and an execution that the
/// batch names twice is met twice, one after the other.
async fn finish_batch<I, T>(
    backend: &SqliteBackend,
    batch: Vec<I>,
    check: impl Fn(&I) -> Answer<()>,
    finish_round: impl AsyncFn(&mut Tx<'_>, Vec<&I>) -> Answer<Vec<Answer<T>>> + Send + 'static,
) -> Answer<Vec<Answer<T>>>
where
    I: HasHandle + Send + 'static,
    T: Send + 'static,
{
    let mut answers: Vec<Option<Answer<T>>> =
        batch.iter().map(|item| check(item).err().map(Err)).collect();
    let good: Vec<usize> =
        (0..batch.len()).filter(|position| answers[*position].is_none()).collect();
    if !good.is_empty() {
        let positions = good.clone();
        let finished = backend
            .writer
            .run(async move |tx| {
                let items: Vec<&I> = good.iter().map(|position| &batch[*position]).collect();
                let mut finished: Vec<Option<Answer<T>>> = items.iter().map(|_| None).collect();
                let rounds = rounds(&items, |item| vec![item.handle().execution_id().clone()]);
                let parts = rounds.into_iter().flat_map(|round| parts(round, &items));
                for round in parts {
                    let round_items = round.iter().map(|place| items[*place]).collect();
                    let round_answers = finish_round(tx, round_items).await?;
                    for (place, answer) in round.into_iter().zip(round_answers) {
                        finished[place] = Some(answer);
                    }
                }
                Ok(finished)
            })
            .await?;
        for (position, answer) in positions.into_iter().zip(finished) {
            answers[position] = answer;
        }
    }
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(no_answer)).collect())
}

/// Splits a round so that the results of a part fit into one parameter of a statement.
fn parts<I: HasHandle>(round: Vec<usize>, items: &[&I]) -> Vec<Vec<usize>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for place in round {
        let size = items[place].size();
        if bytes + size > PART_BYTES && !part.is_empty() {
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

trait HasHandle {
    fn handle(&self) -> &Handle;
    /// Bytes that come with it.
    fn size(&self) -> usize;
}

impl HasHandle for Completion {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn size(&self) -> usize {
        self.result.as_ref().map_or(0, Vec::len)
    }
}

impl HasHandle for Failure {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn size(&self) -> usize {
        self.reason.message.len() + self.reason.detail.as_ref().map_or(0, Vec::len)
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

async fn complete_round(tx: &mut Tx<'_>, items: &[&Completion]) -> Answer<Vec<Answer<()>>> {
    let now = tx.now();
    let documents: Vec<_> = items
        .iter()
        .map(|item| HandleDocument::new(&item.handle, now).with_result(item.result.as_deref()))
        .collect();
    let rows = sqlx::query(COMPLETE)
        .bind(to_parameter(&documents)?)
        .bind(now.0)
        .fetch_all(tx.conn())
        .await
        .map_err(from_sqlx)?;
    let completed = rows::by_key(&rows, |_| Ok(()))?;
    let (hits, misses): (Vec<&Completion>, Vec<&Completion>) =
        items.iter().partition(|item| completed.contains_key(item.handle.execution_id()));
    end_attempts(tx, &hits, now).await?;
    let mut missed = explain_misses(tx, &misses, now).await?.into_iter();
    let answers = items.iter().map(|item| {
        let hit = completed.contains_key(item.handle.execution_id());
        if hit { Ok(()) } else { missed.next().unwrap_or_else(no_answer) }
    });
    Ok(answers.collect())
}

async fn end_attempts(tx: &mut Tx<'_>, hits: &[&Completion], now: TimestampMs) -> Answer<()> {
    if hits.is_empty() {
        return Ok(());
    }
    let leases: Vec<_> = hits.iter().map(|item| KeyDocument::of_handle(&item.handle)).collect();
    sqlx::query(SUCCEED_ATTEMPTS)
        .bind(to_parameter(&leases)?)
        .bind(now.0)
        .execute(tx.conn())
        .await
        .map_err(from_sqlx)?;
    let mut events = EventDocuments::default();
    let success = [Event::completion(now, CompletionOutcome::Success)];
    for item in hits {
        events.extend(item.handle.execution_id(), &success);
    }
    tx.append(&events).await
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
