use ff_core::contracts::{EventStream, ExecutionFilter};
use ff_core::state::PublicState;

use crate::store::Snapshot;
use crate::work::LANE;
use crate::{Bench, Floor, Store};

/// As the tests of the backends: SQLite always, and PostgreSQL where there is a server.
fn stores() -> Vec<Store> {
    let has_server = std::env::var_os("FF_PG_TEST_URL").is_some_and(|url| !url.is_empty());
    if has_server { vec![Store::Sqlite, Store::Postgres] } else { vec![Store::Sqlite] }
}

async fn count(bench: &Bench, state: PublicState) -> u64 {
    let counts = bench.backend.count_executions(&ExecutionFilter::default()).await.unwrap();
    counts.iter().filter(|count| count.public_state == state).map(|count| count.count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_that_is_measured_is_done() {
    for store in stores() {
        let bench = Bench::open(store).await.unwrap();
        assert_eq!(bench.lifecycle(10, 4).await.unwrap().len(), 10);
        bench.lifecycle_in_batches(10, 4).await.unwrap();
        assert_eq!(count(&bench, PublicState::Completed).await, 20);

        let drained = bench.drain(10, 2).await.unwrap();
        assert_eq!((drained.units, count(&bench, PublicState::Completed).await), (10, 30));
        bench.settle_events().await;
        assert_eq!(bench.catch_up(EventStream::Completion).await.unwrap(), 30);

        let worker = bench.another().await.unwrap();
        assert_eq!(bench.pickups(1, worker).await.unwrap().latencies.len(), 1);

        let flow = bench.flow(3).await.unwrap();
        bench.cancel_flow(&flow).await.unwrap();
        assert_eq!(count(&bench, PublicState::Cancelled).await, 3);

        bench.create_blocked(1, 1).await.unwrap();
        bench.claim(1).await.unwrap();
        assert_eq!(count(&bench, PublicState::Waiting).await, 1);

        let held = bench.hold(2).await.unwrap();
        bench.renew(&[&held[..1], &held[1..]]).await.unwrap();
        Snapshot::hold(&bench).await.unwrap().release().await.unwrap();
    }
}

#[tokio::test]
async fn the_floor_leaves_what_the_engine_leaves() {
    for store in stores() {
        let bench = Bench::open(store).await.unwrap();
        let mut floor = Floor::beside(&bench, "floor").await.unwrap();
        floor.create(5, 2).await.unwrap();
        floor.create_in_batches(5, 3).await.unwrap();
        assert_eq!(count(&bench, PublicState::Waiting).await, 10);
        floor.claim(1).await.unwrap();
        assert_eq!(count(&bench, PublicState::Running).await, 1);
        assert_eq!(floor.drain().await.unwrap(), 9);
        floor.lifecycle(5, 2).await.unwrap();
        floor.lifecycle_in_batches(5, 2).await.unwrap();
        assert_eq!(count(&bench, PublicState::Completed).await, 19);
        bench.settle_events().await;
        assert_eq!(bench.catch_up(EventStream::Lease).await.unwrap(), 20);
        assert_eq!(bench.catch_up(EventStream::Completion).await.unwrap(), 19);

        let mut beside = Floor::beside(&bench, LANE).await.unwrap();
        let held = bench.hold(2).await.unwrap();
        beside.renew(&[&held]).await.unwrap();
        bench.renew(&[&held]).await.unwrap();
    }
}
