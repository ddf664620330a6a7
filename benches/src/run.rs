//! The two ways to measure: by criterion, where there are many iterations, and by plain rounds.
//!
//! In both, ours and the floor take turns, so that their ratio is one of the same minutes.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

use crate::report::{Case, Figure, Pair, Run};
use crate::{Bench, Outcome, Store, settings};

/// As few as criterion allows.
const SAMPLES: usize = 10;

/// Measures some work.
///
/// # Errors
/// Those of the work.
pub async fn timed<E>(
    units: u64,
    work: impl Future<Output = Result<Vec<Duration>, E>>,
) -> Result<Run, E> {
    let start = Instant::now();
    let latencies = work.await?;
    Ok(Run { units, elapsed: start.elapsed(), latencies })
}

/// A criterion that knows the settings and draws nothing.
pub fn criterion() -> Criterion {
    Criterion::default().configure_from_args().without_plots()
}

/// A group of cases of one bench on one store.
pub fn group<'c>(
    criterion: &'c mut Criterion,
    store: Store,
    bench: &str,
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("{}/{bench}", store.label()));
    let warm_up = settings::measured().min(Duration::from_secs(3)) / 4;
    group.measurement_time(settings::measured()).warm_up_time(warm_up);
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat).nresamples(1_001);
    group
}

/// Lets criterion say how many iterations a sample should have, and keeps what each came to. It may have more.
///
/// Criterion's own report is of our time alone.
///
/// # Errors
/// When the file of the figure cannot be written.
pub fn sample(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (case, weaker): (&Case, Option<String>),
    // Not a type of its own, so that criterion is compiled once and not for every bench.
    measure: &mut dyn FnMut(u64) -> Pair,
) -> Outcome<()> {
    let mut pairs = Vec::new();
    group.bench_function(&case.case, |bencher| {
        bencher.iter_custom(|iterations| {
            let pair = measure(iterations);
            let one = pair.ours.elapsed.as_secs_f64() / pair.ours.units as f64;
            pairs.push(pair);
            Duration::from_secs_f64(one * iterations as f64)
        });
    });
    // The first ones warmed up; there are none at all when the case was filtered out.
    let measured = &pairs[pairs.len().saturating_sub(SAMPLES)..];
    if measured.is_empty() { Ok(()) } else { Figure::new(case, measured, weaker).write() }
}

/// Repeats what takes long by itself, on one store, and reports it.
///
/// # Errors
/// Those of the work; when the file of the figure cannot be written.
pub async fn rounds(
    bench: &mut Bench,
    case: Case,
    mut measure: impl AsyncFnMut(&mut Bench) -> Outcome<Pair>,
) -> Outcome<()> {
    let mut pairs = Vec::new();
    for _ in 0..settings::rounds() {
        pairs.push(measure(bench).await?);
    }
    Figure::new(&case, &pairs, bench.weaker().await?).write()
}
