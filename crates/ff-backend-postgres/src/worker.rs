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
use ff_core::types::{LaneId, Namespace, WorkerInstanceId};
use sqlx::postgres::PgRow;

use crate::error::{from_sqlx, gone_meanwhile};
use crate::retry::{Tries, repeat};
use crate::tx::Tx;
use crate::{PostgresBackend, rows};

const LOCK: &str = include_str!("../sql/worker/lock.sql");
const LOAD: &str = include_str!("../sql/worker/load.sql");
const PUT: &str = include_str!("../sql/worker/put.sql");
const REMOVE: &str = include_str!("../sql/worker/remove.sql");
const APPEND_EVENT: &str = include_str!("../sql/worker/append_event.sql");
const LIST: &str = include_str!("../sql/worker/list.sql");
const FIND_LAPSED: &str = include_str!("../sql/worker/find_lapsed.sql");

type Answer<T> = Result<T, EngineError>;

/// Which worker process.
#[derive(Clone, Copy)]
struct Key<'a> {
    namespace: &'a Namespace,
    instance: &'a WorkerInstanceId,
}

/// See [`ff_core::engine_backend::EngineBackend::register_worker`].
pub(crate) async fn register(
    backend: &PostgresBackend,
    args: RegisterWorkerArgs,
) -> Answer<RegisterWorkerOutcome> {
    input::check_register(&args)?;
    let key = Key { namespace: &args.namespace, instance: &args.worker_instance_id };
    decide(backend, key, |stored| rule::register(stored, &args)).await
}

/// See [`ff_core::engine_backend::EngineBackend::heartbeat_worker`].
pub(crate) async fn heartbeat(
    backend: &PostgresBackend,
    args: HeartbeatWorkerArgs,
) -> Answer<HeartbeatWorkerOutcome> {
    input::check_heartbeat(&args)?;
    let key = Key { namespace: &args.namespace, instance: &args.worker_instance_id };
    decide(backend, key, |stored| Ok(rule::heartbeat(stored, &args))).await
}

/// See [`ff_core::engine_backend::EngineBackend::mark_worker_dead`].
pub(crate) async fn mark_dead(
    backend: &PostgresBackend,
    args: MarkWorkerDeadArgs,
) -> Answer<MarkWorkerDeadOutcome> {
    input::check_mark_dead(&args)?;
    let key = Key { namespace: &args.namespace, instance: &args.worker_instance_id };
    decide(backend, key, |stored| Ok(rule::mark_dead(stored, &args))).await
}

/// Loads an entry under its lock, asks the rule, and stores what it says.
async fn decide<T: Clone>(
    backend: &PostgresBackend,
    key: Key<'_>,
    rule: impl Fn(Option<&StoredWorker>) -> Answer<WorkerDecision<T>>,
) -> Answer<T> {
    let tries = Tries::default();
    repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = decide_in(&mut tx, key, &rule).await;
        tries.commit((tx, id), answer).await
    })
    .await
}

async fn decide_in<T>(
    tx: &mut Tx<'_>,
    key: Key<'_>,
    rule: impl Fn(Option<&StoredWorker>) -> Answer<WorkerDecision<T>>,
) -> Answer<T> {
    let stored = load(tx, key).await?;
    let WorkerDecision { change, event, outcome } = rule(stored.as_ref())?;
    match change {
        WorkerChange::Keep => {}
        WorkerChange::Put(info) => put(tx, &info, stored.is_some()).await?,
        WorkerChange::Remove => remove(tx, &[key]).await?,
    }
    if let Some(event) = event {
        append(tx, &[(key, event)]).await?;
    }
    Ok(outcome)
}

/// Loads an entry under its lock. Two statements: what the second reads of the events is as it is once the
/// first has its lock.
async fn load(tx: &mut Tx<'_>, key: Key<'_>) -> Answer<Option<StoredWorker>> {
    let lock = tx.query(LOCK).bind(key.namespace.as_str()).bind(key.instance.as_str());
    if lock.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?.is_none() {
        return Ok(None);
    }
    let load = tx.query(LOAD).bind(key.namespace.as_str()).bind(key.instance.as_str());
    let found = load.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
    let read = |row| rows::worker(&row)?.into_stored(rows::get(&row, "heartbeat_recorded_at_ms")?);
    found.map(read).transpose()
}

/// Inserts an entry, or overwrites one that is locked. Where another call has inserted one meanwhile, the
/// operation begins again.
async fn put(tx: &mut Tx<'_>, info: &WorkerInfo, overwrites: bool) -> Answer<()> {
    let put = tx
        .query(PUT)
        .bind(info.namespace.as_str())
        .bind(info.worker_instance_id.as_str())
        .bind(info.worker_id.as_str())
        .bind(info.lanes.iter().map(LaneId::as_str).collect::<Vec<_>>())
        .bind(info.capabilities.iter().map(String::as_str).collect::<Vec<_>>())
        .bind(info.last_heartbeat_ms.0)
        .bind(i64::try_from(info.liveness_ttl_ms).unwrap_or(i64::MAX))
        .bind(info.registered_at_ms.0)
        .bind(overwrites);
    let put = put.execute(tx.conn()?).await.map_err(from_sqlx)?;
    if put.rows_affected() == 0 { Err(gone_meanwhile()) } else { Ok(()) }
}

