//! Flows and their members.

mod backlog;
mod cancel;

use std::collections::BTreeMap;

use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CreateFlowArgs, CreateFlowResult,
    FlowSnapshot, FlowsCursor, ListFlowsArgs, ListFlowsResult,
};
use ff_core::engine_error::EngineError;
use ff_core::execution::ExecutionSnapshot;
use ff_core::rules::{flow as rule, input};
use ff_core::types::{ExecutionId, FlowId, Namespace};
use ff_sql::document::{KeyDocument, to_parameter};
use sqlx::sqlite::SqliteRow;

use crate::error::from_sqlx;
use crate::tx::Tx;
use crate::{SqliteBackend, rows};

pub(crate) use backlog::{ack, drain};
pub(crate) use cancel::{cancel, cancel_header};

const CREATE: &str = include_str!("../sql/flow/create.sql");
const LOAD: &str = include_str!("../sql/flow/load.sql");
const ADD_MEMBER: &str = include_str!("../sql/flow/add_member.sql");
const RAISE_REVISION: &str = include_str!("../sql/flow/raise_revision.sql");
const DESCRIBE: &str = include_str!("../sql/flow/describe.sql");
const LIST: &str = include_str!("../sql/flow/list.sql");
const LIST_MEMBERS: &str = include_str!("../sql/flow/list_members.sql");

type Answer<T> = Result<T, EngineError>;

/// See [`ff_core::engine_backend::EngineBackend::create_flow`].
pub(crate) async fn create(
    backend: &SqliteBackend,
    args: CreateFlowArgs,
) -> Answer<CreateFlowResult> {
    input::check_create_flow(&args)?;
    backend.writer.run(async move |tx| create_in(tx, &rule::create(&args)).await).await
}

async fn create_in(tx: &mut Tx<'_>, flow: &FlowSnapshot) -> Answer<CreateFlowResult> {
    let flow_id = flow.flow_id;
    let tags: BTreeMap<_, _> = flow.tags.iter().collect();
    let created = sqlx::query(CREATE)
        .bind(flow_id.0)
        .bind(&flow.flow_kind)
        .bind(flow.namespace.as_str())
        .bind(to_parameter(&tags)?)
        .bind(flow.public_flow_state.as_str())
        .bind(flow.created_at.0)
        .execute(tx.conn())
        .await
        .map_err(from_sqlx)?;
    Ok(match created.rows_affected() {
        0 => CreateFlowResult::Duplicate { flow_id },
        _ => CreateFlowResult::Created { flow_id },
    })
}

/// See [`ff_core::engine_backend::EngineBackend::add_execution_to_flow`].
pub(crate) async fn add_member(
    backend: &SqliteBackend,
    args: AddExecutionToFlowArgs,
) -> Answer<AddExecutionToFlowResult> {
    backend.writer.run(async move |tx| add_in(tx, &args).await).await
}

async fn add_in(
    tx: &mut Tx<'_>,
    args: &AddExecutionToFlowArgs,
) -> Answer<AddExecutionToFlowResult> {
    let flow = load(tx, args.flow_id).await?;
    let loaded = tx.load(&[KeyDocument::new(&args.execution_id)]).await?.pop();
    let loaded = loaded.unwrap_or_else(|| Err(EngineError::execution_not_found()))?;
    let added = rule::add_member(&flow, &loaded.execution, None)?;
    if let AddExecutionToFlowResult::Added { graph_revision } = added {
        sqlx::query(ADD_MEMBER)
            .bind(i64::from(args.execution_id.partition()))
            .bind(args.execution_id.uuid())
            .bind(args.flow_id.0)
            .execute(tx.conn())
            .await
            .map_err(from_sqlx)?;
        sqlx::query(RAISE_REVISION)
            .bind(args.flow_id.0)
            .bind(i64::try_from(graph_revision).unwrap_or(i64::MAX))
            .execute(tx.conn())
            .await
            .map_err(from_sqlx)?;
    }
    Ok(added)
}

async fn load(tx: &mut Tx<'_>, flow_id: FlowId) -> Answer<FlowSnapshot> {
    let found = sqlx::query(LOAD).bind(flow_id.0).fetch_optional(tx.conn()).await;
    let row = found.map_err(from_sqlx)?.ok_or(EngineError::NotFound { entity: "flow" })?;
    read(&row)
}

/// The executions that the statement finds of the flow, in the order of their ids.
async fn list_ids(
    tx: &mut Tx<'_>,
    statement: &'static str,
    flow_id: FlowId,
) -> Answer<Vec<ExecutionId>> {
    let found = sqlx::query(statement).bind(flow_id.0).fetch_all(tx.conn()).await;
    let found = found.map_err(from_sqlx)?;
    let mut ids =
        found.iter().map(|row| rows::key(row)?.execution_id()).collect::<Answer<Vec<_>>>()?;
    ids.sort();
    Ok(ids)
}

fn read(row: &SqliteRow) -> Answer<FlowSnapshot> {
    rows::flow(row)?.into_flow()
}

/// See [`ff_core::engine_backend::EngineBackend::describe_flow`].
pub(crate) async fn describe(
    backend: &SqliteBackend,
    flow_id: &FlowId,
) -> Answer<Option<FlowSnapshot>> {
    let found = sqlx::query(DESCRIBE).bind(flow_id.0).fetch_optional(&backend.readers).await;
    found.map_err(from_sqlx)?.as_ref().map(read).transpose()
}

/// See [`ff_core::engine_backend::EngineBackend::list_flows`].
pub(crate) async fn list(backend: &SqliteBackend, args: ListFlowsArgs) -> Answer<ListFlowsResult> {
    let limit = input::check_list_flows(&args)?;
    let found = sqlx::query(LIST)
        .bind(args.namespace.as_ref().map(Namespace::as_str))
        .bind(args.public_flow_state.map(|state| state.as_str()))
        .bind(args.after.map(|cursor| cursor.created_at.0))
        .bind(args.after.map(|cursor| cursor.flow_id.0))
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    let flows = found.iter().map(read).collect::<Answer<Vec<_>>>()?;
    let is_full = flows.len() == limit as usize;
    let cursor = flows
        .last()
        .filter(|_| is_full)
        .map(|last| FlowsCursor { created_at: last.created_at, flow_id: last.flow_id });
    Ok(ListFlowsResult { flows, cursor })
}

/// See [`ff_core::engine_backend::EngineBackend::list_flow_members`].
pub(crate) async fn list_members(
    backend: &SqliteBackend,
    flow_id: &FlowId,
    after: Option<&ExecutionId>,
    limit: u32,
) -> Answer<Vec<ExecutionSnapshot>> {
    input::check_list_flow_members_limit(limit)?;
    let found = sqlx::query(LIST_MEMBERS)
        .bind(flow_id.0)
        .bind(after.map(ExecutionId::uuid))
        .bind(after.map(|id| i64::from(id.partition())))
        .bind(i64::from(limit))
        .fetch_all(&backend.readers)
        .await
        .map_err(from_sqlx)?;
    found.iter().map(|row| rows::execution(row).map(|(execution, _)| execution)).collect()
}
