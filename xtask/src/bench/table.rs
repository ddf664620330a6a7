//! The one table of a run.

use super::Figure;

const HEADER: [&str; 9] =
    ["bench", "store", "case", "figure", "unit", "p99 ms", "floor", "ratio", "range"];
/// Columns of words; the others are of numbers, and end at the same place.
const WORDS: [usize; 4] = [0, 1, 2, 4];

/// A line for each figure.
pub(super) fn text(figures: &[Figure]) -> String {
    let rows: Vec<[String; 9]> =
        [HEADER.map(str::to_owned)].into_iter().chain(figures.iter().map(row)).collect();
    let widths: [usize; 9] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if WORDS.contains(&column) {
                format!("{cell:width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    for weaker in weaker(figures) {
        text.push_str(&format!("NOT DURABLE: {weaker}\n"));
    }
    text
}

fn row(figure: &Figure) -> [String; 9] {
    let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    [
        figure.bench.clone(),
        figure.store.clone(),
        figure.case.clone() + if figure.weaker.is_some() { " (not durable)" } else { "" },
        number(figure.median),
        figure.unit.clone(),
        or_dash(figure.p99),
        or_dash(figure.floor),
        figure.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        format!("{} to {}", number(figure.min), number(figure.max)),
    ]
}

/// As many digits as say something.
pub(super) fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn weaker(figures: &[Figure]) -> Vec<String> {
    let weak = figures.iter().filter_map(|figure| Some((&figure.store, figure.weaker.as_ref()?)));
    let mut weak: Vec<String> = weak.map(|(store, what)| format!("{store} with {what}")).collect();
    weak.sort();
    weak.dedup();
    weak
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::figure::figure;
    use super::*;

    #[test]
    fn a_figure_is_a_line_and_a_weaker_setting_is_named() {
        let rate = Figure {
            p99: Some(4.25),
            floor: Some(20_000.0),
            ratio: Some(0.5),
            ..figure("single/8 workers", "executions/s", 10_000.0)
        };
        let latency = Figure {
            store: "postgres".into(),
            weaker: Some("fsync=off".into()),
            ..figure("10 members", "ms", 1.5)
        };
        expect![[r#"
            bench      store     case                      figure  unit          p99 ms  floor  ratio           range
            lifecycle  sqlite    single/8 workers           10000  executions/s    4.25  20000   0.50  10000 to 10000
            lifecycle  postgres  10 members (not durable)    1.50  ms                 -      -      -    1.50 to 1.50
            NOT DURABLE: postgres with fsync=off
        "#]]
        .assert_eq(&text(&[rate, latency]));
    }
}
