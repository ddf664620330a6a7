//! The backlog: cancelled flows, and those of their members whose workers have not let go.

use std::collections::BTreeSet;

use ff_core::contracts::ScanReport;
use ff_core::rules::flow::FlowCancellation;
use ff_core::types::{ExecutionId, FlowId, TimestampMs};
use ff_sql::document::to_parameter;
use ff_sql::members::CancelledMember;
use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use uuid::Uuid;

use super::{Answer, list_ids};
use crate::error::from_sqlx;
use crate::tx::Tx;
use crate::{SqliteBackend, rows};

const OPEN: &str = include_str!("../../sql/flow/open_backlog.sql");
const ADD: &str = include_str!("../../sql/flow/add_to_backlog.sql");
const LIST: &str = include_str!("../../sql/flow/list_backlog.sql");
const FIND: &str = include_str!("../../sql/flow/find_backlog.sql");
const ACK_MEMBER: &str = include_str!("../../sql/flow/ack_member.sql");
const CLOSE: &str = include_str!("../../sql/flow/close_backlog.sql");
const FIND_ABANDONED: &str = include_str!("../../sql/timer/find_abandoned.sql");

/// Members of backlogs, and the flows that may have no other. All ids are hexadecimal.
#[derive(Default)]
struct Members {
    members: Vec<Member>,
    flow_ids: BTreeSet<String>,
}

#[derive(Serialize)]
struct Member {
    flow_id: String,
    execution_id: String,
}

/// A member to be let go, and until when a worker may hold it.
#[derive(Serialize)]
struct Held {
    execution_id: Uuid,
    held_until_ms: TimestampMs,
}

/// See [`ff_core::engine_backend::EngineBackend::ack_cancel_member`].
pub(crate) async fn ack(
    backend: &SqliteBackend,
    flow_id: &FlowId,
    execution_id: &ExecutionId,
) -> Answer<()> {
    let mut members = Members::default();
    members.push(flow_id.to_string(), Some(execution_id.uuid().to_string()));
    backend.writer.run(async move |tx| remove(tx, &members).await).await
}

/// Records that these members are to be let go; nothing without any.
pub(super) async fn open(
    tx: &mut Tx<'_>,
    cancellation: &FlowCancellation,
    (flow_id, members): (FlowId, &[CancelledMember]),
) -> Answer<()> {
    if members.is_empty() {
        return Ok(());
    }
    let open = sqlx::query(OPEN).bind(flow_id.0).bind(cancellation.now.0);
    open.execute(tx.conn()).await.map_err(from_sqlx)?;
    let held: Vec<_> = members
        .iter()
        .map(|member| Held {
            execution_id: member.execution_id.uuid(),
            held_until_ms: member.hold.ends_at,
        })
        .collect();
    let add = sqlx::query(ADD).bind(flow_id.0).bind(to_parameter(&held)?);
    add.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}

/// The members that have not been let go.
pub(super) async fn list(tx: &mut Tx<'_>, flow_id: FlowId) -> Answer<Vec<ExecutionId>> {
    list_ids(tx, LIST, flow_id).await
}

/// Whether every member has been let go.
pub(super) async fn is_let_go(backend: &SqliteBackend, flow_id: FlowId) -> Answer<bool> {
    let found = sqlx::query(FIND).bind(flow_id.0).fetch_optional(&backend.readers).await;
    Ok(found.map_err(from_sqlx)?.is_none())
}

/// Acknowledges members for workers that are gone (TIME-6). Looks before it writes.
pub(crate) async fn drain(backend: &SqliteBackend, limit: u32) -> Answer<ScanReport> {
    let now = backend.config.clock.now();
    let found = find_abandoned(now, 1).fetch_optional(&backend.readers).await;
    if found.map_err(from_sqlx)?.is_none() {
        return Ok(ScanReport::default());
    }
    backend.writer.run(async move |tx| drain_in(tx, limit).await).await
}

async fn drain_in(tx: &mut Tx<'_>, limit: u32) -> Answer<ScanReport> {
    let found = find_abandoned(tx.now(), limit).fetch_all(tx.conn()).await.map_err(from_sqlx)?;
    let mut members = Members::default();
    for row in &found {
        members.push(rows::get(row, "flow_id")?, rows::get(row, "execution_id")?);
    }
    remove(tx, &members).await?;
    let processed = u32::try_from(found.len()).unwrap_or(limit);
    Ok(ScanReport { processed, errors: 0 })
}

fn find_abandoned(now: TimestampMs, limit: u32) -> Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(FIND_ABANDONED).bind(now.0).bind(i64::from(limit))
}

/// Removes members, and the flows that are left without any.
async fn remove(tx: &mut Tx<'_>, Members { members, flow_ids }: &Members) -> Answer<()> {
    let ack = sqlx::query(ACK_MEMBER).bind(to_parameter(members)?);
    ack.execute(tx.conn()).await.map_err(from_sqlx)?;
    let close = sqlx::query(CLOSE).bind(to_parameter(flow_ids)?);
    close.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}

impl Members {
    fn push(&mut self, flow_id: String, execution_id: Option<String>) {
        self.flow_ids.insert(flow_id.clone());
        let member = execution_id.map(|execution_id| Member { flow_id, execution_id });
        self.members.extend(member);
    }
}
