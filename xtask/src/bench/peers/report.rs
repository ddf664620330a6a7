//! What a comparison says, as a table and as JSON.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::options::Options;
use super::program::{Figures, OURS, PEERS, Program, Store, Work};
use super::stats::{Better, Spread, mean};
use crate::shell::Outcome;

/// One thing that a work measures: its name, which of two figures is better, and where it is in [`Figures`].
struct Metric {
    name: &'static str,
    better: Better,
    of: fn(Figures) -> f64,
}

fn metrics(work: Work) -> &'static [Metric] {
    match work {
        Work::Create | Work::Drain => {
            &[Metric { name: "jobs/s", better: Better::Higher, of: first }]
        }
        Work::Pickup => &[
            Metric { name: "p50 ms", better: Better::Lower, of: first },
            Metric { name: "p99 ms", better: Better::Lower, of: second },
        ],
    }
}

fn first(figures: Figures) -> f64 {
    match figures {
        Figures::Rate(rate, _) => rate,
        Figures::Wait { p50, .. } => p50,
    }
}

fn second(figures: Figures) -> f64 {
    match figures {
        Figures::Rate(rate, _) => rate,
        Figures::Wait { p99, .. } => p99,
    }
}

/// The rounds of one work on one store.
pub(super) struct Rounds {
    store: Store,
    work: Work,
    peers: Vec<&'static Program>,
    /// One a round, with one entry for each peer.
    theirs: Vec<Vec<Option<Figures>>>,
    /// One a round: before the others' turns and after.
    ours: Vec<[Option<Figures>; 2]>,
    turns: Vec<Option<Figures>>,
}

