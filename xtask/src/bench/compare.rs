//! Runs of two versions, compared: medians over the rounds, and what became slower than it may.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use super::Figure;
use super::table::number;
use crate::shell::{Outcome, Told};

/// The part of its speed that a median may lose.
const SPEED_LOST: f64 = 0.10;
/// The part by which a p99 may grow.
const P99_GROWN: f64 = 0.20;

/// Store, bench and case.
type Key = (String, String, String);

/// A case as it was and as it is.
#[derive(Debug)]
struct Change {
    key: Key,
    unit: String,
    median: (f64, f64),
    p99: Option<(f64, f64)>,
}

/// What two versions' rounds come to.
#[derive(Debug, Default)]
struct Comparison {
    changes: Vec<Change>,
    /// Cases that only one of them has.
    gone: Vec<Key>,
    new: Vec<Key>,
}

/// Reads the rounds, prints the table as Markdown, and fails on what became too slow.
pub(super) fn run(files: &[&str]) -> Outcome<()> {
    let mut sides = files.splitn(2, |file| *file == "--with");
    let (Some(base @ [_, ..]), Some(head @ [_, ..])) = (sides.next(), sides.next()) else {
        return Err("usage: cargo xtask bench --compare BASE.json.. --with HEAD.json..".into());
    };
    let comparison = compare(&read(base)?, &read(head)?);
    println!("{}", comparison.markdown());
    if comparison.changes.is_empty() {
        return Err("the two have no case in common".into());
    }
    if comparison.changes.iter().any(Change::is_too_slow) { Err(Told.into()) } else { Ok(()) }
}

fn read(files: &[&str]) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for file in files {
        let read = || Outcome::Ok(serde_json::from_str::<Vec<_>>(&fs::read_to_string(file)?)?);
        figures.extend(read().map_err(|problem| format!("{file}: {problem}"))?);
    }
    Ok(figures)
}

/// Compares the figures of all rounds of one version with those of another.
fn compare(base: &[Figure], head: &[Figure]) -> Comparison {
    let (mut base, mut comparison) = (by_case(base), Comparison::default());
    for (key, is) in by_case(head) {
        match base.remove(&key) {
            None => comparison.new.push(key),
            Some(was) => comparison.changes.push(Change {
                key,
                unit: is[0].unit.clone(),
                median: (medians(&was), medians(&is)),
                p99: p99(&was).zip(p99(&is)),
            }),
        }
    }
    comparison.gone = base.into_keys().collect();
    comparison
}

fn by_case(figures: &[Figure]) -> BTreeMap<Key, Vec<&Figure>> {
    let mut cases = BTreeMap::<Key, Vec<&Figure>>::new();
    for figure in figures {
        let key = (figure.store.clone(), figure.bench.clone(), figure.case.clone());
        cases.entry(key).or_default().push(figure);
    }
    cases
}

fn medians(rounds: &[&Figure]) -> f64 {
    median(rounds.iter().map(|figure| figure.median).collect())
}

/// Where every round has one.
fn p99(rounds: &[&Figure]) -> Option<f64> {
    let values: Option<Vec<f64>> = rounds.iter().map(|figure| figure.p99).collect();
    values.map(median)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

impl Change {
    /// How fast it is beside what it was: 1 is as fast, 2 twice as fast.
    fn speed(&self) -> f64 {
        let (base, head) = self.median;
        if self.unit == "ms" { base / head } else { head / base }
    }

    fn p99_growth(&self) -> Option<f64> {
        self.p99.map(|(base, head)| head / base)
    }

    fn is_too_slow(&self) -> bool {
        self.speed() < 1.0 - SPEED_LOST
            || self.p99_growth().is_some_and(|grown| grown > 1.0 + P99_GROWN)
    }

    fn row(&self) -> String {
        let ((store, bench, case), (base, head)) = (&self.key, self.median);
        let p99 = self.p99.map_or_else(
            || " | ".to_owned(),
            |(base, head)| {
                format!("{} to {} | {}", number(base), number(head), percent(head / base))
            },
        );
        let verdict = if self.is_too_slow() { "**slower**" } else { "" };
        format!(
            "| {bench} | {store} | {case} | {} | {} | {} | {} | {p99} | {verdict} |",
            number(base),
            number(head),
            self.unit,
            percent(self.speed()),
        )
    }
}

fn percent(ratio: f64) -> String {
    format!("{:+.0} %", (ratio - 1.0) * 100.0)
}

impl Comparison {
    fn markdown(&self) -> String {
        let mut text = String::from(
            "| bench | store | case | base | head | unit | speed | p99 ms | p99 change | |\n\
             | --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: | --- |\n",
        );
        for change in &self.changes {
            text.push_str(&change.row());
            text.push('\n');
        }
        for (what, keys) in [("Only in the base", &self.gone), ("Only in the head", &self.new)] {
            let names: Vec<String> =
                keys.iter().map(|(store, bench, case)| format!("{store} {bench} {case}")).collect();
            if !names.is_empty() {
                // Writing to a string does not fail.
                let _ = writeln!(text, "\n{what}: {}.", names.join(", "));
            }
        }
        let slow = self.changes.iter().filter(|change| change.is_too_slow()).count();
        let (speed, p99) = (SPEED_LOST * 100.0, P99_GROWN * 100.0);
        let _ = writeln!(
            text,
            "\n{slow} of {} cases lost more than {speed:.0} % of their speed, or their p99 grew by more than \
             {p99:.0} %. Medians over the rounds.",
            self.changes.len()
        );
        text
    }
}

#[cfg(test)]
mod tests;
