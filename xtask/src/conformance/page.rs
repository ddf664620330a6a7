//! The text of docs/conformance.md: the same for the same outcomes, whenever and wherever it is made.

use std::collections::BTreeSet;

use super::report::{Entry, Report, Status};
use crate::rules_page::Rule;

const HEAD: &str = "\
# Conformance

What each backend keeps of the [rules](rules.md), as the conformance suite found it. The number is
that of cases. `cargo xtask conformance` writes this page, and CI fails when it is out of date.
";

/// The whole page.
pub(crate) fn render(reports: &[Report], rules: &[Rule]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## By area\n\n");
    page.push_str(&header("area", reports));
    for area in areas(reports) {
        page.push_str(&row(&area, reports, |entry| entry.area == area));
    }
    page.push_str(&row("**all**", reports, |_| true));
    page.push_str("\n## By rule\n\n");
    page.push_str(&header("rule", reports));
    for rule in rules.iter().filter(|rule| !rule.is_coming) {
        page.push_str(&row(&rule.id, reports, |entry| entry.rules.contains(&rule.id)));
    }
    page.push_str(&not_proved(reports));
    page
}

/// The areas in alphabetical order.
fn areas(reports: &[Report]) -> BTreeSet<String> {
    let entries = reports.iter().flat_map(|report| &report.entries);
    entries.map(|entry| entry.area.clone()).collect()
}

fn header(first: &str, reports: &[Report]) -> String {
    let names: String = reports.iter().map(|report| format!(" {} |", report.backend)).collect();
    format!("| {first} |{names}\n| --- |{}\n", " --- |".repeat(reports.len()))
}

fn row(first: &str, reports: &[Report], of: impl Fn(&Entry) -> bool) -> String {
    let cells: String =
        reports.iter().map(|report| format!(" {} |", cell(&report.entries, &of))).collect();
    format!("| {first} |{cells}\n")
}

fn cell(entries: &[Entry], of: impl Fn(&Entry) -> bool) -> String {
    let counts: Vec<String> = Status::ALL
        .iter()
        .map(|(status, word)| {
            let count = entries.iter().filter(|entry| entry.status == *status && of(entry)).count();
            (count, word)
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() { "-".to_owned() } else { counts.join(", ") }
}

/// The cases that have not passed, with the reason.
fn not_proved(reports: &[Report]) -> String {
    let mut rows = String::new();
    for report in reports {
        for entry in report.entries.iter().filter(|entry| entry.status != Status::Passed) {
            let first_line = entry.detail.lines().next().unwrap_or("").replace('|', "\\|");
            let name = format!("`{}::{}`", entry.area, entry.case);
            rows.push_str(&format!("| {} | {name} | {first_line} |\n", report.backend));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("\n## Not proved\n\n| backend | case | reason |\n| --- | --- | --- |\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules_page;
    use expect_test::expect;

    fn entry(name: &str, rules: &[&str], status: Status) -> Entry {
        let (area, case) = name.split_once("::").unwrap();
        Entry {
            area: area.to_owned(),
            case: case.to_owned(),
            rules: rules.iter().map(ToString::to_string).collect(),
            status,
            detail: if status == Status::Passed { String::new() } else { "a|b\nc".to_owned() },
        }
    }

    #[test]
    fn the_page_counts_by_area_and_by_rule() {
        let reports = [
            Report {
                backend: "reference".to_owned(),
                entries: vec![
                    entry("lease::a", &["L-1"], Status::Passed),
                    entry("lease::b", &["L-1", "L-2"], Status::Ignored),
                    entry("claim::c", &["C-1"], Status::Passed),
                ],
            },
            Report {
                backend: "sqlite".to_owned(),
                entries: vec![
                    entry("lease::a", &["L-1"], Status::Failed),
                    entry("lease::b", &["L-1", "L-2"], Status::Passed),
                    entry("claim::c", &["C-1"], Status::Unavailable),
                ],
            },
        ];
        let rules = rules_page::parse(
            "| C-1 | . |\n| L-1 | . |\n| L-2 | . |\n| L-3 | . |\n## Coming\n| L-4 | . |",
        );
        let page = render(&reports, &rules);
        expect![[r#"

            ## By area

            | area | reference | sqlite |
            | --- | --- | --- |
            | claim | 1 passed | 1 unavailable |
            | lease | 1 passed, 1 ignored | 1 passed, 1 failed |
            | **all** | 2 passed, 1 ignored | 1 passed, 1 failed, 1 unavailable |

            ## By rule

            | rule | reference | sqlite |
            | --- | --- | --- |
            | C-1 | 1 passed | 1 unavailable |
            | L-1 | 1 passed, 1 ignored | 1 passed, 1 failed |
            | L-2 | 1 ignored | 1 passed |
            | L-3 | - | - |

            ## Not proved

            | backend | case | reason |
            | --- | --- | --- |
            | reference | `lease::b` | a\|b |
            | sqlite | `lease::a` | a\|b |
            | sqlite | `claim::c` | a\|b |
        "#]]
        .assert_eq(page.strip_prefix(HEAD).unwrap());
    }
}
