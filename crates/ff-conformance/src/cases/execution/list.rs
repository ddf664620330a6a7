use std::collections::HashMap;

use ff_core::contracts::{
    CreateExecutionArgs, ExecutionCount, ExecutionFilter, ExecutionsCursor,
    LIST_EXECUTIONS_MAX_LIMIT,
};
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs};

use crate::assertions::assert_invalid;
use crate::cx::{Cx, LIMIT, ONE_MS, START, after_start, lane};

async fn listed(cx: &Cx, filter: &ExecutionFilter) -> Vec<ExecutionId> {
    let page = cx.backend.list_executions(filter, None, LIMIT).await.unwrap();
    page.executions.into_iter().map(|execution| execution.execution_id).collect()
}

/// Creates one execution that differs and one that does not, and lists with a filter.
async fn assert_filter_finds_only(
    cx: &Cx,
    filter: ExecutionFilter,
    change: impl FnOnce(&mut CreateExecutionArgs),
) {
    cx.given_created().await;
    let wanted = cx.create(change).await;

    assert_eq!(listed(cx, &filter).await, [wanted]);
    assert_eq!(listed(cx, &ExecutionFilter::default()).await.len(), 2);
    let counts = cx.backend.count_executions(&filter).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 1);
}

/// READ-1. Executions can be listed by namespace.
pub(crate) async fn a_namespace_filters_a_list(cx: Cx) {
    let namespace = Some(Namespace::new("tenant"));
    let filter = ExecutionFilter { namespace, ..ExecutionFilter::default() };

    assert_filter_finds_only(&cx, filter, |args| args.namespace = Namespace::new("tenant")).await;
}

/// READ-1. Executions can be listed by lane.
pub(crate) async fn a_lane_filters_a_list(cx: Cx) {
    let lane_id = Some(LaneId::new("other"));
    let filter = ExecutionFilter { lane_id, ..ExecutionFilter::default() };

    assert_filter_finds_only(&cx, filter, |args| args.lane_id = LaneId::new("other")).await;
}

/// READ-1. Executions can be listed by public state.
pub(crate) async fn a_state_filters_a_list(cx: Cx) {
    let public_state = Some(PublicState::Delayed);
    let filter = ExecutionFilter { public_state, ..ExecutionFilter::default() };

    assert_filter_finds_only(&cx, filter, |args| args.delay_until = Some(after_start(1))).await;
}

/// READ-1. Executions can be listed by kind.
pub(crate) async fn a_kind_filters_a_list(cx: Cx) {
    let execution_kind = Some("send_mail".to_owned());
    let filter = ExecutionFilter { execution_kind, ..ExecutionFilter::default() };

    assert_filter_finds_only(&cx, filter, |args| args.execution_kind = "send_mail".to_owned())
        .await;
}

/// READ-1. Executions can be listed by a tag, key and value, whatever characters they have.
pub(crate) async fn a_tag_filters_a_list(cx: Cx) {
    let (key, value) = ("team.name".to_owned(), "it's \"b%ue\"".to_owned());
    let filter =
        ExecutionFilter { tag: Some((key.clone(), value.clone())), ..ExecutionFilter::default() };
    cx.create(|args| args.tags = HashMap::from([("team".to_owned(), value.clone())])).await;
    cx.create(|args| args.tags = HashMap::from([(key.clone(), "red".to_owned())])).await;

    let wanted = cx.create(|args| args.tags = HashMap::from([(key, value)])).await;

    assert_eq!(listed(&cx, &filter).await, [wanted]);
}

/// READ-1. Executions can be listed by time of creation, the end excluded.
pub(crate) async fn times_filter_a_list(cx: Cx) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(cx.given_created().await);
        cx.advance(ONE_MS);
    }
    let filter = ExecutionFilter {
        created_from: Some(after_start(1)),
        created_before: Some(after_start(3)),
        ..ExecutionFilter::default()
    };

    assert_eq!(listed(&cx, &filter).await, ids[1..3]);
}

/// READ-1. Every filter that is given narrows the choice.
pub(crate) async fn filters_narrow_each_other(cx: Cx) {
    cx.create(|args| args.priority = 1).await;
    cx.create(|args| args.execution_kind = "send_mail".to_owned()).await;
    let wanted = cx
        .create(|args| {
            args.execution_kind = "send_mail".to_owned();
            args.namespace = Namespace::new("tenant");
        })
        .await;
    let filter = ExecutionFilter {
        namespace: Some(Namespace::new("tenant")),
        lane_id: Some(lane()),
        public_state: Some(PublicState::Waiting),
        execution_kind: Some("send_mail".to_owned()),
        created_from: Some(START),
        ..ExecutionFilter::default()
    };

    assert_eq!(listed(&cx, &filter).await, [wanted]);
}

