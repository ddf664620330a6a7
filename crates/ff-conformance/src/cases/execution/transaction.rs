use crate::assertions::{assert_duplicate, assert_invalid};
use crate::cx::Cx;

/// EXEC-5. What is created in the caller's transaction is there when the caller commits.
pub(crate) async fn a_creation_joins_a_transaction_that_commits(cx: Cx) {
    let args = cx.args_with(|args| args.idempotency_key = Some("order-17".to_owned()));

    cx.store.create_in_transaction(args.clone(), true).await.unwrap().unwrap();

    assert_eq!(cx.claim().await.execution_id(), &args.execution_id);
    let again = cx.backend.create_execution(args.clone()).await.unwrap();
    assert_duplicate(&again, &args.execution_id);
}

/// EXEC-5. What is created in the caller's transaction goes when the caller rolls back.
pub(crate) async fn a_creation_leaves_with_a_transaction_that_rolls_back(cx: Cx) {
    let args = cx.args_with(|args| args.idempotency_key = Some("order-17".to_owned()));

    cx.store.create_in_transaction(args.clone(), false).await.unwrap().unwrap();

    assert_eq!(cx.backend.describe_execution(&args.execution_id).await.unwrap(), None);
    assert_eq!(cx.try_claim().await, None);
    cx.create(|args| args.idempotency_key = Some("order-17".to_owned())).await;
}

/// EXEC-3, EXEC-5. A bad creation is refused inside a transaction too.
pub(crate) async fn a_bad_creation_is_refused_in_a_transaction(cx: Cx) {
    let args = cx.args_with(|args| args.execution_kind.clear());

    let error = cx.store.create_in_transaction(args, true).await.unwrap().unwrap_err();

    assert_invalid(error, "execution_kind");
    assert_eq!(cx.try_claim().await, None);
}
