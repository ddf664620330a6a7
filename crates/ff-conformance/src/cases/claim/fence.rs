use ff_core::types::LaneId;

use crate::cx::{Cx, lane};

/// CLAIM-1. A paused lane gives no claims, and other lanes go on.
pub(crate) async fn a_paused_lane_gives_nothing(cx: Cx) {
    cx.given_created().await;
    cx.create(|args| args.lane_id = LaneId::new("other")).await;

    cx.backend.pause_lane(&lane()).await.unwrap();
    let paused = cx.try_claim().await;
    let mut both = crate::cx::batch_of(10);
    both.lanes.push(LaneId::new("other"));
    let of_both = cx.backend.claim_batch(both).await.unwrap();

    assert_eq!(paused, None);
    let lanes: Vec<_> = of_both.iter().map(|claimed| claimed.context.lane_id.as_str()).collect();
    assert_eq!(lanes, ["other"]);
}

/// CLAIM-1. A resumed lane gives what has been waiting.
pub(crate) async fn a_resumed_lane_gives_what_waited(cx: Cx) {
    cx.backend.pause_lane(&lane()).await.unwrap();
    let id = cx.given_created().await;
    let paused = cx.try_claim().await;

    cx.backend.resume_lane(&lane()).await.unwrap();

    assert_eq!(paused, None);
    assert_eq!(cx.claim().await.execution_id(), &id);
}

/// LEASE-1. Pausing a lane takes no lease from anybody.
pub(crate) async fn a_paused_lane_lets_its_leases_go_on(cx: Cx) {
    let handle = cx.given_claimed().await;

    cx.backend.pause_lane(&lane()).await.unwrap();

    cx.backend.renew(&handle).await.unwrap();
    cx.backend.complete(&handle, None).await.unwrap();
}

/// CLAIM-1, SAFE-7. A row that cannot be read delays no other.
pub(crate) async fn a_corrupt_row_delays_no_claim(cx: Cx) {
    let corrupt = cx.create(|args| args.priority = 9).await;
    cx.probe().write_word(&corrupt, "lifecycle_phase", "sleeping").await;
    let id = cx.given_created().await;

    let claimed = cx.claim_batch(10).await;

    let claimed: Vec<_> = claimed.iter().map(|handle| handle.execution_id().clone()).collect();
    assert_eq!(claimed, [id]);
}
