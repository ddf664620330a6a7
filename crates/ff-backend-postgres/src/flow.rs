//! Flows and their members.

mod backlog;
mod cancel;

use ff_core::contracts::{
    AddExecutionToFlowArgs, AddExecutionToFlowResult, CreateFlowArgs, CreateFlowResult,
    FlowSnapshot, FlowsCursor, ListFlowsArgs, ListFlowsResult,
};
use ff_core::engine_error::EngineError;
use ff_core::execution::ExecutionSnapshot;
use ff_core::partition::flow_partition;
use ff_core::rules::{flow as rule, input};
use ff_core::types::{ExecutionId, FlowId};
use ff_sql::document::to_parameter;
use uuid::Uuid;

use crate::error::from_sqlx;
use crate::retry::{Tries, repeat};
use crate::tx::Tx;
use crate::{PostgresBackend, rows};

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
    backend: &PostgresBackend,
    args: CreateFlowArgs,
) -> Answer<CreateFlowResult> {
    input::check_create_flow(&args)?;
    let flow = rule::create(&args);
    let tries = Tries::default();
    repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = create_in(&mut tx, &flow).await;
        tries.commit((tx, id), answer).await
    })
    .await
}

async fn create_in(tx: &mut Tx<'_>, flow: &FlowSnapshot) -> Answer<CreateFlowResult> {
    let create = tx
        .query(CREATE)
        .bind(partition(tx.backend(), &flow.flow_id))
        .bind(flow.flow_id.0)
        .bind(flow.public_flow_state.as_str())
        .bind(flow.created_at.0)
        .bind(flow.namespace.as_str())
        .bind(flow.flow_kind.as_str())
        .bind(to_parameter(&flow.tags)?);
    let created = create.execute(tx.conn()?).await.map_err(from_sqlx)?;
    let flow_id = flow.flow_id;
    Ok(match created.rows_affected() {
        0 => CreateFlowResult::Duplicate { flow_id },
        _ => CreateFlowResult::Created { flow_id },
    })
}

/// See [`ff_core::engine_backend::EngineBackend::add_execution_to_flow`].
pub(crate) async fn add_member(
    backend: &PostgresBackend,
    args: AddExecutionToFlowArgs,
) -> Answer<AddExecutionToFlowResult> {
    let tries = Tries::default();
    repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = add_member_in(&mut tx, &args).await;
        tries.commit((tx, id), answer).await
    })
    .await
}

async fn add_member_in(
    tx: &mut Tx<'_>,
    args: &AddExecutionToFlowArgs,
) -> Answer<AddExecutionToFlowResult> {
    let flow = load(tx, &args.flow_id).await?;
    let member = tx.load_one(&args.execution_id).await?;
    let home = home(tx.backend(), &args.flow_id);
    let result = rule::add_member(&flow, &member.execution, Some(home))?;
    if let AddExecutionToFlowResult::Added { graph_revision } = result {
        let raise = tx
            .query(RAISE_REVISION)
            .bind(i64::from(home))
            .bind(args.flow_id.0)
            .bind(i64::try_from(graph_revision).unwrap_or(i64::MAX));
        raise.execute(tx.conn()?).await.map_err(from_sqlx)?;
        let add = tx
            .query(ADD_MEMBER)
            .bind(i64::from(args.execution_id.partition()))
            .bind(args.execution_id.uuid())
            .bind(args.flow_id.0);
        add.execute(tx.conn()?).await.map_err(from_sqlx)?;
    }
    Ok(result)
}

/// See [`ff_core::engine_backend::EngineBackend::describe_flow`].
pub(crate) async fn describe(
    backend: &PostgresBackend,
    flow_id: &FlowId,
) -> Answer<Option<FlowSnapshot>> {
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let describe = tx.query(DESCRIBE).bind(partition(backend, flow_id)).bind(flow_id.0);
        let found = describe.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    found.map(|row| rows::flow(&row)?.into_flow()).transpose()
}

/// See [`ff_core::engine_backend::EngineBackend::list_flows`].
pub(crate) async fn list(
    backend: &PostgresBackend,
    args: ListFlowsArgs,
) -> Answer<ListFlowsResult> {
    let limit = input::check_list_flows(&args)?;
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST)
            .bind(args.namespace.as_ref().map(|namespace| namespace.as_str()))
            .bind(args.public_flow_state.map(|state| state.as_str()))
            .bind(args.after.map_or(i64::MIN, |after| after.created_at.0))
            .bind(args.after.map_or(Uuid::nil(), |after| after.flow_id.0))
            .bind(i64::from(limit));
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    let flows: Answer<Vec<_>> =
        found.iter().map(|row| rows::flow(row).and_then(|row| row.into_flow())).collect();
    let flows = flows?;
    let is_full = flows.len() == limit as usize;
    let cursor = flows
        .last()
        .filter(|_| is_full)
        .map(|last| FlowsCursor { created_at: last.created_at, flow_id: last.flow_id });
    Ok(ListFlowsResult { flows, cursor })
}

/// See [`ff_core::engine_backend::EngineBackend::list_flow_members`].
pub(crate) async fn list_members(
    backend: &PostgresBackend,
    flow_id: &FlowId,
    after: Option<&ExecutionId>,
    limit: u32,
) -> Answer<Vec<ExecutionSnapshot>> {
    input::check_list_flow_members_limit(limit)?;
    let found = repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let list = tx
            .query(LIST_MEMBERS)
            .bind(flow_id.0)
            .bind(after.map_or(Uuid::nil(), ExecutionId::uuid))
            .bind(after.map_or(-1, |after| i64::from(after.partition())))
            .bind(i64::from(limit));
        let found = list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await?;
        Ok(found)
    })
    .await?;
    found.iter().map(|row| rows::execution(row).map(|(execution, _)| execution)).collect()
}

/// Loads a flow under its lock.
async fn load(tx: &mut Tx<'_>, flow_id: &FlowId) -> Answer<FlowSnapshot> {
    let load = tx.query(LOAD).bind(partition(tx.backend(), flow_id)).bind(flow_id.0);
    let found = load.fetch_optional(tx.conn()?).await.map_err(from_sqlx)?;
    let row = found.ok_or(EngineError::NotFound { entity: "flow" })?;
    rows::flow(&row)?.into_flow()
}

/// The partition that a flow lies in, and its members with it.
fn home(backend: &PostgresBackend, flow_id: &FlowId) -> u16 {
    flow_partition(flow_id, &backend.config.partitions).index
}

/// As [`home`], as a parameter.
fn partition(backend: &PostgresBackend, flow_id: &FlowId) -> i64 {
    i64::from(home(backend, flow_id))
}
