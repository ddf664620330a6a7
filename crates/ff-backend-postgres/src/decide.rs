//! Calls by handle: look, ask the rule, and store what it says if nothing has changed since the look. That
//! is two statements and no lock between them. What has changed is decided again under its lock.

use std::collections::HashSet;

use ff_core::backend::Handle;
use ff_core::decision::{Decision, Event, EventKind, Patch};
use ff_core::engine_error::EngineError;
use ff_core::execution::Attempt;
use ff_core::rules::claim::is_claimable;
use ff_core::rules::lease::Held;
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::by_handle::{HasHandle, no_answer};
use ff_sql::changes::{Changes, Loaded};
use sqlx::postgres::PgRow;

use crate::columns;
use crate::error::from_sqlx;
use crate::tx::{Key, Tx, bind_keys, read};
use crate::{LABEL, PostgresBackend, rows};

const FIND: &str = include_str!("../sql/execution/find.sql");
const SETTLE: &str = include_str!("../sql/execution/settle.sql");

type Answer<T> = Result<T, EngineError>;

/// What was looked at without a lock, and which versions of its rows.
struct Seen {
    loaded: Loaded,
    versions: Option<Versions>,
}

#[derive(Clone, Copy)]
struct Versions {
    execution: i64,
    attempt: i64,
}

/// What a decision stores in rows that are as they were seen.
pub(crate) struct Settlement {
    pub(crate) patch: Patch,
    pub(crate) attempt: Attempt,
    pub(crate) version: i64,
    pub(crate) attempt_version: i64,
    pub(crate) lease_event: Option<&'static str>,
    pub(crate) completion_event: Option<&'static str>,
}

/// What a look came to.
enum Look<T> {
    Answered(Answer<T>),
    Settled(T, Box<Settlement>),
    /// It can only be decided under its lock.
    Unclear,
}

/// Decides calls of which no two name one execution, at the time `now`, and answers them in their order.
pub(crate) async fn decide<I: HasHandle, T>(
    backend: &PostgresBackend,
    items: &[&I],
    now: Option<TimestampMs>,
    rule: impl Fn(&I, &Loaded, Held<'_>) -> Answer<Decision<T>>,
) -> Answer<Vec<Answer<T>>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = Tx::alone(backend).await?;
    let now = match now {
        Some(now) => now,
        None => tx.now().await?,
    };
    let mut answers: Vec<Option<Answer<T>>> = Vec::with_capacity(items.len());
    let mut outcomes = Vec::new();
    let mut settlements = Vec::new();
    for (place, (item, seen)) in items.iter().zip(look(&mut tx, items).await?).enumerate() {
        let asked = match seen {
            Ok(seen) => ask(seen, item.handle(), now, |loaded, held| rule(item, loaded, held)),
            Err(error) => Look::Answered(Err(error)),
        };
        answers.push(match asked {
            Look::Answered(answer) => Some(answer),
            Look::Unclear => None,
            Look::Settled(outcome, settlement) => {
                outcomes.push((place, outcome));
                settlements.push(*settlement);
                None
            }
        });
    }
    let settled = settle(&mut tx, &settlements, now).await?;
    tx.commit().await?;
    for (place, outcome) in outcomes {
        if settled.contains(items[place].handle().execution_id()) {
            answers[place] = Some(Ok(outcome));
        }
    }
    let open: Vec<&I> = items
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.is_none())
        .map(|(item, _)| *item)
        .collect();
    let mut decided = decide_locked(backend, &open, now, rule).await?.into_iter();
    let answers = answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| decided.next().unwrap_or_else(|| no_answer(LABEL))));
    Ok(answers.collect())
}

/// Looks at the executions and at the attempts that the handles name.
async fn look<I: HasHandle>(tx: &mut Tx<'_>, items: &[&I]) -> Answer<Vec<Answer<Seen>>> {
    let keys: Vec<_> = items.iter().map(|item| Key::of_handle(item.handle())).collect();
    let find = bind_keys(tx.query(FIND), &keys);
    let rows = find.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    let mut seen: Vec<_> = keys.iter().map(|_| Err(EngineError::execution_not_found())).collect();
    for row in &rows {
        if let Some(slot) = seen.get_mut(rows::position(row)?) {
            *slot = read_seen(row);
        }
    }
    Ok(seen)
}

