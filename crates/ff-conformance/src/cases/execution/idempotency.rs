use std::collections::BTreeSet;

use ff_core::contracts::CreateExecutionResult;
use ff_core::types::{ExecutionId, LaneId, Namespace};

use crate::assertions::assert_duplicate;
use crate::cases::at_once;
use crate::cx::Cx;

/// EXEC-2, SAFE-3. The same id again is a duplicate and changes nothing, whatever else it says.
pub(crate) async fn the_same_id_again_is_a_duplicate(cx: Cx) {
    let first = cx.args();
    cx.backend.create_execution(first.clone()).await.unwrap();
    let before = cx.describe(&first.execution_id).await;
    let again = cx.args_with(|args| {
        args.execution_id = first.execution_id.clone();
        args.priority = 9;
        args.execution_kind = "other".to_owned();
    });

    let result = cx.backend.create_execution(again).await.unwrap();

    assert_duplicate(&result, &first.execution_id);
    assert_eq!(cx.describe(&first.execution_id).await, before);
}

/// EXEC-2. The same key in the same namespace and lane is a duplicate of the first.
pub(crate) async fn the_same_key_again_is_a_duplicate(cx: Cx) {
    let key = Some("order-17".to_owned());
    let first = cx.create(|args| args.idempotency_key = key.clone()).await;
    let second = cx.args_with(|args| args.idempotency_key = key);

    let result = cx.backend.create_execution(second.clone()).await.unwrap();

    assert_duplicate(&result, &first);
    assert_eq!(cx.backend.describe_execution(&second.execution_id).await.unwrap(), None);
}

/// EXEC-2. A key is its own in each namespace and each lane.
pub(crate) async fn a_key_belongs_to_its_namespace_and_lane(cx: Cx) {
    let key = Some("order-17".to_owned());
    cx.create(|args| args.idempotency_key = key.clone()).await;

    let in_other_lane = cx.args_with(|args| {
        args.idempotency_key = key.clone();
        args.lane_id = LaneId::new("other");
    });
    let in_other_namespace = cx.args_with(|args| {
        args.idempotency_key = key.clone();
        args.namespace = Namespace::new("other");
    });

    for args in [in_other_lane, in_other_namespace] {
        let result = cx.backend.create_execution(args).await.unwrap();
        assert!(matches!(result, CreateExecutionResult::Created { .. }), "{result:?}");
    }
}

/// EXEC-2. A key is taken for as long as its execution is kept, finished or not.
pub(crate) async fn a_key_outlives_the_end_of_its_execution(cx: Cx) {
    let key = Some("order-17".to_owned());
    let first = cx.create(|args| args.idempotency_key = key.clone()).await;
    let handle = cx.claim().await;
    cx.backend.complete(&handle, None).await.unwrap();

    let again = cx.args_with(|args| args.idempotency_key = key);
    let result = cx.backend.create_execution(again).await.unwrap();

    assert_duplicate(&result, &first);
}

/// EXEC-2, SAFE-4. Of many creates with one key, one creates, and all answer the same id.
pub(crate) async fn concurrent_creates_with_one_key_make_one(cx: Cx) {
    let all: Vec<_> = (0..16)
        .map(|_| cx.args_with(|args| args.idempotency_key = Some("order-17".to_owned())))
        .collect();

    let results = at_once(all.len(), &cx.backend, |backend, number| {
        let args = all[number].clone();
        async move { backend.create_execution(args).await.unwrap() }
    })
    .await;

    assert_one_created(&results);
    let mut stored = 0;
    for args in &all {
        let found = cx.backend.describe_execution(&args.execution_id).await.unwrap();
        stored += usize::from(found.is_some());
    }
    assert_eq!(stored, 1);
}

/// EXEC-2, SAFE-4. Of many creates of one id, one creates.
pub(crate) async fn concurrent_creates_of_one_id_make_one(cx: Cx) {
    let args = cx.args();

    let results = at_once(16, &cx.backend, |backend, _| {
        let args = args.clone();
        async move { backend.create_execution(args).await.unwrap() }
    })
    .await;

    assert_one_created(&results);
    let claimed = [cx.try_claim().await, cx.try_claim().await];
    assert_eq!(claimed.iter().flatten().count(), 1);
}

fn assert_one_created(results: &[CreateExecutionResult]) {
    let is_created = |result: &&_| matches!(result, CreateExecutionResult::Created { .. });
    assert_eq!(results.iter().filter(is_created).count(), 1, "{results:?}");
    let ids: BTreeSet<&ExecutionId> =
        results.iter().map(CreateExecutionResult::execution_id).collect();
    assert_eq!(ids.len(), 1, "{results:?}");
}
