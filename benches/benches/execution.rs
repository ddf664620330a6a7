//! `create` and `lifecycle`: executions a second, every one durable; the p99 is of one execution.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use criterion::Criterion;
use ff_benches::report::{Case, Pair, Run, Unit};
use ff_benches::run::{self, timed};
use ff_benches::{Bench, Floor, Outcome, Store};
use tokio::runtime::Runtime;

/// What a case measures, of ours and of the floor.
#[derive(Clone, Copy)]
enum Work {
    Create { producers: u64 },
    CreateInBatches { size: u64 },
    Lifecycle { workers: u64 },
    LifecycleInBatches { size: u64 },
}

use Work::{Create, CreateInBatches, Lifecycle, LifecycleInBatches};

const CREATE: [(&str, Work); 4] = [
    ("single/1 producer", Create { producers: 1 }),
    ("single/16 producers", Create { producers: 16 }),
    ("batch/100", CreateInBatches { size: 100 }),
    ("batch/1000", CreateInBatches { size: 1_000 }),
];
const LIFECYCLE: [(&str, Work); 4] = [
    ("single/1 worker", Lifecycle { workers: 1 }),
    ("single/8 workers", Lifecycle { workers: 8 }),
    ("single/32 workers", Lifecycle { workers: 32 }),
    ("batch/100", LifecycleInBatches { size: 100 }),
];

async fn ours(bench: &Bench, work: Work, units: u64) -> Run {
    timed(units, async {
        match work {
            Create { producers } => bench.create(units, producers).await,
            CreateInBatches { size } => bench.create_in_batches(units, size).await,
            Lifecycle { workers } => bench.lifecycle(units, workers).await,
            LifecycleInBatches { size } => bench.lifecycle_in_batches(units, size).await,
        }
    })
    .await
    .unwrap()
}

async fn floor(floor: &mut Floor, work: Work, units: u64) -> Run {
    timed(units, async {
        match work {
            Create { producers } => floor.create(units, producers).await,
            CreateInBatches { size } => floor.create_in_batches(units, size).await,
            Lifecycle { workers } => floor.lifecycle(units, workers).await,
            LifecycleInBatches { size } => floor.lifecycle_in_batches(units, size).await,
        }
    })
    .await
    .unwrap()
}

impl Work {
    /// Whole batches only, for a batch of a few is no batch.
    fn units(self, iterations: u64) -> u64 {
        match self {
            CreateInBatches { size } | LifecycleInBatches { size } => {
                iterations.next_multiple_of(size)
            }
            Create { producers: at_once } | Lifecycle { workers: at_once } => {
                iterations.next_multiple_of(at_once)
            }
        }
    }
}

fn measure(
    criterion: &mut Criterion,
    runtime: &Runtime,
    (store, bench): (Store, &'static str),
    cases: &[(&str, Work)],
) -> Outcome<()> {
    let mut group = run::group(criterion, store, bench);
    for (name, work) in cases {
        let (open, mut beside, weaker) = runtime.block_on(async {
            let open = Bench::open(store).await?;
            let beside = Floor::beside(&open, "floor").await?;
            let weaker = open.weaker().await?;
            Outcome::Ok((open, beside, weaker))
        })?;
        let case =
            Case { store, bench, case: (*name).to_owned(), unit: Unit::PerSecond("executions") };
        run::sample(&mut group, (&case, weaker), &mut |iterations| {
            let units = work.units(iterations);
            runtime.block_on(async {
                let ours = ours(&open, *work, units).await;
                Pair { ours, floor: Some(floor(&mut beside, *work, units).await) }
            })
        })?;
        // A database is dropped by the runtime that made it.
        runtime.block_on(async move { drop((open, beside)) });
    }
    group.finish();
    Ok(())
}

fn main() -> Outcome<()> {
    let mut criterion = run::criterion();
    let runtime = Runtime::new()?;
    for store in Store::all() {
        measure(&mut criterion, &runtime, (store, "create"), &CREATE)?;
        measure(&mut criterion, &runtime, (store, "lifecycle"), &LIFECYCLE)?;
    }
    criterion.final_summary();
    Ok(())
}
