//! `claim_backlog`: one claim, durable, from a lane in which so many executions are ready; and from one in which
//! so many that the worker may not take stand in front of those that it may.
//!
//! The figure is the median of single claims, and the p99 beside it. The floor takes from the same queue.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use criterion::Criterion;
use ff_benches::report::{Case, Pair, Run, Unit};
use ff_benches::run;
use ff_benches::work::LANE;
use ff_benches::{Bench, Floor, Outcome, Store, settings};
use tokio::runtime::Runtime;

/// Claims between two refills of the lane.
const ROUND: u64 = 100;
/// Claims in a sample at least, because a refill takes more of criterion's time than a claim.
const CLAIMS: u64 = 20;
/// What the lane is filled by.
const LOAD: u64 = 10_000;

/// What stands in the lane.
#[derive(Clone, Copy)]
enum Lane {
    Ready(u64),
    Blocked(u64),
}

/// Claims in turns, and makes up for what they take.
async fn claims(bench: &Bench, floor: &mut Floor, (lane, claims): (Lane, u64)) -> Pair {
    let (mut ours, mut theirs) = (Run::default(), Run::default());
    let mut left = claims;
    while left > 0 {
        let round = left.min(ROUND);
        if !matches!(lane, Lane::Ready(0)) {
            bench.create_in_batches(2 * round, 2 * round).await.unwrap();
        }
        note(&mut ours, run::timed(round, bench.claim(round)).await.unwrap());
        note(&mut theirs, run::timed(round, floor.claim(round)).await.unwrap());
        left -= round;
    }
    Pair { ours, floor: Some(theirs) }
}

fn note(sum: &mut Run, run: Run) {
    sum.units += run.units;
    sum.elapsed += run.elapsed;
    sum.latencies.extend(run.latencies);
}

async fn open(store: Store, lane: Lane) -> Outcome<(Bench, Floor, Option<String>)> {
    let bench = Bench::open(store).await?;
    match lane {
        Lane::Ready(ready) => bench.create_in_batches(ready, LOAD).await.map(drop)?,
        Lane::Blocked(blocked) => bench.create_blocked(blocked, LOAD).await?,
    }
    bench.settle().await?;
    let (floor, weaker) = (Floor::beside(&bench, LANE).await?, bench.weaker().await?);
    Ok((bench, floor, weaker))
}

fn claim_backlog(criterion: &mut Criterion, store: Store, lanes: &[Lane]) -> Outcome<()> {
    let runtime = Runtime::new()?;
    let mut group = run::group(criterion, store, "claim_backlog");
    for lane in lanes {
        let (bench, mut floor, weaker) = runtime.block_on(open(store, *lane))?;
        let case = match lane {
            Lane::Ready(ready) => format!("{ready} ready"),
            Lane::Blocked(blocked) => format!("behind {blocked} blocked"),
        };
        let case = Case { store, bench: "claim_backlog", case, unit: Unit::Milliseconds };
        run::sample(&mut group, (&case, weaker), &mut |iterations| {
            runtime.block_on(claims(&bench, &mut floor, (*lane, iterations.max(CLAIMS))))
        })?;
        // A database is dropped by the runtime that made it.
        runtime.block_on(async move { drop((bench, floor)) });
    }
    group.finish();
    Ok(())
}

fn main() -> Outcome<()> {
    let mut criterion = run::criterion();
    let full = [0, 1_000, 100_000, 1_000_000];
    let ready = settings::sizes("FF_BENCH_READY", &full, &[0, 1_000, 10_000]);
    let blocked = Lane::Blocked(settings::number("FF_BENCH_BLOCKED", 100_000, 10_000));
    let lanes: Vec<Lane> = ready.into_iter().map(Lane::Ready).chain([blocked]).collect();
    for store in Store::all() {
        claim_backlog(&mut criterion, store, &lanes)?;
    }
    criterion.final_summary();
    Ok(())
}
