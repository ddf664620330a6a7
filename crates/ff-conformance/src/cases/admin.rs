use ff_core::contracts::LaneInfo;
use ff_core::engine_error::EngineError;
use ff_core::state::LaneState;
use ff_core::types::LaneId;

use crate::assertions::assert_invalid;
use crate::cx::{Cx, ONE_MS, lane};

fn info(name: &str, state: LaneState) -> LaneInfo {
    LaneInfo { lane_id: LaneId::new(name), state }
}

/// READ-1. The lanes are those that were created in or paused, by name; resuming makes none.
pub(crate) async fn lanes_are_listed_by_name(cx: Cx) {
    for name in ["b", "a", "b"] {
        cx.create(|args| args.lane_id = LaneId::new(name)).await;
    }
    cx.backend.pause_lane(&LaneId::new("c")).await.unwrap();
    cx.backend.resume_lane(&LaneId::new("never-seen")).await.unwrap();

    let lanes = cx.backend.list_lanes().await.unwrap();

    let expected =
        [info("a", LaneState::Active), info("b", LaneState::Active), info("c", LaneState::Paused)];
    assert_eq!(lanes, expected);
}

/// READ-1, EXEC-4. The lanes of a batch are listed too.
pub(crate) async fn the_lanes_of_a_batch_are_listed(cx: Cx) {
    let batch = ["b", "a"].map(|name| cx.args_with(|args| args.lane_id = LaneId::new(name)));
    cx.backend.create_executions(batch.to_vec()).await.unwrap();

    let lanes = cx.backend.list_lanes().await.unwrap();

    assert_eq!(lanes, [info("a", LaneState::Active), info("b", LaneState::Active)]);
}

/// SAFE-3. Pausing and resuming may be repeated.
pub(crate) async fn pausing_and_resuming_may_be_repeated(cx: Cx) {
    for _ in 0..2 {
        cx.backend.pause_lane(&lane()).await.unwrap();
    }
    let paused = cx.backend.list_lanes().await.unwrap();
    for _ in 0..2 {
        cx.backend.resume_lane(&lane()).await.unwrap();
    }
    let resumed = cx.backend.list_lanes().await.unwrap();

    assert_eq!(paused, [info("default", LaneState::Paused)]);
    assert_eq!(resumed, [info("default", LaneState::Active)]);
}

/// CLAIM-1. A lane stays paused when executions are created in it and when the store is opened again.
pub(crate) async fn a_lane_stays_paused(cx: Cx) {
    cx.backend.pause_lane(&lane()).await.unwrap();
    cx.given_created().await;

    let other = cx.store.reopen().await;

    let lanes = other.list_lanes().await.unwrap();
    assert_eq!(lanes, [info("default", LaneState::Paused)]);
    let offered = ff_core::backend::CapabilitySet::default();
    let claimed = other.claim(&lane(), &offered, crate::cx::worker("worker")).await.unwrap();
    assert_eq!(claimed, None);
}

/// EXEC-3. A lane outside the limits cannot be paused or resumed.
pub(crate) async fn a_bad_lane_is_refused(cx: Cx) {
    for name in ["", "a\0b", &"l".repeat(257)] {
        let lane = LaneId::new(name);
        assert_invalid(cx.backend.pause_lane(&lane).await.unwrap_err(), "lane_id");
        assert_invalid(cx.backend.resume_lane(&lane).await.unwrap_err(), "lane_id");
    }
    assert!(cx.backend.list_lanes().await.unwrap().is_empty());
}

/// READ-1. The backend tells its clock's time.
pub(crate) async fn the_backend_tells_the_time(cx: Cx) {
    let before = cx.backend.now().await.unwrap();
    cx.advance(ONE_MS * 7);

    let after = cx.backend.now().await.unwrap();

    assert_eq!(before, crate::cx::START);
    assert_eq!(after, crate::cx::after_start(7));
}

/// SAFE-3. A store may be asked for a sign of life and be prepared as often as one likes.
pub(crate) async fn a_store_may_be_prepared_again(cx: Cx) {
    let id = cx.given_created().await;

    for _ in 0..2 {
        cx.backend.ping().await.unwrap();
        cx.backend.prepare().await.unwrap();
    }

    assert_eq!(cx.claim().await.execution_id(), &id);
}

/// SAFE-1. After a shutdown calls answer that the backend is gone, and what it accepted is kept.
pub(crate) async fn a_shutdown_keeps_what_was_accepted(cx: Cx) {
    let handle = cx.given_claimed().await;
    let other = cx.store.reopen().await;
    cx.backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();

    cx.backend.shutdown().await.unwrap();

    let late = cx.backend.create_execution(cx.args()).await.unwrap_err();
    assert!(matches!(late, EngineError::Transport { .. }), "{late:?}");
    let read = cx.backend.describe_execution(handle.execution_id()).await.unwrap_err();
    assert!(matches!(read, EngineError::Transport { .. }), "{read:?}");
    let result = other.get_execution_result(handle.execution_id()).await.unwrap();
    assert_eq!(result, Some(b"result".to_vec()));
}

/// SAFE-3. Shutting down again is fine.
pub(crate) async fn a_shutdown_may_be_repeated(cx: Cx) {
    cx.backend.shutdown().await.unwrap();

    cx.backend.shutdown().await.unwrap();
}
