//! `drain`, `pickup` and `held_snapshot`: the worker runtime at work.
//!
//! The floor of a `drain` is one loop of batch statements. A `drain` under a held snapshot is compared with the
//! same one on a store that had the same work before, without a snapshot: that is its "floor".

use std::sync::Arc;
use std::time::{Duration, Instant};

use ff_benches::report::{Case, Pair, Run, Unit};
use ff_benches::run::rounds;
use ff_benches::store::Snapshot;
use ff_benches::work::LOAD;
use ff_benches::{Bench, Floor, Outcome, Store, settings};

const SLOTS: [usize; 3] = [1, 8, 32];
/// Executions that are created, claimed and completed at a time while a snapshot is held.
const CHURN: u64 = 100;

#[tokio::main]
async fn main() -> Outcome<()> {
    let backlog = settings::number("FF_BENCH_DRAIN", 100_000, 2_000);
    for store in Store::all() {
        for slots in SLOTS {
            drain(store, backlog, slots).await?;
        }
        pickup(store).await?;
        held_snapshot(store, backlog).await?;
    }
    Ok(())
}

async fn drain(store: Store, backlog: u64, slots: usize) -> Outcome<()> {
    let mut bench = Bench::open(store).await?;
    let mut floor = Floor::beside(&bench, "floor").await?;
    let case = format!("{slots} slots");
    let case = Case { store, bench: "drain", case, unit: Unit::PerSecond("executions") };
    let round = async |bench: &mut Bench| {
        let ours = bench.drain(backlog, slots).await?;
        floor.create_in_batches(backlog, LOAD).await?;
        bench.settle().await?;
        let start = Instant::now();
        let units = floor.drain().await?;
        Ok(Pair { ours, floor: Some(Run { units, elapsed: start.elapsed(), latencies: vec![] }) })
    };
    rounds(&mut bench, case, round).await
}

/// In one process the worker is woken by the backend that it shares; between two, by the store.
async fn pickup(store: Store) -> Outcome<()> {
    let count = settings::number("FF_BENCH_PICKUPS", 500, 34);
    let mut bench = Bench::open(store).await?;
    let places =
        [("same process", Arc::clone(&bench.backend)), ("another process", bench.another().await?)];
    for (place, worker) in places {
        let case = place.to_owned();
        let case = Case { store, bench: "pickup", case, unit: Unit::Milliseconds };
        let round = async |bench: &mut Bench| {
            Ok(Pair::from(bench.pickups(count, Arc::clone(&worker)).await?))
        };
        rounds(&mut bench, case, round).await?;
    }
    Ok(())
}

async fn held_snapshot(store: Store, backlog: u64) -> Outcome<()> {
    let churn = Duration::from_secs(settings::number("FF_BENCH_CHURN_SECONDS", 60, 1));
    let mut bench = Bench::open(store).await?;
    let case = format!("8 slots, after {} s", churn.as_secs());
    let case = Case { store, bench: "held_snapshot", case, unit: Unit::PerSecond("executions") };
    let round = async |bench: &mut Bench| {
        // Each on a new store, so that neither has the dead rows of the other.
        *bench = Bench::open(store).await?;
        let plain = churned(bench, churn, backlog).await?;
        *bench = Bench::open(store).await?;
        let snapshot = Snapshot::hold(bench).await?;
        let held = churned(bench, churn, backlog).await?;
        snapshot.release().await?;
        Ok(Pair { ours: held, floor: Some(plain) })
    };
    rounds(&mut bench, case, round).await
}

/// A drain on a store that has been at work for a while.
async fn churned(bench: &Bench, churn: Duration, backlog: u64) -> Outcome<Run> {
    let start = Instant::now();
    while start.elapsed() < churn {
        bench.lifecycle_in_batches(CHURN, CHURN).await?;
    }
    bench.drain(backlog, 8).await
}