fn read_seen(row: &PgRow) -> Answer<Seen> {
    let execution: i64 = rows::get(row, "version")?;
    let attempt: Option<i64> = rows::get(row, "a_version")?;
    let versions = attempt.map(|attempt| Versions { execution, attempt });
    Ok(Seen { loaded: read(row)?, versions })
}

fn ask<T>(
    seen: Seen,
    handle: &Handle,
    now: TimestampMs,
    rule: impl Fn(&Loaded, Held<'_>) -> Answer<Decision<T>>,
) -> Look<T> {
    let Seen { loaded, versions } = seen;
    let attempt = loaded.attempt.as_ref();
    let held = Held { execution: &loaded.execution, attempt, handle, now };
    let decision = match rule(&loaded, held) {
        Ok(decision) => decision,
        Err(error) => return Look::Answered(Err(error)),
    };
    let Decision { patch: Some(mut patch), events, outcome } = decision else {
        return Look::Answered(Ok(decision.outcome));
    };
    match (patch.attempt.take(), versions) {
        (Some(attempt), Some(versions)) => Look::Settled(
            outcome,
            Box::new(Settlement {
                patch,
                attempt,
                version: versions.execution,
                attempt_version: versions.attempt,
                lease_event: name_of(&events, |kind| match kind {
                    EventKind::Lease(event_type) => Some(event_type.as_str()),
                    _ => None,
                }),
                completion_event: name_of(&events, |kind| match kind {
                    EventKind::Completion(outcome) => Some(outcome.as_str()),
                    _ => None,
                }),
            }),
        ),
        _ => Look::Unclear,
    }
}

fn name_of(
    events: &[Event],
    name: impl Fn(&EventKind) -> Option<&'static str>,
) -> Option<&'static str> {
    events.iter().find_map(|event| name(&event.kind))
}

/// Stores what nothing has come between, and tells which executions those are of.
async fn settle(
    tx: &mut Tx<'_>,
    settlements: &[Settlement],
    now: TimestampMs,
) -> Answer<HashSet<ExecutionId>> {
    if settlements.is_empty() {
        return Ok(HashSet::new());
    }
    let settle = columns::bind_settlements(tx.query(SETTLE), settlements)?
        .bind(now.0)
        .bind(tx.instance_tag_key());
    let rows = settle.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    let settled: HashSet<_> = rows::by_key(&rows, |_| Ok(()))?.into_keys().collect();
    for Settlement { patch: Patch { execution, .. }, .. } in settlements {
        if settled.contains(&execution.execution_id) && is_claimable(execution, now) {
            tx.wake(&execution.lane_id);
        }
    }
    Ok(settled)
}

/// Load under locks, ask the rule for each, store.
async fn decide_locked<I: HasHandle, T>(
    backend: &PostgresBackend,
    items: &[&I],
    now: TimestampMs,
    rule: impl Fn(&I, &Loaded, Held<'_>) -> Answer<Decision<T>>,
) -> Answer<Vec<Answer<T>>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = Tx::begin(backend).await?;
    let keys: Vec<_> = items.iter().map(|item| Key::of_handle(item.handle())).collect();
    let mut changes = Changes::default();
    let mut answers = Vec::with_capacity(items.len());
    for (item, loaded) in items.iter().zip(tx.load(&keys).await?) {
        answers.push(loaded.and_then(|loaded| {
            let attempt = loaded.attempt.as_ref();
            let handle = item.handle();
            let held = Held { execution: &loaded.execution, attempt, handle, now };
            Ok(changes.take(rule(item, &loaded, held)?))
        }));
    }
    tx.store(changes).await?;
    tx.commit().await?;
    Ok(answers)
}
