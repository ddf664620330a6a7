use std::collections::HashMap;

use ff_core::contracts::CLAIM_BATCH_MAX;
use ff_core::types::{AttemptIndex, LaneId};

use crate::assertions::assert_invalid;
use crate::cx::{Cx, ONE_MS, batch_of, lane};

/// CLAIM-6. A batch takes at most what it asks for, in the order of the queue.
pub(crate) async fn a_batch_takes_what_it_asks_for(cx: Cx) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(cx.given_created().await);
        cx.advance(ONE_MS);
    }

    let first = cx.claim_batch(3).await;
    let rest = cx.claim_batch(3).await;
    let none = cx.claim_batch(3).await;

    let claimed: Vec<_> =
        first.iter().chain(&rest).map(|handle| handle.execution_id().clone()).collect();
    assert_eq!((first.len(), rest.len(), none.len()), (3, 2, 0));
    assert_eq!(claimed, ids);
}

/// CLAIM-6. The lanes of a batch are one queue.
pub(crate) async fn the_lanes_of_a_batch_are_one_queue(cx: Cx) {
    let mut expected = Vec::new();
    for (place, name) in ["a", "b", "a", "b"].into_iter().enumerate() {
        let priority = [1, 3, 2, 4][place];
        let id = cx
            .create(|args| {
                args.lane_id = LaneId::new(name);
                args.priority = priority;
            })
            .await;
        expected.push((std::cmp::Reverse(priority), id));
    }
    expected.sort();
    let mut args = batch_of(3);
    args.lanes = vec![LaneId::new("a"), LaneId::new("b"), LaneId::new("empty")];

    let claimed = cx.backend.claim_batch(args).await.unwrap();

    let claimed: Vec<_> =
        claimed.iter().map(|claimed| claimed.handle.execution_id().clone()).collect();
    let expected: Vec<_> = expected.into_iter().take(3).map(|(_, id)| id).collect();
    assert_eq!(claimed, expected);
}

/// CLAIM-6. A lane that is named twice gives nothing twice.
pub(crate) async fn a_lane_named_twice_gives_nothing_twice(cx: Cx) {
    let id = cx.given_created().await;
    let mut args = batch_of(10);
    args.lanes.push(lane());

    let claimed = cx.backend.claim_batch(args).await.unwrap();

    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].handle.execution_id(), &id);
}

/// CLAIM-6. Each claimed execution comes with what its handler needs.
pub(crate) async fn a_batch_brings_what_handlers_need(cx: Cx) {
    let args = cx.args_with(|args| {
        args.execution_kind = "send_mail".to_owned();
        args.input_payload = vec![0, 1, 255];
        args.payload_encoding = Some("msgpack".to_owned());
        args.tags = HashMap::from([("team".to_owned(), "blue".to_owned())]);
        args.policy = Some(crate::cx::retries(7, 3));
    });
    cx.backend.create_execution(args.clone()).await.unwrap();

    let claimed = cx.backend.claim_batch(batch_of(1)).await.unwrap();
    let again = cx.backend.read_execution_context(&args.execution_id).await.unwrap();

    let context = &claimed[0].context;
    assert_eq!(context, &again);
    assert_eq!((&context.lane_id, &context.namespace), (&args.lane_id, &args.namespace));
    assert_eq!(context.execution_kind, "send_mail");
    assert_eq!(context.input_payload, [0, 1, 255]);
    assert_eq!(context.payload_encoding.as_deref(), Some("msgpack"));
    assert_eq!((&context.tags, &context.policy), (&args.tags, &args.policy));
}

/// CLAIM-6. A claimed execution says how many attempts there have been.
pub(crate) async fn a_claimed_execution_counts_its_attempts(cx: Cx) {
    let first = cx.given_claimed().await;
    cx.fail_and_wait(&first).await;

    let claimed = cx.backend.claim_batch(batch_of(1)).await.unwrap();

    assert_eq!(claimed[0].handle.attempt_index(), AttemptIndex::new(1));
    assert_eq!(claimed[0].attempts(), 2);
}

/// CLAIM-6. A batch may be as large as the contract says.
pub(crate) async fn a_large_batch_is_claimed_whole(cx: Cx) {
    let args = (0..CLAIM_BATCH_MAX).map(|_| cx.args()).collect();
    cx.backend.create_executions(args).await.unwrap();

    let claimed = cx.claim_batch(CLAIM_BATCH_MAX).await;

    assert_eq!(claimed.len(), CLAIM_BATCH_MAX as usize);
    let answers = cx.backend.renew_batch(&claimed).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

/// CLAIM-6, EXEC-3. A batch outside the limits is refused, and takes nothing.
pub(crate) async fn a_bad_batch_is_refused(cx: Cx) {
    cx.given_created().await;
    let mut no_lane = batch_of(1);
    no_lane.lanes.clear();
    let mut bad_lane = batch_of(1);
    bad_lane.lanes.push(LaneId::new(""));

    let no_lane = cx.backend.claim_batch(no_lane).await.unwrap_err();
    let bad_lane = cx.backend.claim_batch(bad_lane).await.unwrap_err();
    let none = cx.backend.claim_batch(batch_of(0)).await.unwrap_err();
    let many = cx.backend.claim_batch(batch_of(CLAIM_BATCH_MAX + 1)).await.unwrap_err();

    assert_invalid(no_lane, "lanes");
    assert_invalid(bad_lane, "lane_id");
    assert_invalid(none, "max");
    assert_invalid(many, "max");
    cx.claim().await;
}