/// READ-1. Pages hold everything once, oldest first, also among executions of one millisecond.
pub(crate) async fn pages_hold_everything_once(cx: Cx) {
    for number in 0..23_i64 {
        let now = TimestampMs::from_millis(START.0 + number / 10);
        cx.create(|args| args.now = now).await;
    }
    let mut seen: Vec<ExecutionsCursor> = Vec::new();
    let (mut after, mut pages) = (None, 0);

    while pages < 10 {
        let page = cx.backend.list_executions(&ExecutionFilter::default(), after, 4).await.unwrap();
        seen.extend(page.executions.iter().map(|execution| ExecutionsCursor {
            created_at: execution.created_at,
            execution_id: execution.execution_id.clone(),
        }));
        pages += 1;
        after = page.cursor;
        if after.is_none() {
            break;
        }
    }

    assert_eq!(pages, 6);
    let key = |entry: &ExecutionsCursor| (entry.created_at, entry.execution_id.uuid());
    let keys: Vec<_> = seen.iter().map(key).collect();
    assert_eq!(keys.len(), 23);
    assert!(keys.is_sorted_by(|earlier, later| earlier < later), "{keys:?}");
}

/// READ-1. What is created between two pages moves nothing from one to the other.
pub(crate) async fn pages_are_stable_while_executions_come_and_go(cx: Cx) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(cx.given_created().await);
        cx.advance(ONE_MS);
    }
    let all = ExecutionFilter::default();
    let first = cx.backend.list_executions(&all, None, 2).await.unwrap();

    cx.create(|args| args.now = START).await;
    let handle = cx.claim().await;
    cx.backend.complete(&handle, None).await.unwrap();
    let second = cx.backend.list_executions(&all, first.cursor, 2).await.unwrap();

    let second: Vec<_> = second.executions.into_iter().map(|one| one.execution_id).collect();
    assert_eq!(second, ids[2..]);
}

/// READ-1. A page has a cursor when it is full, and then only.
pub(crate) async fn only_a_full_page_has_a_cursor(cx: Cx) {
    let ids = [cx.given_created().await, cx.given_created().await];
    let all = ExecutionFilter::default();

    let short = cx.backend.list_executions(&all, None, 3).await.unwrap();
    let full = cx.backend.list_executions(&all, None, 2).await.unwrap();
    let beyond = cx.backend.list_executions(&all, full.cursor.clone(), 2).await.unwrap();

    assert_eq!((short.executions.len(), short.cursor), (2, None));
    assert!(full.cursor.is_some_and(|cursor| ids.contains(&cursor.execution_id)));
    assert_eq!((beyond.executions.len(), beyond.cursor), (0, None));
}

/// EXEC-3, READ-1. A page has 1 to 1,000 executions, and a tag's key is one that a tag may have.
pub(crate) async fn a_bad_list_is_refused(cx: Cx) {
    let all = ExecutionFilter::default();
    let bad_tag = ExecutionFilter {
        tag: Some(("a b".to_owned(), String::new())),
        ..ExecutionFilter::default()
    };

    let none = cx.backend.list_executions(&all, None, 0).await.unwrap_err();
    let beyond = LIST_EXECUTIONS_MAX_LIMIT + 1;
    let many = cx.backend.list_executions(&all, None, beyond).await.unwrap_err();
    let listed = cx.backend.list_executions(&bad_tag, None, LIMIT).await.unwrap_err();
    let counted = cx.backend.count_executions(&bad_tag).await.unwrap_err();

    assert_invalid(none, "limit");
    assert_invalid(many, "limit");
    assert_invalid(listed, "tag");
    assert_invalid(counted, "tag");
}

/// EXEC-3, READ-1. A text that no execution can have is refused by its name.
pub(crate) async fn a_list_of_what_has_a_nul_is_refused(cx: Cx) {
    let text = || "a\0b".to_owned();
    let all = ExecutionFilter::default;
    let filters = [
        ("namespace", ExecutionFilter { namespace: Some(Namespace(text())), ..all() }),
        ("lane_id", ExecutionFilter { lane_id: Some(LaneId(text())), ..all() }),
        ("execution_kind", ExecutionFilter { execution_kind: Some(text()), ..all() }),
        ("tag", ExecutionFilter { tag: Some(("key".to_owned(), text())), ..all() }),
    ];

    for (field, filter) in filters {
        let listed = cx.backend.list_executions(&filter, None, LIMIT).await.unwrap_err();
        let counted = cx.backend.count_executions(&filter).await.unwrap_err();
        assert_invalid(listed, field);
        assert_invalid(counted, field);
    }
}

/// READ-1. Executions are counted by lane and public state, lane after lane.
pub(crate) async fn executions_are_counted_by_lane_and_state(cx: Cx) {
    cx.given_claimed().await;
    cx.given_created().await;
    cx.given_created().await;
    cx.create(|args| args.lane_id = LaneId::new("a-lane")).await;
    let count = |lane_id, public_state, count| ExecutionCount { lane_id, public_state, count };

    let mut counts = cx.backend.count_executions(&ExecutionFilter::default()).await.unwrap();

    assert!(counts.is_sorted_by_key(|count| count.lane_id.clone()), "{counts:?}");
    counts.sort_by_key(|count| (count.lane_id.clone(), count.public_state));
    let expected = [
        count(LaneId::new("a-lane"), PublicState::Waiting, 1),
        count(lane(), PublicState::Waiting, 2),
        count(lane(), PublicState::Running, 1),
    ];
    assert_eq!(counts, expected);
}
