//! What time makes due.

use std::time::Duration;

use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, timer as rule};
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::changes::Changes;
use ff_sql::document::{KeyDocument, to_parameter};
use ff_sql::scan::Scan;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use uuid::Uuid;

use crate::error::from_sqlx;
use crate::tx::Tx;
use crate::{SqliteBackend, flow, rows, worker};

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
        ReconcileTask::SweepWorkers => return worker::sweep(backend, limit).await,
        ReconcileTask::DrainCancelBacklog => return flow::drain(backend, limit).await,
        ReconcileTask::TrimRetention => return trim_retention(backend, limit).await,
        _ => return Err(EngineError::Unavailable { op: "this reconcile task" }),
    };
    if is_idle(backend, sweep.find).await? {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| sweep_in(tx, sweep, limit).await).await
}

/// Looks before it writes, so that an idle supervisor takes no lock.
async fn is_idle(backend: &SqliteBackend, statement: &'static str) -> Result<bool, EngineError> {
    let now = backend.config.clock.now();
    let found = find(statement, now, &[], 1)?.fetch_optional(&backend.readers).await;
    Ok(found.map_err(from_sqlx)?.is_none())
}

fn find(
    statement: &'static str,
    now: TimestampMs,
    passed_by: &[Uuid],
    limit: usize,
) -> Result<Query<'static, Sqlite, SqliteArguments>, EngineError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(sqlx::query(statement).bind(now.0).bind(to_parameter(&passed_by)?).bind(limit))
}

async fn sweep_in(tx: &mut Tx<'_>, sweep: Sweep, limit: u32) -> Result<ScanReport, EngineError> {
    let now = tx.now();
    let mut scan = Scan::new(limit);
    while let look @ 1.. = scan.next_look() {
        let found = find(sweep.find, now, scan.passed_by(), look)?.fetch_all(tx.conn()).await;
        let ids = read_ids(&found.map_err(from_sqlx)?)?;
        let keys: Vec<_> = ids.iter().map(KeyDocument::new).collect();
        let mut changes = Changes::default();
        for (id, loaded) in ids.iter().zip(tx.load(&keys).await?) {
            if scan.is_full() {
                break;
            }
            match loaded.map(|loaded| (sweep.rule)(&loaded.execution, now)) {
                Ok(Some(decision)) => {
                    changes.take(decision);
                    scan.note_processed();
                }
                Ok(None) => scan.note_not_due(id),
                Err(error) => scan.note_corrupt(id, &error),
            }
        }
        tx.store(changes).await?;
        if ids.len() < look {
            break;
        }
    }
    Ok(scan.into_report())
}

fn read_ids(found: &[SqliteRow]) -> Result<Vec<ExecutionId>, EngineError> {
    found.iter().map(|row| rows::key(row)?.execution_id()).collect()
}

async fn trim_retention(backend: &SqliteBackend, limit: u32) -> Result<ScanReport, EngineError> {
    if is_idle(backend, FIND_PAST_RETENTION).await? {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| trim_in(tx, limit).await).await
}

async fn trim_in(tx: &mut Tx<'_>, limit: u32) -> Result<ScanReport, EngineError> {
    let now = tx.now();
    let mut scan = Scan::new(limit);
    while let look @ 1.. = scan.next_look() {
        let found = find(FIND_PAST_RETENTION, now, scan.passed_by(), look)?.fetch_all(tx.conn());
        let found = found.await.map_err(from_sqlx)?;
        let ids = read_ids(&found)?;
        let keys: Vec<_> = ids.iter().map(KeyDocument::new).collect();
        let mut trimmed = Vec::new();
        for (row, (id, loaded)) in found.iter().zip(ids.iter().zip(tx.load(&keys).await?)) {
            if scan.is_full() {
                break;
            }
            match loaded {
                Ok(loaded) if rule::is_past_retention(&loaded.execution, retention(row)?, now) => {
                    trimmed.push(KeyDocument::new(id));
                    scan.note_processed();
                }
                Ok(_) => scan.note_not_due(id),
                Err(error) => scan.note_corrupt(id, &error),
            }
        }
        trim(tx, &trimmed).await?;
        if found.len() < look {
            break;
        }
    }
    Ok(scan.into_report())
}

fn retention(row: &SqliteRow) -> Result<Duration, EngineError> {
    let millis: i64 = rows::get(row, "retention_ms")?;
    u64::try_from(millis)
        .map(Duration::from_millis)
        .map_err(|_| EngineError::corruption("ff_namespace", "retention_ms", "a namespace", millis))
}

async fn trim(tx: &mut Tx<'_>, trimmed: &[KeyDocument]) -> Result<(), EngineError> {
    if trimmed.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(TRIM).bind(to_parameter(&trimmed)?);
    query.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}
