//! `events`: a subscriber that is so many events behind reads them, page by page.

use std::time::Instant;

use ff_benches::report::{Case, Pair, Run, Unit};
use ff_benches::run::rounds;
use ff_benches::work::{LOAD, Latencies};
use ff_benches::{Bench, Outcome, Store, settings};
use ff_core::contracts::EventStream;

/// Every execution that is claimed and completed leaves one event in each of these.
const STREAMS: [EventStream; 2] = [EventStream::Lease, EventStream::Completion];

#[tokio::main]
async fn main() -> Outcome<()> {
    let behind = settings::number("FF_BENCH_EVENTS", 1_000_000, 10_000);
    for store in Store::all() {
        let mut bench = Bench::open(store).await?;
        bench.lifecycle_in_batches(behind, LOAD).await?;
        bench.settle().await?;
        bench.settle_events().await;
        for stream in STREAMS {
            let case = format!("{} stream, {behind} behind", stream.as_str());
            let case = Case { store, bench: "events", case, unit: Unit::PerSecond("events") };
            let round = async |bench: &mut Bench| {
                let start = Instant::now();
                let units = bench.catch_up(stream).await?;
                let elapsed = start.elapsed();
                if units < behind {
                    return Err(format!("only {units} events were read").into());
                }
                Ok(Pair::from(Run { units, elapsed, latencies: Latencies::new() }))
            };
            rounds(&mut bench, case, round).await?;
        }
    }
    Ok(())
}
