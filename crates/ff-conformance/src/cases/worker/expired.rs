use ff_core::contracts::{
    ExpiredLeasesCursor, LIST_EXPIRED_LEASES_DEFAULT_LIMIT, LIST_EXPIRED_LEASES_MAX_LIMIT,
    ListExpiredLeasesArgs, ListExpiredLeasesResult, ReconcileTask,
};
use ff_core::types::{ExecutionId, Namespace, TimestampMs};

use crate::assertions::assert_invalid;
use crate::cx::{Cx, ENOUGH, LEASE_TTL, ONE_MS};
use crate::fixture::AttemptKey;

/// Expired leases of the case's time.
async fn list(cx: &Cx, limit: Option<u32>) -> ListExpiredLeasesResult {
    let mut args = ListExpiredLeasesArgs::new(cx.now());
    args.limit = limit;
    cx.backend.list_expired_leases(args).await.unwrap()
}

async fn list_ids(cx: &Cx, args: &ListExpiredLeasesArgs) -> Vec<ExecutionId> {
    let page = cx.backend.list_expired_leases(args.clone()).await.unwrap();
    page.entries.into_iter().map(|entry| entry.execution_id).collect()
}

/// Leases that all end at one time.
async fn given_expired(cx: &Cx, count: usize) -> Vec<ExecutionId> {
    let args: Vec<_> = (0..count).map(|_| cx.args()).collect();
    cx.backend.create_executions(args).await.unwrap();
    let mut ids = Vec::new();
    while ids.len() < count {
        let held = cx.claim_batch(100).await;
        ids.extend(held.iter().map(|handle| handle.execution_id().clone()));
    }
    cx.advance(LEASE_TTL);
    ids.sort_by_key(ToString::to_string);
    ids
}

/// WORK-4. A lease is listed from the millisecond on at which its time is up, with all that names it.
pub(crate) async fn an_expired_lease_is_listed(cx: Cx) {
    let handle = cx.given_claimed().await;
    let lease = cx.describe(handle.execution_id()).await.lease().unwrap();
    cx.advance(LEASE_TTL - ONE_MS);
    let early = list(&cx, None).await;
    cx.advance(ONE_MS);

    let page = list(&cx, None).await;

    assert!(early.entries.is_empty());
    assert_eq!((page.entries.len(), page.cursor), (1, None));
    let entry = &page.entries[0];
    assert_eq!(&entry.execution_id, handle.execution_id());
    assert_eq!((entry.lease_id, entry.lease_epoch), (lease.lease_id, handle.lease_epoch()));
    assert_eq!(&entry.worker_instance_id, handle.worker_instance_id());
    assert_eq!((entry.expires_at_ms, entry.attempt_index), (cx.now(), handle.attempt_index()));
}

/// WORK-4. What is done, swept or renewed is not listed.
pub(crate) async fn a_lease_that_has_ended_is_not_listed(cx: Cx) {
    cx.given_completed().await;
    let swept = cx.given_claimed().await;
    let delayed = cx.given_claimed().await;
    cx.backend.delay(&delayed, cx.now().saturating_add_millis(3_600_000)).await.unwrap();
    cx.advance(LEASE_TTL);
    cx.reconcile(ReconcileTask::ExpireLeases).await;
    let again = cx.claim().await;
    assert_eq!(again.execution_id(), swept.execution_id());

    assert!(list(&cx, None).await.entries.is_empty());
}

