use std::collections::HashMap;

use ff_core::backend::CancelFlowPolicy;
use ff_core::contracts::{
    AddExecutionToFlowResult, CreateFlowArgs, CreateFlowResult, ListFlowsArgs,
};
use ff_core::engine_error::{ConflictKind, EngineError};
use ff_core::state::PublicFlowState;
use ff_core::types::{FlowId, Namespace};

use super::{
    add, addition, assert_flow_finished, assert_no_flow, cancel_flow, flow_args, flow_of,
    given_candidate, given_flow, given_member, member_id,
};
use crate::assertions::{assert_invalid, assert_not_found};
use crate::cases::at_once;
use crate::cx::{Cx, ENOUGH, LIMIT, ONE_MS};

/// FLOW-1. A created flow is open, and keeps what it was given.
pub(crate) async fn a_created_flow_is_open(cx: Cx) {
    let flow_id = FlowId::new();
    let tags = HashMap::from([("team".to_owned(), "blue, 'green'".to_owned())]);
    let namespace = Namespace::new("tenant");
    let args = CreateFlowArgs { tags: tags.clone(), namespace, ..flow_args(&cx, flow_id) };

    let created = cx.backend.create_flow(args).await.unwrap();

    assert_eq!(created, CreateFlowResult::Created { flow_id });
    let flow = flow_of(&cx, &flow_id).await;
    assert_eq!((flow.flow_id, flow.public_flow_state), (flow_id, PublicFlowState::Open));
    assert_eq!((flow.flow_kind.as_str(), flow.namespace.as_str()), ("import", "tenant"));
    assert_eq!((flow.tags, flow.graph_revision), (tags, 0));
    assert_eq!((flow.created_at, flow.terminal_at), (cx.now(), None));
    assert_eq!((flow.cancellation_policy, flow.cancel_reason), (None, None));
}

/// FLOW-1, SAFE-3. The same flow again is a duplicate and changes nothing, also when many create it.
pub(crate) async fn the_same_flow_again_is_a_duplicate(cx: Cx) {
    let flow_id = FlowId::new();
    let args = flow_args(&cx, flow_id);

    let answers = at_once(8, &cx.backend, |backend, _| {
        let args = args.clone();
        async move { backend.create_flow(args).await.unwrap() }
    })
    .await;
    let other = CreateFlowArgs { flow_kind: "other".to_owned(), ..args };
    let again = cx.backend.create_flow(other).await.unwrap();

    let created = CreateFlowResult::Created { flow_id };
    assert_eq!(answers.iter().filter(|answer| **answer == created).count(), 1);
    assert_eq!(again, CreateFlowResult::Duplicate { flow_id });
    assert_eq!(flow_of(&cx, &flow_id).await.flow_kind, "import");
}

/// FLOW-1, EXEC-3. A flow with a bad name or tag is refused before any write.
pub(crate) async fn a_bad_flow_is_refused(cx: Cx) {
    let flow_id = FlowId::new();
    let args = flow_args(&cx, flow_id);
    let bad_tag = HashMap::from([("a b".to_owned(), String::new())]);
    let bad = [
        ("flow_kind", CreateFlowArgs { flow_kind: String::new(), ..args.clone() }),
        ("namespace", CreateFlowArgs { namespace: Namespace::new("a\n"), ..args.clone() }),
        ("tags", CreateFlowArgs { tags: bad_tag, ..args }),
    ];

    for (field, args) in bad {
        assert_invalid(cx.backend.create_flow(args).await.unwrap_err(), field);
    }

    assert_eq!(cx.backend.describe_flow(&flow_id).await.unwrap(), None);
}

/// FLOW-1. A member belongs to its flow, and raises its revision.
pub(crate) async fn a_member_raises_the_revision(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let first = given_candidate(&cx, &flow_id).await;
    let second = given_candidate(&cx, &flow_id).await;

    let revisions = [add(&cx, &flow_id, &first).await, add(&cx, &flow_id, &second).await];

    assert_eq!(revisions, [1, 2]);
    assert_eq!(flow_of(&cx, &flow_id).await.graph_revision, 2);
    assert_eq!(cx.describe(&first).await.flow_id, Some(flow_id));
}

/// FLOW-1, SAFE-3. A member again is answered and changes nothing, whatever became of the flow.
pub(crate) async fn a_member_again_changes_nothing(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = given_member(&cx, &flow_id).await;

    let again = cx.backend.add_execution_to_flow(addition(&cx, &flow_id, &id)).await.unwrap();
    cancel_flow(&cx, &flow_id, CancelFlowPolicy::FlowOnly).await;
    let late = cx.backend.add_execution_to_flow(addition(&cx, &flow_id, &id)).await.unwrap();

    let member = AddExecutionToFlowResult::AlreadyMember { graph_revision: 1 };
    assert_eq!([again, late], [member.clone(), member]);
}

/// FLOW-1. An execution is a member of one flow.
pub(crate) async fn a_member_of_another_flow_is_refused(cx: Cx) {
    let (flow_id, other) = (given_flow(&cx).await, given_flow(&cx).await);
    let id = given_member(&cx, &other).await;

    let error = cx.backend.add_execution_to_flow(addition(&cx, &flow_id, &id)).await.unwrap_err();

    let conflict = ConflictKind::ExecutionAlreadyInFlow;
    assert!(matches!(error, EngineError::Conflict(kind) if kind == conflict), "{error:?}");
    assert_eq!(flow_of(&cx, &flow_id).await.graph_revision, 0);
    assert_eq!(cx.describe(&id).await.flow_id, Some(other));
}