async fn remove(tx: &mut Tx<'_>, keys: &[Key<'_>]) -> Answer<()> {
    let remove = tx
        .query(REMOVE)
        .bind(keys.iter().map(|key| key.namespace.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.instance.as_str()).collect::<Vec<_>>());
    remove.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}

async fn append(tx: &mut Tx<'_>, events: &[(Key<'_>, WorkerEvent)]) -> Answer<()> {
    let reasons = events.iter().map(|(_, event)| event.reason.as_deref());
    let append = tx
        .query(APPEND_EVENT)
        .bind(events.iter().map(|(key, _)| key.namespace.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(key, _)| key.instance.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(reasons.collect::<Vec<_>>())
        .bind(events.iter().map(|(_, event)| event.occurred_at.0).collect::<Vec<_>>());
    append.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}

/// See [`ff_core::engine_backend::EngineBackend::list_workers`].
pub(crate) async fn list(
    backend: &PostgresBackend,
    args: ListWorkersArgs,
) -> Answer<ListWorkersResult> {
    let limit = input::check_list_workers(&args)?;
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST)
            .bind(args.namespace.as_ref().map(|namespace| namespace.as_str()))
            .bind(args.after.as_ref().map(|after| after.as_str()))
            .bind(i64::from(limit));
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    let entries: Answer<Vec<_>> = found.iter().map(read).collect();
    let entries = entries?;
    let is_full = entries.len() >= limit as usize;
    let cursor = entries.last().filter(|_| is_full).map(|last| last.worker_instance_id.clone());
    Ok(ListWorkersResult::new(entries, cursor))
}

/// Takes processes off the registry that have given no sign of life for longer than their time to live
/// (TIME-5).
pub(crate) async fn sweep(backend: &PostgresBackend, limit: u32) -> Answer<ScanReport> {
    let is_idle = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let found = find_lapsed(&mut tx, None, 1).await?;
        tx.commit().await?;
        Ok(found.is_empty())
    });
    if is_idle.await? {
        return Ok(ScanReport::default());
    }
    repeat(backend, async |_| {
        let mut tx = Tx::begin(backend).await?;
        let report = sweep_in(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(report)
    })
    .await
}

async fn sweep_in(tx: &mut Tx<'_>, limit: u32) -> Answer<ScanReport> {
    let now = tx.now().await?;
    let mut report = ScanReport::default();
    let mut after = None;
    loop {
        // As many again as were passed by: the looks stay few however many those are.
        let rest = limit.saturating_sub(report.processed);
        let look = rest.max(report.errors);
        let found = find_lapsed(tx, after.as_ref(), look).await?;
        let mut gone = Vec::new();
        for row in &found {
            if gone.len() == rest as usize {
                break;
            }
            match read(row) {
                Ok(info) => gone.extend(rule::sweep(&info, now).map(|event| (info, event))),
                Err(error) => {
                    tracing::error!(%error, "a sweep passes a corrupt worker by");
                    report.errors = report.errors.saturating_add(1);
                }
            }
            after = Some((rows::get(row, "namespace")?, rows::get(row, "worker_instance_id")?));
        }
        take_off(tx, &gone).await?;
        report.processed =
            report.processed.saturating_add(u32::try_from(gone.len()).unwrap_or(u32::MAX));
        if found.len() < look as usize || report.processed >= limit {
            return Ok(report);
        }
    }
}

/// Those that come after this namespace and instance.
async fn find_lapsed(
    tx: &mut Tx<'_>,
    after: Option<&(String, String)>,
    limit: u32,
) -> Answer<Vec<PgRow>> {
    let now = tx.now().await?;
    let find = tx
        .query(FIND_LAPSED)
        .bind(now.0)
        .bind(after.map_or("", |(namespace, _)| namespace))
        .bind(after.map_or("", |(_, instance)| instance))
        .bind(i64::from(limit));
    find.fetch_all(tx.conn()?).await.map_err(from_sqlx)
}

async fn take_off(tx: &mut Tx<'_>, gone: &[(WorkerInfo, WorkerEvent)]) -> Answer<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let gone: Vec<_> = gone.iter().map(|(info, event)| (key(info), event.clone())).collect();
    let keys: Vec<_> = gone.iter().map(|(key, _)| *key).collect();
    remove(tx, &keys).await?;
    append(tx, &gone).await
}

fn key(info: &WorkerInfo) -> Key<'_> {
    Key { namespace: &info.namespace, instance: &info.worker_instance_id }
}

fn read(row: &PgRow) -> Answer<WorkerInfo> {
    rows::worker(row)?.into_info()
}
