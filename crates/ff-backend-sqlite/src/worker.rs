//! The registry of worker processes.

use ff_core::contracts::{
    HeartbeatWorkerArgs, HeartbeatWorkerOutcome, ListWorkersArgs, ListWorkersResult,
    MarkWorkerDeadArgs, MarkWorkerDeadOutcome, RegisterWorkerArgs, RegisterWorkerOutcome,
    ScanReport, WorkerInfo,
};
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::rules::worker::{
    self as rule, StoredWorker, WorkerChange, WorkerDecision, WorkerEvent,
};
use ff_core::types::{Namespace, TimestampMs, WorkerInstanceId};
use ff_sql::document::to_parameter;
use ff_sql::worker_row::WorkerRow;
use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};

use crate::error::from_sqlx;
use crate::tx::Tx;
use crate::{SqliteBackend, rows};

const LOAD: &str = include_str!("../sql/worker/load.sql");
const PUT: &str = include_str!("../sql/worker/put.sql");
const REMOVE: &str = include_str!("../sql/worker/remove.sql");
const APPEND_EVENT: &str = include_str!("../sql/worker/append_event.sql");
const LIST: &str = include_str!("../sql/worker/list.sql");
const FIND_LAPSED: &str = include_str!("../sql/worker/find_lapsed.sql");

type Answer<T> = Result<T, EngineError>;

/// Which process.
#[derive(Clone, Serialize)]
struct Key {
    namespace: Namespace,
    worker_instance_id: WorkerInstanceId,
}

/// An event of a process.
#[derive(Serialize)]
struct EventDocument<'a> {
    #[serde(flatten)]
    key: &'a Key,
    event_type: &'static str,
    reason: Option<&'a str>,
    occurred_at_ms: TimestampMs,
}

/// See [`ff_core::engine_backend::EngineBackend::register_worker`].
pub(crate) async fn register(
    backend: &SqliteBackend,
    args: RegisterWorkerArgs,
) -> Answer<RegisterWorkerOutcome> {
    input::check_register(&args)?;
    let key = Key::new(&args.namespace, &args.worker_instance_id);
    decide(backend, key, move |stored| rule::register(stored, &args)).await
}

/// See [`ff_core::engine_backend::EngineBackend::heartbeat_worker`].
pub(crate) async fn heartbeat(
    backend: &SqliteBackend,
    args: HeartbeatWorkerArgs,
) -> Answer<HeartbeatWorkerOutcome> {
    input::check_heartbeat(&args)?;
    let key = Key::new(&args.namespace, &args.worker_instance_id);
    decide(backend, key, move |stored| Ok(rule::heartbeat(stored, &args))).await
}

/// See [`ff_core::engine_backend::EngineBackend::mark_worker_dead`].
pub(crate) async fn mark_dead(
    backend: &SqliteBackend,
    args: MarkWorkerDeadArgs,
) -> Answer<MarkWorkerDeadOutcome> {
    input::check_mark_dead(&args)?;
    let key = Key::new(&args.namespace, &args.worker_instance_id);
    decide(backend, key, move |stored| Ok(rule::mark_dead(stored, &args))).await
}

/// Load, ask the rule, store.
async fn decide<T: Send + 'static>(
    backend: &SqliteBackend,
    key: Key,
    rule: impl FnOnce(Option<&StoredWorker>) -> Answer<WorkerDecision<T>> + Send + 'static,
) -> Answer<T> {
    let decide = async move |tx: &mut Tx<'_>| {
        let stored = load(tx, &key).await?;
        let WorkerDecision { change, event, outcome } = rule(stored.as_ref())?;
        match change {
            WorkerChange::Keep => {}
            WorkerChange::Put(info) => put(tx, &info).await?,
            WorkerChange::Remove => remove(tx, &[&key]).await?,
        }
        if let Some(event) = event {
            append(tx, &[EventDocument::new(&key, &event)]).await?;
        }
        Ok(outcome)
    };
    backend.writer.run(decide).await
}

async fn load(tx: &mut Tx<'_>, key: &Key) -> Answer<Option<StoredWorker>> {
    let found = sqlx::query(LOAD)
        .bind(key.namespace.as_str())
        .bind(key.worker_instance_id.as_str())
        .fetch_optional(tx.conn())
        .await
        .map_err(from_sqlx)?;
    let stored = found.map(|row| {
        let recorded_at_ms = rows::get(&row, "heartbeat_recorded_at_ms")?;
        rows::worker(&row)?.into_stored(recorded_at_ms)
    });
    stored.transpose()
}

