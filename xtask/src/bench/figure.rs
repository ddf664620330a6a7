//! Figures, as ff-benches writes them.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::json_files;
use crate::shell::Outcome;

/// What a case of a bench came to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Figure {
    pub(super) store: String,
    pub(super) bench: String,
    pub(super) case: String,
    /// `ms`, of which fewer are better, or something a second.
    pub(super) unit: String,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// In milliseconds.
    pub(super) p99: Option<f64>,
    /// What hand-written SQL came to.
    pub(super) floor: Option<f64>,
    /// How fast we are beside the floor.
    pub(super) ratio: Option<f64>,
    /// Settings of the store that are weaker than durable ones.
    pub(super) weaker: Option<String>,
}

/// The figures of a folder, in the order of the table.
pub(super) fn read_all(folder: &Path) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for file in json_files(folder)?.iter().filter(|file| !file.ends_with("summary.json")) {
        let read = |file| Outcome::Ok(serde_json::from_str(&fs::read_to_string(file)?)?);
        figures.push(read(file).map_err(|problem| format!("{}: {problem}", file.display()))?);
    }
    sort(&mut figures);
    Ok(figures)
}

/// By bench, store and case, where `8 workers` comes before `32 workers`.
fn sort(figures: &mut [Figure]) {
    figures.sort_by_cached_key(|figure| {
        let digits = |c: char| c.is_ascii_digit();
        let number = figure.case.split(|c| !digits(c)).find_map(|part| part.parse::<u64>().ok());
        let words = figure.case.replace(digits, "");
        let kind = words.split(['/', ' ']).next().unwrap_or_default().to_owned();
        (figure.bench.clone(), figure.store.clone(), kind, number, figure.case.clone())
    });
}

#[cfg(test)]
pub(super) fn figure(case: &str, unit: &str, median: f64) -> Figure {
    Figure {
        store: "sqlite".into(),
        bench: "lifecycle".into(),
        case: case.into(),
        unit: unit.into(),
        median,
        min: median,
        max: median,
        p99: None,
        floor: None,
        ratio: None,
        weaker: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_in_the_order_of_their_numbers() {
        let cases = ["single/32 workers", "batch/100", "single/8 workers"];
        let mut figures = cases.map(|case| figure(case, "ms", 1.0));
        sort(&mut figures);
        let sorted = figures.map(|figure| figure.case);
        assert_eq!(sorted, ["batch/100", "single/8 workers", "single/32 workers"]);
    }
}
