//! `claim_backlog`: one claim, durable, from a lane in which this many executions are ready.
//!
//! The time is that of one claim. Compare figures of one run only: disks and neighbours differ.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use ff_benches::{Bench, Store};
use tokio::runtime::Runtime;

const BACKLOGS: [u64; 4] = [0, 1_000, 100_000, 1_000_000];
/// Claims between two refills of the lane.
const ROUND: u64 = 100;

/// Times claims, and makes up for what they take.
async fn timed(bench: &Bench, claims: u64, refill: bool) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = claims;
    while left > 0 {
        let round = left.min(ROUND);
        let start = Instant::now();
        bench.claim(round).await.unwrap();
        elapsed += start.elapsed();
        if refill {
            bench.create_in_batches(round, round).await.unwrap();
        }
        left -= round;
    }
    elapsed
}

fn claim_backlog(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for store in Store::all() {
        let mut group = criterion.benchmark_group(format!("{}/claim_backlog", store.label()));
        group.sample_size(10);
        for ready in BACKLOGS {
            let bench = runtime.block_on(async {
                let bench = Bench::open(store).await.unwrap();
                bench.create_in_batches(ready, 10_000).await.unwrap();
                bench.settle().await.unwrap();
                bench
            });
            group.bench_function(format!("{ready} ready"), |bencher| {
                bencher.iter_custom(|claims| runtime.block_on(timed(&bench, claims, ready > 0)));
            });
            // A database is dropped by the runtime that made it.
            runtime.block_on(async move { drop(bench) });
        }
        group.finish();
    }
}

criterion_group!(benches, claim_backlog);
criterion_main!(benches);