async fn put(tx: &mut Tx<'_>, info: &WorkerInfo) -> Answer<()> {
    sqlx::query(PUT)
        .bind(info.namespace.as_str())
        .bind(info.worker_instance_id.as_str())
        .bind(info.worker_id.as_str())
        .bind(to_parameter(&info.lanes)?)
        .bind(to_parameter(&info.capabilities)?)
        .bind(info.last_heartbeat_ms.0)
        .bind(i64::try_from(info.liveness_ttl_ms).unwrap_or(i64::MAX))
        .bind(info.registered_at_ms.0)
        .execute(tx.conn())
        .await
        .map_err(from_sqlx)?;
    Ok(())
}

async fn remove(tx: &mut Tx<'_>, keys: &[&Key]) -> Answer<()> {
    let query = sqlx::query(REMOVE).bind(to_parameter(&keys)?);
    query.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}

async fn append(tx: &mut Tx<'_>, events: &[EventDocument<'_>]) -> Answer<()> {
    let query = sqlx::query(APPEND_EVENT).bind(to_parameter(&events)?);
    query.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}

/// See [`ff_core::engine_backend::EngineBackend::list_workers`].
pub(crate) async fn list(
    backend: &SqliteBackend,
    args: ListWorkersArgs,
) -> Answer<ListWorkersResult> {
    let limit = input::check_list_workers(&args)?;
    let found = sqlx::query(LIST)
        .bind(args.namespace.as_ref().map(Namespace::as_str))
        .bind(args.after.as_ref().map(WorkerInstanceId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    let entries = found.iter().map(|row| rows::worker(row)?.into_info());
    let entries = entries.collect::<Answer<Vec<_>>>()?;
    let is_full = entries.len() >= limit as usize;
    let last = entries.last().filter(|_| is_full);
    let cursor = last.map(|last| last.worker_instance_id.clone());
    Ok(ListWorkersResult::new(entries, cursor))
}

/// Takes processes off the registry that have given no sign of life (TIME-5). Looks before it writes.
pub(crate) async fn sweep(backend: &SqliteBackend, limit: u32) -> Answer<ScanReport> {
    let now = backend.config.clock.now();
    let found = find_lapsed(None, now, 1).fetch_optional(&backend.readers).await;
    if found.map_err(from_sqlx)?.is_none() {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| sweep_in(tx, limit).await).await
}

async fn sweep_in(tx: &mut Tx<'_>, limit: u32) -> Answer<ScanReport> {
    let now = tx.now();
    let mut report = ScanReport::default();
    let mut after = None;
    loop {
        // As many again as were passed by: the looks stay few however many those are.
        let rest = limit.saturating_sub(report.processed);
        let look = rest.max(report.errors);
        let found = find_lapsed(after.as_ref(), now, look).fetch_all(tx.conn()).await;
        let found = found.map_err(from_sqlx)?;
        let mut gone = Vec::new();
        for row in &found {
            if gone.len() == rest as usize {
                break;
            }
            let key = Key::of_row(row)?;
            match rows::worker(row).and_then(WorkerRow::into_info) {
                Ok(info) => gone.extend(rule::sweep(&info, now).map(|event| (key.clone(), event))),
                Err(error) => {
                    tracing::error!(%error, "a sweep passes a corrupt worker by");
                    report.errors = report.errors.saturating_add(1);
                }
            }
            after = Some(key);
        }
        take_off(tx, &gone).await?;
        report.processed =
            report.processed.saturating_add(u32::try_from(gone.len()).unwrap_or(u32::MAX));
        if found.len() < look as usize || report.processed >= limit {
            return Ok(report);
        }
    }
}

fn find_lapsed(
    after: Option<&Key>,
    now: TimestampMs,
    limit: u32,
) -> Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(FIND_LAPSED)
        .bind(now.0)
        .bind(after.map_or("", |key| key.namespace.as_str()).to_owned())
        .bind(after.map_or("", |key| key.worker_instance_id.as_str()).to_owned())
        .bind(i64::from(limit))
}

async fn take_off(tx: &mut Tx<'_>, gone: &[(Key, WorkerEvent)]) -> Answer<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = gone.iter().map(|(key, _)| key).collect();
    remove(tx, &keys).await?;
    let events: Vec<_> = gone.iter().map(|(key, event)| EventDocument::new(key, event)).collect();
    append(tx, &events).await
}

impl Key {
    fn new(namespace: &Namespace, instance: &WorkerInstanceId) -> Self {
        Self { namespace: namespace.clone(), worker_instance_id: instance.clone() }
    }

    fn of_row(row: &SqliteRow) -> Answer<Self> {
        Ok(Self {
            namespace: Namespace(rows::get(row, "namespace")?),
            worker_instance_id: WorkerInstanceId(rows::get(row, "worker_instance_id")?),
        })
    }
}

impl<'a> EventDocument<'a> {
    fn new(key: &'a Key, event: &'a WorkerEvent) -> Self {
        Self {
            key,
            event_type: event.event_type.as_str(),
            reason: event.reason.as_deref(),
            occurred_at_ms: event.occurred_at,
        }
    }
}