/// FLOW-1, FLOW-8. A member needs a flow and an execution.
pub(crate) async fn what_is_unknown_makes_no_member(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = given_candidate(&cx, &flow_id).await;
    let no_flow = addition(&cx, &FlowId::new(), &id);
    let no_execution = addition(&cx, &flow_id, &member_id(&cx, &flow_id));

    assert_no_flow(cx.backend.add_execution_to_flow(no_flow).await.unwrap_err());
    assert_not_found(cx.backend.add_execution_to_flow(no_execution).await.unwrap_err());

    assert_eq!(flow_of(&cx, &flow_id).await.graph_revision, 0);
    assert_eq!(cx.backend.describe_flow(&FlowId::new()).await.unwrap(), None);
}

/// FLOW-4. A cancelled flow takes no member.
pub(crate) async fn a_cancelled_flow_takes_no_member(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let id = given_candidate(&cx, &flow_id).await;
    cancel_flow(&cx, &flow_id, CancelFlowPolicy::FlowOnly).await;

    let error = cx.backend.add_execution_to_flow(addition(&cx, &flow_id, &id)).await.unwrap_err();

    assert_flow_finished(error);
    assert_eq!(cx.describe(&id).await.flow_id, None);
}

/// FLOW-1, SAFE-4. Members that are added at once each raise the revision.
pub(crate) async fn concurrent_additions_each_raise_the_revision(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(given_candidate(&cx, &flow_id).await);
    }

    let additions: Vec<_> = ids.iter().map(|id| addition(&cx, &flow_id, id)).collect();
    let answers = at_once(ids.len(), &cx.backend, |backend, number| {
        let args = additions[number].clone();
        async move { backend.add_execution_to_flow(args).await.unwrap() }
    })
    .await;

    let mut revisions: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            AddExecutionToFlowResult::Added { graph_revision } => graph_revision,
            other => unreachable!("{other:?}"),
        })
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// FLOW-1. Flows are listed oldest first, page by page, none lost and none repeated.
pub(crate) async fn flows_are_listed_in_pages(cx: Cx) {
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push((cx.now(), given_flow(&cx).await));
        if number % 3 == 2 {
            cx.advance(ONE_MS);
        }
    }
    expected.sort();

    let mut listed = Vec::new();
    let mut args = ListFlowsArgs { limit: Some(2), ..ListFlowsArgs::default() };
    loop {
        let page = cx.backend.list_flows(args.clone()).await.unwrap();
        assert_eq!(page.cursor.is_some(), page.flows.len() == 2);
        listed.extend(page.flows.into_iter().map(|flow| (flow.created_at, flow.flow_id)));
        let Some(cursor) = page.cursor else { break };
        args.after = Some(cursor);
        assert!(listed.len() < ENOUGH, "there is no end of pages");
    }

    assert_eq!(listed, expected);
}

/// FLOW-1. A list of flows can be narrowed to a namespace and a state.
pub(crate) async fn a_list_of_flows_can_be_narrowed(cx: Cx) {
    let open = given_flow(&cx).await;
    let cancelled = given_flow(&cx).await;
    cancel_flow(&cx, &cancelled, CancelFlowPolicy::FlowOnly).await;
    let elsewhere = FlowId::new();
    let namespace = Namespace::new("tenant");
    let args = CreateFlowArgs { namespace: namespace.clone(), ..flow_args(&cx, elsewhere) };
    cx.backend.create_flow(args).await.unwrap();

    let list = async |namespace, public_flow_state| {
        let args = ListFlowsArgs { namespace, public_flow_state, ..ListFlowsArgs::default() };
        let page = cx.backend.list_flows(args).await.unwrap();
        let mut ids: Vec<_> = page.flows.into_iter().map(|flow| flow.flow_id).collect();
        ids.sort();
        ids
    };

    let mut all = vec![open, cancelled, elsewhere];
    all.sort();
    assert_eq!(list(None, None).await, all);
    assert_eq!(list(Some(namespace.clone()), None).await, [elsewhere]);
    assert_eq!(list(None, Some(PublicFlowState::Cancelled)).await, [cancelled]);
    let default = Namespace::new("default");
    assert_eq!(list(Some(default), Some(PublicFlowState::Open)).await, [open]);
    assert_eq!(list(Some(namespace), Some(PublicFlowState::Failed)).await, []);
    let none = ListFlowsArgs { limit: Some(0), ..ListFlowsArgs::default() };
    assert_invalid(cx.backend.list_flows(none).await.unwrap_err(), "limit");
    let namespace = Some(Namespace::new("a\0b"));
    let with_nul = ListFlowsArgs { namespace, ..ListFlowsArgs::default() };
    assert_invalid(cx.backend.list_flows(with_nul).await.unwrap_err(), "namespace");
}

/// FLOW-1. The members of a flow are listed by id, page by page.
pub(crate) async fn members_are_listed_in_pages(cx: Cx) {
    let flow_id = given_flow(&cx).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(given_member(&cx, &flow_id).await);
    }
    cx.given_created().await;
    expected.sort_by_key(|id| (id.uuid(), id.partition()));

    let mut listed = Vec::new();
    loop {
        let after = listed.last();
        let page = cx.backend.list_flow_members(&flow_id, after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|member| member.execution_id));
        assert!(listed.len() < ENOUGH, "there is no end of pages");
    }

    assert_eq!(listed, expected);
    let unknown = cx.backend.list_flow_members(&FlowId::new(), None, LIMIT).await.unwrap();
    assert!(unknown.is_empty());
    for limit in [0, u32::MAX] {
        let error = cx.backend.list_flow_members(&flow_id, None, limit).await.unwrap_err();
        assert_invalid(error, "limit");
    }
}