/// WORK-4. Leases are listed by expiry, and among those of one time by the text of the execution id.
pub(crate) async fn expired_leases_are_listed_by_expiry_and_id(cx: Cx) {
    let mut expected = Vec::new();
    for number in 0..6 {
        let handle = cx.given_claimed().await;
        expected.push((number / 2, handle.execution_id().clone()));
        if number % 2 == 1 {
            cx.advance(ONE_MS);
        }
    }
    expected.sort_by_key(|(order, id)| (*order, id.to_string()));
    cx.advance(LEASE_TTL);

    let listed = list_ids(&cx, &ListExpiredLeasesArgs::new(cx.now())).await;

    assert_eq!(listed, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let as_of = TimestampMs(cx.now().0 - 2);
    assert_eq!(list_ids(&cx, &ListExpiredLeasesArgs::new(as_of)).await.len(), 4);
}

/// WORK-4. 10,000 leases of one expiry are listed page by page, none lost and none repeated.
pub(crate) async fn many_leases_of_one_expiry_are_listed_in_pages(cx: Cx) {
    let expected = given_expired(&cx, 10_000).await;

    let mut listed = Vec::new();
    let mut args = ListExpiredLeasesArgs::new(cx.now());
    args.limit = Some(3_000);
    for pages in 0.. {
        let page = cx.backend.list_expired_leases(args.clone()).await.unwrap();
        assert_eq!(page.cursor.is_some(), page.entries.len() == 3_000);
        listed.extend(page.entries.into_iter().map(|entry| entry.execution_id));
        let Some(cursor) = page.cursor else { break };
        args.after = Some(cursor);
        assert!(pages < ENOUGH, "there is no end of pages");
    }

    assert_eq!(listed, expected);
}

/// WORK-4. A page has 1,000 entries unless it is told otherwise, and never more than 10,000.
pub(crate) async fn a_page_of_expired_leases_has_its_limits(cx: Cx) {
    let count = LIST_EXPIRED_LEASES_DEFAULT_LIMIT as usize + 1;
    given_expired(&cx, count).await;

    let default = list(&cx, None).await;
    let all = list(&cx, Some(LIST_EXPIRED_LEASES_MAX_LIMIT + 1)).await;
    let exact = list(&cx, Some(LIST_EXPIRED_LEASES_DEFAULT_LIMIT + 1)).await;

    let last = &default.entries[LIST_EXPIRED_LEASES_DEFAULT_LIMIT as usize - 1];
    let cursor = ExpiredLeasesCursor::new(last.expires_at_ms, last.execution_id.clone());
    assert_eq!((default.entries.len(), default.cursor), (1_000, Some(cursor)));
    assert_eq!((all.entries.len(), all.cursor), (count, None));
    assert!(exact.cursor.is_some(), "a full page has a cursor");
    let mut args = ListExpiredLeasesArgs::new(cx.now());
    args.limit = Some(0);
    assert_invalid(cx.backend.list_expired_leases(args.clone()).await.unwrap_err(), "limit");
    args.namespace = Some(Namespace::new("a\0b"));
    assert_invalid(cx.backend.list_expired_leases(args).await.unwrap_err(), "namespace");
}

/// WORK-4. A list can be narrowed to a namespace; the partitions for each call make no difference.
pub(crate) async fn expired_leases_can_be_narrowed_to_a_namespace(cx: Cx) {
    let tenant = Namespace::new("tenant");
    cx.given_claimed().await;
    let id = cx.create(|args| args.namespace = tenant.clone()).await;
    cx.claim().await;
    cx.advance(LEASE_TTL);
    let mut args = ListExpiredLeasesArgs::new(cx.now());
    (args.namespace, args.max_partitions_per_call) = (Some(tenant), Some(1));

    assert_eq!(list_ids(&cx, &args).await, [id]);
}

/// WORK-4. An attempt that another program wrote without worker or without expiry is no lease.
pub(crate) async fn a_bare_attempt_is_no_lease(cx: Cx) {
    let handles = cx.given_several_claimed(3).await;
    let at = |number: usize| AttemptKey {
        execution_id: handles[number].execution_id(),
        attempt_index: handles[number].attempt_index(),
    };
    cx.probe().write_attempt_text(at(0), "worker_instance_id", None).await;
    cx.probe().write_attempt_text(at(1), "outcome", Some("interrupted")).await;
    cx.advance(LEASE_TTL);

    let listed = list_ids(&cx, &ListExpiredLeasesArgs::new(cx.now())).await;

    assert_eq!(listed, [handles[2].execution_id().clone()]);
}
