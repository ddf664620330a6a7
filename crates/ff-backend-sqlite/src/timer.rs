//! What time makes due.

use std::time::Duration;

use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, timer as rule};
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::document::{KeyDocument, to_parameter};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use uuid::Uuid;

use crate::error::from_sqlx;
use crate::tx::{Changes, Tx};
use crate::{SqliteBackend, rows};

const FIND_EXPIRED_LEASES: &str = include_str!("../sql/timer/find_expired_leases.sql");
const FIND_DUE: &str = include_str!("../sql/timer/find_due.sql");
const FIND_TIMED_OUT: &str = include_str!("../sql/timer/find_timed_out.sql");
const FIND_PAST_DEADLINE: &str = include_str!("../sql/timer/find_past_deadline.sql");
const FIND_PAST_RETENTION: &str = include_str!("../sql/timer/find_past_retention.sql");
const TRIM: &str = include_str!("../sql/timer/trim.sql");

/// A task that moves executions on: what finds them, and what decides.
#[derive(Clone, Copy)]
struct Sweep {
    find: &'static str,
    rule: fn(&Execution, TimestampMs) -> Option<Decision<()>>,
}

/// See [`ff_core::engine_backend::EngineBackend::reconcile`].
pub(crate) async fn reconcile(
    backend: &SqliteBackend,
    task: ReconcileTask,
    limit: u32,
) -> Result<ScanReport, EngineError> {
    input::check_reconcile_limit(limit)?;
    let sweep = match task {
        ReconcileTask::ExpireLeases => {
            Sweep { find: FIND_EXPIRED_LEASES, rule: rule::expire_lease }
        }
        ReconcileTask::PromoteDue => Sweep { find: FIND_DUE, rule: rule::promote_due },
        ReconcileTask::TimeOutAttempts => {
            Sweep { find: FIND_TIMED_OUT, rule: rule::time_out_attempt }
        }
        ReconcileTask::ExpireDeadlines => {
            Sweep { find: FIND_PAST_DEADLINE, rule: rule::expire_deadline }
        }
        ReconcileTask::TrimRetention => return trim_retention(backend, limit).await,
        _ => return Err(EngineError::Unavailable { op: "this reconcile task" }),
    };
    let now = backend.config.clock.now();
    if is_idle(backend, sweep.find, now).await? {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| sweep_in(tx, sweep, now, limit).await).await
}

/// Looks before it writes, so that an idle supervisor takes no lock.
async fn is_idle(
    backend: &SqliteBackend,
    statement: &'static str,
    now: TimestampMs,
) -> Result<bool, EngineError> {
    let found = find(statement, now, &[], 1)?.fetch_optional(&backend.readers).await;
    Ok(found.map_err(from_sqlx)?.is_none())
}

fn find(
    statement: &'static str,
    now: TimestampMs,
    passed_by: &[Uuid],
    limit: u32,
) -> Result<Query<'static, Sqlite, SqliteArguments>, EngineError> {
    let passed_by = to_parameter(&passed_by)?;
    Ok(sqlx::query(statement).bind(now.0).bind(passed_by).bind(i64::from(limit)))
}

async fn sweep_in(
    tx: &mut Tx<'_>,
    sweep: Sweep,
    now: TimestampMs,
    limit: u32,
) -> Result<ScanReport, EngineError> {
    let mut report = ScanReport::default();
    let mut passed_by = Vec::new();
    while report.processed < limit && report.errors <= limit {
        let rest = limit - report.processed;
        let found = find(sweep.find, now, &passed_by, rest)?.fetch_all(tx.conn()).await;
        let ids = read_ids(&found.map_err(from_sqlx)?)?;
        if ids.is_empty() {
            break;
        }
        let keys: Vec<_> = ids.iter().map(KeyDocument::new).collect();
        let mut changes = Changes::default();
        for (id, loaded) in ids.iter().zip(tx.load(&keys).await?) {
            match loaded {
                Ok(loaded) => match (sweep.rule)(&loaded.execution, now) {
                    Some(decision) => {
                        changes.take(decision);
                        report.processed += 1;
                    }
                    None => passed_by.push(id.uuid()),
                },
                Err(error) => pass_by(&mut report, &mut passed_by, id, &error),
            }
        }
        tx.store(changes, now).await?;
    }
    Ok(report)
}

fn pass_by(
    report: &mut ScanReport,
    passed_by: &mut Vec<Uuid>,
    id: &ExecutionId,
    error: &EngineError,
) {
    tracing::error!(%error, "a sweep passes a corrupt execution by");
    report.errors += 1;
    passed_by.push(id.uuid());
}

fn read_ids(found: &[SqliteRow]) -> Result<Vec<ExecutionId>, EngineError> {
    found.iter().map(|row| rows::key(row)?.execution_id()).collect()
}

async fn trim_retention(backend: &SqliteBackend, limit: u32) -> Result<ScanReport, EngineError> {
    let now = backend.config.clock.now();
    if is_idle(backend, FIND_PAST_RETENTION, now).await? {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| trim_in(tx, now, limit).await).await
}

async fn trim_in(tx: &mut Tx<'_>, now: TimestampMs, limit: u32) -> Result<ScanReport, EngineError> {
    let mut report = ScanReport::default();
    let mut passed_by = Vec::new();
    while report.processed < limit && report.errors <= limit {
        let rest = limit - report.processed;
        let found = find(FIND_PAST_RETENTION, now, &passed_by, rest)?.fetch_all(tx.conn()).await;
        let found = found.map_err(from_sqlx)?;
        if found.is_empty() {
            break;
        }
        let ids = read_ids(&found)?;
        let keys: Vec<_> = ids.iter().map(KeyDocument::new).collect();
        let mut trimmed = Vec::new();
        for (row, (id, loaded)) in found.iter().zip(ids.iter().zip(tx.load(&keys).await?)) {
            let retention =
                Duration::from_millis(rows::get::<i64>(row, "retention_ms")?.unsigned_abs());
            match loaded {
                Ok(loaded) if rule::is_past_retention(&loaded.execution, retention, now) => {
                    trimmed.push(KeyDocument::new(id));
                    report.processed += 1;
                }
                Ok(_) => passed_by.push(id.uuid()),
                Err(error) => pass_by(&mut report, &mut passed_by, id, &error),
            }
        }
        sqlx::query(TRIM)
            .bind(to_parameter(&trimmed)?)
            .execute(tx.conn())
            .await
            .map_err(from_sqlx)?;
    }
    Ok(report)
}
