//! `renew`: leases renewed a second while so many are held, in lists of 1,000 as a large worker does, and one by one.
//! The p99 is of one call.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use criterion::Criterion;
use ff_benches::report::{Case, Pair, Unit};
use ff_benches::run::{self, timed};
use ff_benches::work::LANE;
use ff_benches::{Bench, Floor, Outcome, Store, settings};
use tokio::runtime::Runtime;

const CASES: [(&str, usize); 2] = [("single", 1), ("batch/1000", 1_000)];

fn renew(criterion: &mut Criterion, runtime: &Runtime, store: Store) -> Outcome<()> {
    let held = settings::number("FF_BENCH_HELD", 10_000, 1_000);
    let (bench, mut floor, handles, weaker) = runtime.block_on(async {
        let bench = Bench::open(store).await?;
        let handles = bench.hold(held).await?;
        bench.settle().await?;
        let (floor, weaker) = (Floor::beside(&bench, LANE).await?, bench.weaker().await?);
        Outcome::Ok((bench, floor, handles, weaker))
    })?;
    let mut group = run::group(criterion, store, "renew");
    for (name, size) in CASES {
        let case = format!("{name}, {held} held");
        let case = Case { store, bench: "renew", case, unit: Unit::PerSecond("leases") };
        let mut lists = handles.chunks(size).cycle();
        run::sample(&mut group, (&case, weaker.clone()), &mut |iterations| {
            let calls = usize::try_from(iterations).unwrap().div_ceil(size);
            let lists: Vec<_> = lists.by_ref().take(calls).collect();
            let leases = lists.iter().map(|list| list.len() as u64).sum();
            runtime.block_on(async {
                let ours = timed(leases, bench.renew(&lists)).await.unwrap();
                Pair { ours, floor: Some(timed(leases, floor.renew(&lists)).await.unwrap()) }
            })
        })?;
    }
    group.finish();
    // A database is dropped by the runtime that made it.
    runtime.block_on(async move { drop((bench, floor)) });
    Ok(())
}

fn main() -> Outcome<()> {
    let mut criterion = run::criterion();
    let runtime = Runtime::new()?;
    for store in Store::all() {
        renew(&mut criterion, &runtime, store)?;
    }
    criterion.final_summary();
    Ok(())
}