impl Rounds {
    pub(super) fn new(store: Store, work: Work, peers: &[&'static Program]) -> Self {
        let turns = vec![None; peers.len()];
        Self { store, work, peers: peers.to_vec(), theirs: Vec::new(), ours: Vec::new(), turns }
    }

    /// What the peer in this place had in the round that goes on.
    pub(super) fn put(&mut self, place: usize, figures: Option<Figures>) {
        self.turns[place] = figures;
    }

    /// Ends the round, with what ours had in it.
    pub(super) fn end_round(&mut self, ours: [Option<Figures>; 2]) {
        self.ours.push(ours);
        let next = vec![None; self.peers.len()];
        self.theirs.push(std::mem::replace(&mut self.turns, next));
    }

    /// Ours first, then the others by name.
    fn rows(&self) -> Vec<Row> {
        metrics(self.work).iter().flat_map(|metric| self.rows_of(metric)).collect()
    }

    fn rows_of(&self, metric: &Metric) -> Vec<Row> {
        let ours: Vec<Figures> = self.ours.iter().flatten().flatten().copied().collect();
        let mut rows = vec![self.row(metric, OURS.name, &ours)];
        for (place, peer) in self.peers.iter().enumerate() {
            let theirs: Vec<Figures> =
                self.theirs.iter().filter_map(|round| round[place]).collect();
            let times = Spread::of(&self.times(metric, place));
            rows.push(Row { times_as_fast: times, ..self.row(metric, peer.name, &theirs) });
        }
        rows
    }

    /// How many times as fast ours was, in each round in which both ran: beside the mean of our two runs.
    fn times(&self, metric: &Metric, place: usize) -> Vec<f64> {
        let rounds = self.ours.iter().zip(&self.theirs);
        let times = rounds.filter_map(|(ours, theirs)| {
            let ours: Vec<f64> = ours.iter().flatten().map(|ours| (metric.of)(*ours)).collect();
            Some(metric.better.times_as_fast(mean(&ours)?, (metric.of)(theirs[place]?)))
        });
        times.collect()
    }

    fn row(&self, metric: &Metric, engine: &'static str, figures: &[Figures]) -> Row {
        let values: Vec<f64> = figures.iter().map(|figures| (metric.of)(*figures)).collect();
        let jobs = figures.iter().find_map(|figures| match figures {
            Figures::Rate(_, jobs) => Some(*jobs),
            Figures::Wait { .. } => None,
        });
        Row {
            store: self.store.name(),
            work: self.work.name(),
            metric: metric.name,
            engine,
            jobs,
            figures: Spread::of(&values),
            times_as_fast: None,
            runs: values,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    store: &'static str,
    work: &'static str,
    metric: &'static str,
    engine: &'static str,
    /// None where each is a sample of its own.
    jobs: Option<u64>,
    /// None when every run failed.
    figures: Option<Spread>,
    /// How many times as fast ours is; none for ours.
    times_as_fast: Option<Spread>,
    runs: Vec<f64>,
}

/// All of it.
pub(super) struct Report {
    options: Options,
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(options: &Options) -> Self {
        Self { options: options.clone(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, rounds: &Rounds) {
        self.rows.extend(rounds.rows());
    }

    /// The table, with what it leaves out below it.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        let mut part = "";
        for row in &self.rows {
            if row.engine == OURS.name {
                part = row.metric;
                // Writing to a string does not fail.
                let _ = writeln!(table, "\n{} on {}, {part}", row.work, row.store);
            }
            let _ = writeln!(table, "  {}", line(row, part));
        }
        table.push_str("\nThe last column: how many times as fast FlowFabric is, the median (and the least and the \
             most)\nof the rounds, each beside the mean of FlowFabric's runs before and after it.\n");
        for peer in PEERS.iter().filter(|peer| !peer.weaker.is_empty()) {
            if self.rows.iter().any(|row| row.engine == peer.name) {
                let _ = writeln!(table, "* {}: {}", peer.name, peer.weaker);
            }
        }
        table
    }

    pub(super) fn write(&self, path: &Path) -> Outcome<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let (slots, rounds) = (self.options.slots, self.options.rounds);
        let text = json!({"slots": slots, "rounds": rounds, "results": self.rows});
        Ok(std::fs::write(path, format!("{text:#}\n"))?)
    }
}

fn line(row: &Row, metric: &str) -> String {
    let Some(figures) = row.figures else {
        return format!("{:<18}{:>12}", row.engine, "failed");
    };
    let digits = if metric == "jobs/s" { 0 } else { 2 };
    let is_weaker = PEERS.iter().any(|peer| peer.name == row.engine && !peer.weaker.is_empty());
    let name = format!("{}{}", row.engine, if is_weaker { " *" } else { "" });
    let of = row.jobs.map_or_else(String::new, |jobs| format!("of {jobs}"));
    let times = row.times_as_fast.map_or_else(String::new, |times| {
        format!("{:.2}x ({:.2} to {:.2})", times.median, times.min, times.max)
    });
    let text = format!("{name:<18}{:>12.digits$}  {of:<12}{times}", figures.median);
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn rate(rate: f64) -> Option<Figures> {
        Some(Figures::Rate(rate, 1_000))
    }

    fn wait(p50: f64, p99: f64) -> Option<Figures> {
        Some(Figures::Wait { p50, p99 })
    }

    fn peers(names: &[&str]) -> Vec<&'static Program> {
        PEERS.iter().filter(|peer| names.contains(&peer.name)).collect()
    }

    fn report() -> Report {
        let peers = peers(&["effectum", "effectum-wal"]);
        let mut drain = Rounds::new(Store::Sqlite, Work::Drain, &peers);
        for (ours, [effectum, wal]) in [(900.0, [450.0, 1_000.0]), (1_100.0, [500.0, 1_100.0])] {
            drain.put(0, rate(effectum));
            drain.put(1, rate(wal));
            drain.end_round([rate(ours - 100.0), rate(ours + 100.0)]);
        }
        let mut pickup = Rounds::new(Store::Sqlite, Work::Pickup, &peers);
        pickup.put(0, wait(2.0, 3.0));
        pickup.end_round([wait(0.5, 1.0), None]);
        let mut report = Report::new(&Options::read(&[]).unwrap());
        report.add(&drain);
        report.add(&pickup);
        report
    }

    #[test]
    fn each_peer_is_set_beside_what_ours_had_in_its_round() {
        expect![[r#"

            drain on sqlite, jobs/s
              flowfabric                1000  of 1000
              effectum                   475  of 1000     2.10x (2.00 to 2.20)
              effectum-wal *            1050  of 1000     0.95x (0.90 to 1.00)

            pickup on sqlite, p50 ms
              flowfabric                0.50
              effectum                  2.00              4.00x (4.00 to 4.00)
              effectum-wal            failed

            pickup on sqlite, p99 ms
              flowfabric                1.00
              effectum                  3.00              3.00x (3.00 to 3.00)
              effectum-wal            failed

            The last column: how many times as fast FlowFabric is, the median (and the least and the most)
            of the rounds, each beside the mean of FlowFabric's runs before and after it.
            * effectum-wal: WAL with synchronous=NORMAL: commits are not synced
        "#]].assert_eq(&report().table());
    }

    #[test]
    fn the_json_has_every_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench").join("peers.json");
        report().write(&path).unwrap();
        let value: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let effectum = &value["results"][1];
        assert_eq!(effectum["engine"], "effectum");
        assert_eq!(effectum["runs"], json!([450.0, 500.0]));
        assert_eq!(effectum["times_as_fast"], json!({"median": 2.1, "min": 2.0, "max": 2.2}));
        assert_eq!(value["results"][5]["figures"], json!(null));
    }
}
