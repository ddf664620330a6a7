//! `create` and `lifecycle`: executions a second, every one durable (SQLite by `synchronous=FULL`, PostgreSQL
//! by what its server is set to).
//!
//! The time is that of one execution. Compare figures of one run only: disks and neighbours differ.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use ff_benches::{Bench, Store};
use tokio::runtime::Runtime;

const MEASURED: Duration = Duration::from_secs(5);

/// Times `iterations` executions of the work on a new store.
fn timed(
    (runtime, store): (&Runtime, Store),
    iterations: u64,
    work: impl AsyncFnOnce(&Bench, u64),
) -> Duration {
    runtime.block_on(async {
        let bench = Bench::open(store).await.unwrap();
        let start = Instant::now();
        work(&bench, iterations).await;
        start.elapsed()
    })
}

fn create(criterion: &mut Criterion) {
    for store in Store::all() {
        create_on(criterion, store);
    }
}

fn create_on(criterion: &mut Criterion, store: Store) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group(format!("{}/create", store.label()));
    group.measurement_time(MEASURED).sample_size(10);
    for producers in [1, 16] {
        group.bench_function(format!("single/{producers} producers"), |bencher| {
            bencher.iter_custom(|iterations| {
                timed((&runtime, store), iterations, async |bench, executions| {
                    bench.create(executions, producers).await.unwrap();
                })
            });
        });
    }
    for size in [100, 1_000] {
        group.bench_function(format!("batch/{size}"), |bencher| {
            bencher.iter_custom(|iterations| {
                timed((&runtime, store), iterations, async |bench, executions| {
                    bench.create_in_batches(executions, size).await.unwrap();
                })
            });
        });
    }
    group.finish();
}

fn lifecycle(criterion: &mut Criterion) {
    for store in Store::all() {
        lifecycle_on(criterion, store);
    }
}

fn lifecycle_on(criterion: &mut Criterion, store: Store) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group(format!("{}/lifecycle", store.label()));
    group.measurement_time(MEASURED).sample_size(10);
    for workers in [1, 8, 32] {
        group.bench_function(format!("single/{workers} workers"), |bencher| {
            bencher.iter_custom(|iterations| {
                timed((&runtime, store), iterations, async |bench, executions| {
                    bench.lifecycle(executions, workers).await.unwrap();
                })
            });
        });
    }
    group.bench_function("batch/100", |bencher| {
        bencher.iter_custom(|iterations| {
            timed((&runtime, store), iterations, async |bench, executions| {
                bench.lifecycle_in_batches(executions, 100).await.unwrap();
            })
        });
    });
    group.finish();
}

criterion_group!(benches, create, lifecycle);
criterion_main!(benches);
