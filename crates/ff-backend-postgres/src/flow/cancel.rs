use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader, CancelFlowResult, FlowSnapshot};
use ff_core::decision::{Event, EventKind};
use ff_core::engine_error::EngineError;
use ff_core::rules::flow::FlowCancellation;
use ff_core::rules::{flow as rule, input};
use ff_core::types::{ExecutionId, FlowId};
use ff_sql::document::to_parameter;
use ff_sql::flow_row::raw_fields_patch;
use ff_sql::members::{CancelledMembers, wait_until_let_go};

use super::{Answer, backlog, load, partition};
use crate::error::from_sqlx;
use crate::retry::{Tries, repeat};
use crate::tx::{Key, Tx};
use crate::{PostgresBackend, rows};

const FIND_MEMBERS: &str = include_str!("../../sql/flow/find_members.sql");
const APPLY: &str = include_str!("../../sql/flow/apply.sql");
const LIST_CANCELLED: &str = include_str!("../../sql/flow/list_cancelled.sql");
const APPEND_EVENT: &str = include_str!("../../sql/event/append_flow_operator.sql");

/// Members that are loaded and stored at once, so that a flow of any size fits into memory.
const PART: usize = 10_000;

/// See [`ff_core::engine_backend::EngineBackend::cancel_flow`].
pub(crate) async fn cancel(
    backend: &PostgresBackend,
    flow_id: &FlowId,
    policy: CancelFlowPolicy,
    wait: CancelFlowWait,
) -> Answer<CancelFlowResult> {
    let tries = Tries::default();
    let result = repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = cancel_in(&mut tx, flow_id, policy, wait).await;
        tries.commit((tx, id), answer).await
    })
    .await?;
    wait_until_let_go(wait, || backlog::is_let_go(backend, flow_id)).await?;
    Ok(result)
}

async fn cancel_in(
    tx: &mut Tx<'_>,
    flow_id: &FlowId,
    policy: CancelFlowPolicy,
    wait: CancelFlowWait,
) -> Answer<CancelFlowResult> {
    let flow = load(tx, flow_id).await?;
    let cancellation = FlowCancellation::new(policy, tx.now().await?);
    let Some(cancelled) = rule::cancel(&flow, &cancellation) else {
        let policy = rule::repeated_cancel(&flow)?;
        let members = list_cancelled(tx, flow_id).await?;
        let texts = CancelledMembers::texts(&members);
        return Ok(rule::cancelled_result(policy, texts, Vec::new()));
    };
    let members = store(tx, &cancelled, &cancellation).await?;
    if wait != CancelFlowWait::NoWait {
        backlog::open(tx, &cancellation, (flow_id, &members.held())).await?;
    }
    let texts = members.cancelled_texts();
    Ok(rule::cancelled_result(policy.as_str().to_owned(), texts, members.unreadable))
}

/// See [`ff_core::engine_backend::EngineBackend::cancel_flow_header`].
pub(crate) async fn cancel_header(
    backend: &PostgresBackend,
    args: CancelFlowArgs,
) -> Answer<CancelFlowHeader> {
    input::check_cancel_flow(&args)?;
    let cancellation = FlowCancellation::by_name(&args)?;
    let tries = Tries::default();
    repeat(backend, async |_| {
        let (mut tx, id) = Tx::begin_named(backend).await?;
        let answer = cancel_header_in(&mut tx, &args.flow_id, &cancellation).await;
        tries.commit((tx, id), answer).await
    })
    .await
}

async fn cancel_header_in(
    tx: &mut Tx<'_>,
    flow_id: &FlowId,
    cancellation: &FlowCancellation,
) -> Answer<CancelFlowHeader> {
    let flow = load(tx, flow_id).await?;
    let Some(cancelled) = rule::cancel(&flow, cancellation) else {
        let members = backlog::list(tx, flow_id).await?;
        return Ok(rule::repeated_header(&flow, CancelledMembers::texts(&members)));
    };
    let members = store(tx, &cancelled, cancellation).await?;
    backlog::open(tx, cancellation, (flow_id, &members.cancelled)).await?;
    append(tx, flow_id, rule::cancel_requested(cancellation, members.cancelled.len())).await?;
    Ok(CancelFlowHeader::Cancelled {
        cancellation_policy: cancellation.policy.as_str().to_owned(),
        member_execution_ids: members.cancelled_texts(),
    })
}

/// Stores the flow as it is cancelled, and its members. They are found when the flow is locked, so that none
/// is added meanwhile.
async fn store(
    tx: &mut Tx<'_>,
    flow: &FlowSnapshot,
    cancellation: &FlowCancellation,
) -> Answer<CancelledMembers> {
    let apply = tx
        .query(APPLY)
        .bind(partition(tx.backend(), &flow.flow_id))
        .bind(flow.flow_id.0)
        .bind(flow.public_flow_state.as_str())
        .bind(flow.terminal_at.map(|time| time.0))
        .bind(raw_fields_patch(flow)?);
    apply.execute(tx.conn()?).await.map_err(from_sqlx)?;
    let mut members = CancelledMembers::default();
    if cancellation.spares_all() {
        return Ok(members);
    }
    let find = tx.query(FIND_MEMBERS).bind(flow.flow_id.0);
    let ids = rows::ids(&find.fetch_all(tx.conn()?).await.map_err(from_sqlx)?)?;
    for ids in ids.chunks(PART) {
        let keys: Vec<_> = ids.iter().map(Key::new).collect();
        let loaded = tx.load(&keys).await?;
        // What has finished meanwhile may also have been removed.
        let stored = |loaded: &Answer<_>| !matches!(loaded, Err(EngineError::NotFound { .. }));
        let found = ids.iter().cloned().zip(loaded).filter(|(_, loaded)| stored(loaded));
        let mut part = CancelledMembers::decide(found, cancellation);
        tx.store(std::mem::take(&mut part.changes)).await?;
        members.extend(part);
    }
    Ok(members)
}

async fn list_cancelled(tx: &mut Tx<'_>, flow_id: &FlowId) -> Answer<Vec<ExecutionId>> {
    let list = tx.query(LIST_CANCELLED).bind(flow_id.0);
    rows::ids(&list.fetch_all(tx.conn()?).await.map_err(from_sqlx)?)
}

/// Appends an operator event of the flow to the outbox.
async fn append(tx: &mut Tx<'_>, flow_id: &FlowId, event: Event) -> Answer<()> {
    let EventKind::Operator { event_type, details } = event.kind else { return Ok(()) };
    let append = tx
        .query(APPEND_EVENT)
        .bind(partition(tx.backend(), flow_id))
        .bind(flow_id.0)
        .bind(event_type.as_str())
        .bind(event.occurred_at.0)
        .bind(to_parameter(&details)?)
        .bind(tx.instance_tag_key());
    append.execute(tx.conn()?).await.map_err(from_sqlx)?;
    Ok(())
}
