use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{CancelFlowArgs, CancelFlowHeader, CancelFlowResult, FlowSnapshot};
use ff_core::decision::{Event, EventKind};
use ff_core::rules::flow::FlowCancellation;
use ff_core::rules::{flow as rule, input};
use ff_core::types::FlowId;
use ff_sql::document::{KeyDocument, to_parameter};
use ff_sql::flow_row::raw_fields_patch;
use ff_sql::members::{CancelledMembers, wait_until_let_go};

use super::{Answer, backlog, list_ids, load};
use crate::SqliteBackend;
use crate::error::from_sqlx;
use crate::tx::Tx;

const FIND_MEMBERS: &str = include_str!("../../sql/flow/find_members.sql");
const APPLY: &str = include_str!("../../sql/flow/apply.sql");
const LIST_CANCELLED: &str = include_str!("../../sql/flow/list_cancelled.sql");
const APPEND_EVENT: &str = include_str!("../../sql/event/append_flow_operator.sql");

/// Members that are loaded and stored at once, so that a flow of any size fits into memory.
const PART: usize = 10_000;

/// See [`ff_core::engine_backend::EngineBackend::cancel_flow`].
pub(crate) async fn cancel(
    backend: &SqliteBackend,
    flow_id: &FlowId,
    policy: CancelFlowPolicy,
    wait: CancelFlowWait,
) -> Answer<CancelFlowResult> {
    let flow_id = *flow_id;
    let cancel = async move |tx: &mut Tx<'_>| cancel_in(tx, flow_id, policy, wait).await;
    let result = backend.writer.run(cancel).await?;
    wait_until_let_go(wait, || backlog::is_let_go(backend, flow_id)).await?;
    Ok(result)
}

async fn cancel_in(
    tx: &mut Tx<'_>,
    flow_id: FlowId,
    policy: CancelFlowPolicy,
    wait: CancelFlowWait,
) -> Answer<CancelFlowResult> {
    let flow = load(tx, flow_id).await?;
    let cancellation = FlowCancellation::new(policy, tx.now());
    let Some(cancelled) = rule::cancel(&flow, &cancellation) else {
        let policy = rule::repeated_cancel(&flow)?;
        let members = list_ids(tx, LIST_CANCELLED, flow_id).await?;
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
    backend: &SqliteBackend,
    args: CancelFlowArgs,
) -> Answer<CancelFlowHeader> {
    input::check_cancel_flow(&args)?;
    let cancellation = FlowCancellation::by_name(&args)?;
    let flow_id = args.flow_id;
    let cancel = async move |tx: &mut Tx<'_>| cancel_header_in(tx, flow_id, &cancellation).await;
    backend.writer.run(cancel).await
}

async fn cancel_header_in(
    tx: &mut Tx<'_>,
    flow_id: FlowId,
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

/// Stores the flow as it is cancelled, and its members.
async fn store(
    tx: &mut Tx<'_>,
    flow: &FlowSnapshot,
    cancellation: &FlowCancellation,
) -> Answer<CancelledMembers> {
    let apply = sqlx::query(APPLY)
        .bind(flow.flow_id.0)
        .bind(flow.public_flow_state.as_str())
        .bind(flow.terminal_at.map(|time| time.0))
        .bind(raw_fields_patch(flow)?);
    apply.execute(tx.conn()).await.map_err(from_sqlx)?;
    let mut members = CancelledMembers::default();
    if cancellation.spares_all() {
        return Ok(members);
    }
    for ids in list_ids(tx, FIND_MEMBERS, flow.flow_id).await?.chunks(PART) {
        let keys: Vec<_> = ids.iter().map(KeyDocument::new).collect();
        let loaded = tx.load(&keys).await?;
        let mut part = CancelledMembers::decide(ids.iter().cloned().zip(loaded), cancellation);
        tx.store(std::mem::take(&mut part.changes)).await?;
        members.extend(part);
    }
    Ok(members)
}

/// Appends an operator event of the flow to the outbox.
async fn append(tx: &mut Tx<'_>, flow_id: FlowId, event: Event) -> Answer<()> {
    let EventKind::Operator { event_type, details } = event.kind else { return Ok(()) };
    let append = sqlx::query(APPEND_EVENT)
        .bind(flow_id.to_string())
        .bind(event_type.as_str())
        .bind(to_parameter(&details)?)
        .bind(event.occurred_at.0)
        .bind(tx.instance_tag_path());
    append.execute(tx.conn()).await.map_err(from_sqlx)?;
    Ok(())
}
