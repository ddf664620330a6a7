//! What a case came to, and the file that it is written to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::stats::{median, millis, percentile, range};
use crate::{Outcome, Store};

/// Single ones that a p99 is of, at least.
const P99_OF: usize = 100;

/// What is measured, and what its figure is.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where.
    pub store: Store,
    /// The bench, such as `lifecycle`.
    pub bench: &'static str,
    /// Which of its cases, such as `single/32 workers`.
    pub case: String,
    /// What its figure is.
    pub unit: Unit,
}

/// What a figure is.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// So many of these a second.
    PerSecond(&'static str),
    /// What one takes.
    Milliseconds,
}

/// Work that was done once.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How much.
    pub units: u64,
    /// In which time.
    pub elapsed: Duration,
    /// What single ones took, where each is waited for.
    pub latencies: Vec<Duration>,
}

/// The same work by us and by the floor, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// By us.
    pub ours: Run,
    /// By what it is compared with, where there is such a thing.
    pub floor: Option<Run>,
}

impl From<Run> for Pair {
    fn from(ours: Run) -> Self {
        Self { ours, floor: None }
    }
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    store: &'static str,
    bench: &'static str,
    case: String,
    unit: String,
    median: f64,
    min: f64,
    max: f64,
    /// Of single ones, in milliseconds.
    p99: Option<f64>,
    /// The floor's median.
    floor: Option<f64>,
    /// How fast we are beside the floor, 1 being as fast: the median of the pairs.
    ratio: Option<f64>,
    /// Settings of the store that are weaker than durable ones.
    weaker: Option<String>,
}

impl Unit {
    /// The figure of one run.
    fn figure(self, run: &Run) -> f64 {
        match self {
            Self::PerSecond(_) => run.units as f64 / run.elapsed.as_secs_f64(),
            Self::Milliseconds => median(&millis(&run.latencies)),
        }
    }

    /// How fast the first is beside the second.
    fn ratio(self, ours: f64, floor: f64) -> f64 {
        match self {
            Self::PerSecond(_) => ours / floor,
            Self::Milliseconds => floor / ours,
        }
    }
}

impl Figure {
    /// What the pairs come to.
    pub fn new(case: &Case, pairs: &[Pair], weaker: Option<String>) -> Self {
        let figure = |run: &Run| case.unit.figure(run);
        let ours: Vec<f64> = pairs.iter().map(|pair| figure(&pair.ours)).collect();
        let both = pairs.iter().filter_map(|pair| Some((figure(&pair.ours), pair.floor.as_ref()?)));
        let both: Vec<(f64, f64)> = both.map(|(ours, floor)| (ours, figure(floor))).collect();
        let floor: Vec<f64> = both.iter().map(|(_, floor)| *floor).collect();
        let ratios: Vec<f64> =
            both.iter().map(|(ours, floor)| case.unit.ratio(*ours, *floor)).collect();
        let latencies: Vec<f64> =
            pairs.iter().flat_map(|pair| millis(&pair.ours.latencies)).collect();
        let (min, max) = range(&ours);
        Self {
            store: case.store.label(),
            bench: case.bench,
            case: case.case.clone(),
            unit: match case.unit {
                Unit::PerSecond(what) => format!("{what}/s"),
                Unit::Milliseconds => "ms".to_owned(),
            },
            median: median(&ours),
            min,
            max,
            // Of a few it would only be the largest.
            p99: percentile(&latencies, 0.99).filter(|_| latencies.len() >= P99_OF),
            floor: (!floor.is_empty()).then(|| median(&floor)),
            ratio: (!ratios.is_empty()).then(|| median(&ratios)),
            weaker,
        }
    }

    /// Writes it into the folder of the run, and a line to the terminal.
    ///
    /// # Errors
    /// When the file cannot be written.
    #[expect(clippy::print_stdout, reason = "it is what a bench is run for")]
    pub fn write(&self) -> Outcome<()> {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(self.file_name()), serde_json::to_string_pretty(self)?)?;
        let floor = self.ratio.map(|ratio| format!(", {ratio:.2} of the floor"));
        let (store, bench, case, unit) = (self.store, self.bench, &self.case, &self.unit);
        println!("{store} {bench} {case}: {:.1} {unit}{}", self.median, floor.unwrap_or_default());
        Ok(())
    }

    fn file_name(&self) -> String {
        let name = format!("{}-{}-{}", self.store, self.bench, self.case);
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        format!("{}.json", name.chars().map(plain).collect::<String>())
    }
}

fn folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::env::var_os("FF_BENCH_OUT").map_or_else(default, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(units: u64, millis: u64) -> Run {
        Run { units, elapsed: Duration::from_millis(millis), latencies: Vec::new() }
    }

    fn case(unit: Unit) -> Case {
        Case { store: Store::Sqlite, bench: "lifecycle", case: "single/8 workers".into(), unit }
    }

    #[test]
    fn a_rate_is_compared_pair_by_pair() {
        // Both are half as fast in the second pair: the machine was, and the ratio stays.
        let pairs = [(1_000, 500), (2_000, 1_000), (1_000, 500)]
            .map(|(ours, floor)| Pair { ours: run(100, ours), floor: Some(run(100, floor)) });
        let figure = Figure::new(&case(Unit::PerSecond("executions")), &pairs, None);
        assert_eq!((figure.median, figure.min, figure.max), (100.0, 50.0, 100.0));
        assert_eq!((figure.floor, figure.ratio, figure.p99), (Some(200.0), Some(0.5), None));
        assert_eq!(figure.unit, "executions/s");
        assert_eq!(figure.file_name(), "sqlite-lifecycle-single-8-workers.json");
    }

    #[test]
    fn a_latency_is_that_of_single_ones() {
        let mut ours = run(100, 5_050);
        ours.latencies = (1..=100).map(Duration::from_millis).collect();
        let floor = Run { latencies: vec![Duration::from_millis(10)], ..run(1, 10) };
        let pair = Pair { ours, floor: Some(floor) };
        let figure = Figure::new(&case(Unit::Milliseconds), &[pair], Some("fsync=off".into()));
        assert_eq!((figure.median, figure.p99), (50.5, Some(99.0)));
        assert_eq!(figure.ratio, Some(10.0 / 50.5));
        assert_eq!(figure.weaker.as_deref(), Some("fsync=off"));
    }
}
