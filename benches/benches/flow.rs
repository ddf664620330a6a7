//! `cancel_flow`: a flow is cancelled with all its members, none of which a worker holds.

use ff_benches::report::{Case, Pair, Unit};
use ff_benches::run::rounds;
use ff_benches::{Bench, Outcome, Store, settings};

#[tokio::main]
async fn main() -> Outcome<()> {
    for store in Store::all() {
        let sizes = settings::sizes("FF_BENCH_MEMBERS", &[10, 1_000, 10_000], &[10, 100, 1_000]);
        for members in sizes {
            let mut bench = Bench::open(store).await?;
            let case = format!("{members} members");
            let case = Case { store, bench: "cancel_flow", case, unit: Unit::Milliseconds };
            let round = async |bench: &mut Bench| {
                let flow = bench.flow(members).await?;
                bench.settle().await?;
                Ok(Pair::from(bench.cancel_flow(&flow).await?))
            };
            rounds(&mut bench, case, round).await?;
        }
    }
    Ok(())
}
