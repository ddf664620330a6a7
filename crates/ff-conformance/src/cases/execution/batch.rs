use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_error::EngineError;
use ff_core::rules::input::CREATE_BATCH_MAX;

use crate::assertions::{assert_duplicate, assert_invalid};
use crate::cx::Cx;

/// EXEC-4. A batch answers in the order given, duplicates where they stand.
pub(crate) async fn a_batch_of_creations_answers_in_order(cx: Cx) {
    let stored = cx.given_created().await;
    let key = Some("order-17".to_owned());
    let [plain, keyed] = [cx.args(), cx.args_with(|args| args.idempotency_key = key.clone())];
    let known = cx.args_with(|args| args.execution_id = stored.clone());
    let same_key = cx.args_with(|args| args.idempotency_key = key);
    let batch = vec![plain.clone(), known, keyed.clone(), same_key, plain.clone()];

    let results = cx.backend.create_executions(batch).await.unwrap();

    assert_eq!(results.len(), 5);
    assert!(matches!(results[0], CreateExecutionResult::Created { .. }), "{results:?}");
    assert_eq!(results[0].execution_id(), &plain.execution_id);
    assert_duplicate(&results[1], &stored);
    assert!(matches!(results[2], CreateExecutionResult::Created { .. }), "{results:?}");
    assert_duplicate(&results[3], &keyed.execution_id);
    assert_duplicate(&results[4], &plain.execution_id);
}

/// EXEC-4, SAFE-1. A bad item is reported by its index, and nothing of the batch is stored.
pub(crate) async fn a_bad_item_keeps_its_batch_out(cx: Cx) {
    let good = [cx.args(), cx.args(), cx.args()];
    let mut batch = good.to_vec();
    batch.insert(2, cx.args_with(|args| args.execution_kind.clear()));

    let error = cx.backend.create_executions(batch).await.unwrap_err();

    let EngineError::BatchItem { index, source } = error else {
        unreachable!("no item is named: {error:?}");
    };
    assert_eq!(index, 2);
    assert_invalid(*source, "execution_kind");
    for args in &good {
        assert_eq!(cx.backend.describe_execution(&args.execution_id).await.unwrap(), None);
    }
    assert_eq!(cx.try_claim().await, None);
}

/// EXEC-4. A batch has an end: the first execution that is one too many is named, and none is stored.
pub(crate) async fn a_batch_without_end_is_refused(cx: Cx) {
    let batch: Vec<_> = (0..=CREATE_BATCH_MAX).map(|_| cx.args()).collect();

    let error = cx.backend.create_executions(batch).await.unwrap_err();

    let EngineError::BatchItem { index, source } = error else {
        unreachable!("no item is named: {error:?}");
    };
    assert_eq!(index, CREATE_BATCH_MAX);
    assert_invalid(*source, "batch");
    assert_eq!(cx.try_claim().await, None);
}

/// EXEC-4. A batch of nothing is answered with nothing.
pub(crate) async fn an_empty_batch_of_creations_is_fine(cx: Cx) {
    let results = cx.backend.create_executions(Vec::new()).await.unwrap();

    assert_eq!(results, []);
}

/// EXEC-4. A batch may be large: no limit of a driver or a statement shows.
pub(crate) async fn a_large_batch_is_created_whole(cx: Cx) {
    let batch: Vec<_> = (0..3_000).map(|_| cx.args()).collect();
    let ids: Vec<_> = batch.iter().map(|args| args.execution_id.clone()).collect();

    let results = cx.backend.create_executions(batch).await.unwrap();

    let answered: Vec<_> = results.iter().map(|result| result.execution_id().clone()).collect();
    assert_eq!(answered, ids);
    let outcomes = cx.backend.read_outcomes(&ids).await.unwrap();
    assert!(outcomes.iter().all(Option::is_some));
}

/// EXEC-4, SAFE-4. Batches that overlap, in opposite orders, do not stand in each other's way.
pub(crate) async fn overlapping_batches_create_each_execution_once(cx: Cx) {
    let forward: Vec<_> = (0..40)
        .map(|n| cx.args_with(|args| args.idempotency_key = Some(format!("key-{n}"))))
        .collect();
    let backward: Vec<_> = forward.iter().rev().cloned().collect();

    let answers = super::super::at_once(8, &cx.backend, |backend, number| {
        let batch = if number % 2 == 0 { forward.clone() } else { backward.clone() };
        async move { backend.create_executions(batch).await.unwrap() }
    })
    .await;

    let is_created = |result: &&_| matches!(result, CreateExecutionResult::Created { .. });
    assert_eq!(answers.iter().flatten().filter(is_created).count(), forward.len());
}
