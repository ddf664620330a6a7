//! What time makes due.

use std::time::Duration;

use ff_core::contracts::{ReconcileTask, ScanReport};
use ff_core::decision::Decision;
use ff_core::engine_error::EngineError;
use ff_core::execution::Execution;
use ff_core::rules::{input, timer as rule};
use ff_core::types::{ExecutionId, TimestampMs};
use ff_sql::changes::Changes;
use ff_sql::scan::Scan;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::columns::{self, Statement};
use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::{Key, Tx};
use crate::{PostgresBackend, flow, rows, worker};

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
    backend: &PostgresBackend,
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
    repeat(backend, async |_| {
        let mut tx = Tx::begin(backend).await?;
        let report = sweep_in(&mut tx, sweep, limit).await?;
        tx.commit().await?;
        Ok(report)
    })
    .await
}

/// Looks before it begins a transaction, so that an idle supervisor sends one statement.
async fn is_idle(backend: &PostgresBackend, statement: &'static str) -> Result<bool, EngineError> {
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let now = tx.now().await?;
        let find = find(&tx, statement, now, (&[], 1));
        let found = find.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found.is_none())
    })
    .await
}

fn find(
    tx: &Tx<'_>,
    statement: &'static str,
    now: TimestampMs,
    (passed_by, limit): (&[Uuid], usize),
) -> Statement {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.query(statement).bind(now.0).bind(passed_by).bind(limit)
}

async fn sweep_in(tx: &mut Tx<'_>, sweep: Sweep, limit: u32) -> Result<ScanReport, EngineError> {
    let now = tx.now().await?;
    let mut scan = Scan::new(limit);
    while let look @ 1.. = scan.next_look() {
        let find = find(tx, sweep.find, now, (scan.passed_by(), look));
        let ids = rows::ids(&find.fetch_all(tx.conn()?).await.map_err(from_sqlx)?)?;
        let keys: Vec<_> = ids.iter().map(Key::new).collect();
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

async fn trim_retention(backend: &PostgresBackend, limit: u32) -> Result<ScanReport, EngineError> {
    if is_idle(backend, FIND_PAST_RETENTION).await? {
        return Ok(ScanReport::default());
    }
    repeat(backend, async |_| {
        let mut tx = Tx::begin(backend).await?;
        let report = trim_in(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(report)
    })
    .await
}

async fn trim_in(tx: &mut Tx<'_>, limit: u32) -> Result<ScanReport, EngineError> {
    let now = tx.now().await?;
    let mut scan = Scan::new(limit);
    while let look @ 1.. = scan.next_look() {
        let find = find(tx, FIND_PAST_RETENTION, now, (scan.passed_by(), look));
        let found = find.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        let ids = rows::ids(&found)?;
        let keys: Vec<_> = ids.iter().map(Key::new).collect();
        let mut trimmed = Vec::new();
        for (row, (id, loaded)) in found.iter().zip(ids.iter().zip(tx.load(&keys).await?)) {
            if scan.is_full() {
                break;
            }
            match loaded {
                Ok(loaded) if rule::is_past_retention(&loaded.execution, retention(row)?, now) => {
                    trimmed.push(id);
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

fn retention(row: &PgRow) -> Result<Duration, EngineError> {
    let millis: i64 = rows::get(row, "retention_ms")?;
    u64::try_from(millis)
        .map(Duration::from_millis)
        .map_err(|_| EngineError::corruption("ff_namespace", "retention_ms", "a namespace", millis))
}

async fn trim(tx: &mut Tx<'_>, trimmed: &[&ExecutionId]) -> Result<(), EngineError> {
    if trimmed.is_empty() {
        return Ok(());
    }
    let trim = columns::bind_ids(tx.query(TRIM), trimmed);
    trim.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}
