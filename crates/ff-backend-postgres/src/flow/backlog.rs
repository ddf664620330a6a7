//! The backlog: cancelled flows, and those of their members whose workers have not let go. A flow's row is
//! locked before its members' are removed, so that of two last ones one removes the flow's.

use ff_core::contracts::ScanReport;
use ff_core::rules::flow::FlowCancellation;
use ff_core::types::{ExecutionId, FlowId};
use ff_sql::members::CancelledMember;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Answer, partition};
use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{PostgresBackend, rows};

const OPEN: &str = include_str!("../../sql/flow/open_backlog.sql");
const ADD: &str = include_str!("../../sql/flow/add_to_backlog.sql");
const LIST: &str = include_str!("../../sql/flow/list_backlog.sql");
const FIND: &str = include_str!("../../sql/flow/find_backlog.sql");
const LOCK: &str = include_str!("../../sql/flow/lock_backlog.sql");
const ACK_MEMBER: &str = include_str!("../../sql/flow/ack_member.sql");
const CLOSE: &str = include_str!("../../sql/flow/close_backlog.sql");
const FIND_ABANDONED: &str = include_str!("../../sql/timer/find_abandoned.sql");

/// Members of backlogs, as columns: partitions, flows, executions.
#[derive(Default)]
struct Members(Vec<i64>, Vec<Uuid>, Vec<Uuid>);

/// See [`ff_core::engine_backend::EngineBackend::ack_cancel_member`].
pub(crate) async fn ack(
    backend: &PostgresBackend,
    flow_id: &FlowId,
    execution_id: &ExecutionId,
) -> Answer<()> {
    let partition = partition(backend, flow_id);
    let member = Members(vec![partition], vec![flow_id.0], vec![execution_id.uuid()]);
    repeat(backend, async |_| {
        let mut tx = Tx::begin(backend).await?;
        let lock = tx.query(LOCK).bind(partition).bind(flow_id.0);
        lock.execute(tx.conn()?).await.map_err(from_sqlx)?;
        remove(&mut tx, &member).await?;
        tx.commit().await
    })
    .await
}

/// Records that these members are to be let go; nothing without any.
pub(super) async fn open(
    tx: &mut Tx<'_>,
    cancellation: &FlowCancellation,
    (flow_id, members): (&FlowId, &[CancelledMember]),
) -> Answer<()> {
    if members.is_empty() {
        return Ok(());
    }
    let partition = partition(tx.backend(), flow_id);
    let open = tx.query(OPEN).bind(partition).bind(flow_id.0).bind(cancellation.now.0);
    open.execute(tx.conn()?).await.map_err(from_sqlx)?;
    let ids: Vec<Uuid> = members.iter().map(|member| member.execution_id.uuid()).collect();
    let held_until: Vec<i64> = members.iter().map(|member| member.hold.ends_at.0).collect();
    let add = tx.query(ADD).bind(partition).bind(flow_id.0).bind(ids).bind(held_until);
    add.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}

/// The members that have not been let go.
pub(super) async fn list(tx: &mut Tx<'_>, flow_id: &FlowId) -> Answer<Vec<ExecutionId>> {
    let list = tx.query(LIST).bind(partition(tx.backend(), flow_id)).bind(flow_id.0);
    rows::ids(&list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?)
}

/// Whether every member has been let go.
pub(super) async fn is_let_go(backend: &PostgresBackend, flow_id: &FlowId) -> Answer<bool> {
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let find = tx.query(FIND).bind(partition(backend, flow_id)).bind(flow_id.0);
        let found = find.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found.is_none())
    })
    .await
}

/// Acknowledges members for workers that are gone (TIME-6).
pub(crate) async fn drain(backend: &PostgresBackend, limit: u32) -> Answer<ScanReport> {
    let is_idle = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let found = find_abandoned(&mut tx, 1).await?;
        tx.commit().await?;
        Ok(found.is_empty())
    });
    if is_idle.await? {
        return Ok(ScanReport::default());
    }
    repeat(backend, async |_| {
        let mut tx = Tx::begin(backend).await?;
        let found = find_abandoned(&mut tx, limit).await?;
        let mut members = Members::default();
        for row in &found {
            members.0.push(i64::from(rows::get::<i16>(row, "partition_key")?));
            members.1.push(rows::get(row, "flow_id")?);
            // A backlog without members has none to remove.
            members.2.push(rows::get::<Option<Uuid>>(row, "execution_id")?.unwrap_or_default());
        }
        remove(&mut tx, &members).await?;
        tx.commit().await?;
        let processed = u32::try_from(found.len()).unwrap_or(limit);
        Ok(ScanReport { processed, errors: 0 })
    })
    .await
}

async fn find_abandoned(tx: &mut Tx<'_>, limit: u32) -> Answer<Vec<PgRow>> {
    let now = tx.now().await?;
    let find = tx.query(FIND_ABANDONED).bind(now.0).bind(i64::from(limit));
    find.fetch_all(tx.conn()?).await.map_err(from_sqlx)
}

/// Removes members of backlogs that are locked, and the flows that are left without any.
async fn remove(tx: &mut Tx<'_>, Members(partitions, flows, members): &Members) -> Answer<()> {
    let ack =
        tx.query(ACK_MEMBER).bind(partitions.clone()).bind(flows.clone()).bind(members.clone());
    ack.execute(tx.conn()?).await.map_err(from_sqlx)?;
    let close = tx.query(CLOSE).bind(partitions.clone()).bind(flows.clone());
    close.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}
