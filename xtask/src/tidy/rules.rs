//! Every rule of the rules page is proved by a conformance case, and no case proves another.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::rules_page::{self, Rule};

/// A conformance case: its name, and the rules that it proves.
pub(crate) type Case = (String, Vec<String>);

/// The cases of the suite.
pub(crate) fn cases() -> Vec<Case> {
    let cases = ff_conformance::cases().iter();
    cases.map(|case| (case.path(), case.rules.iter().map(ToString::to_string).collect())).collect()
}

pub(crate) fn check(rules: &[Rule], cases: &[Case]) -> Vec<Finding> {
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let proved: BTreeSet<&str> =
        cases.iter().flat_map(|(_, rules)| rules).map(String::as_str).collect();
    let mut findings = check_page(rules);
    for rule in rules {
        let problem = match (rule.is_coming, proved.contains(rule.id.as_str())) {
            (false, false) => "no conformance case proves it",
            (true, true) => "it is listed as coming, and a conformance case proves it",
            _ => continue,
        };
        findings.push(Finding::of(rule.id.as_str(), problem));
    }
    for (case, rules) in cases {
        for rule in rules.iter().filter(|rule| !known.contains(rule.as_str())) {
            let problem = format!("it proves {rule}, which {} does not have", rules_page::PATH);
            findings.push(Finding::of(case.as_str(), problem));
        }
    }
    findings
}

fn check_page(rules: &[Rule]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let twice = rules.iter().filter(|rule| !seen.insert(rule.id.as_str()));
    let mut findings: Vec<_> =
        twice.map(|rule| Finding::of(rule.id.as_str(), "the page lists it twice")).collect();
    if rules.is_empty() {
        findings.push(Finding::of(rules_page::PATH, "it has no rules"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    fn case(name: &str, rules: &[&str]) -> Case {
        (name.to_owned(), rules.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_rule_without_case_and_a_case_without_rule_are_found() {
        let page = "| A-1 | . |\n| A-2 | . |\n| A-1 | . |\n## Coming\n| B-1 | . |\n| B-2 | . |";
        let cases = [case("x::y", &["A-1", "C-1"]), case("x::z", &["A-1", "B-2"])];
        assert_eq!(
            texts(&check(&rules_page::parse(page), &cases)),
            [
                "A-1: the page lists it twice",
                "A-2: no conformance case proves it",
                "B-2: it is listed as coming, and a conformance case proves it",
                "x::y: it proves C-1, which docs/rules.md does not have",
            ]
        );
    }

    #[test]
    fn an_empty_page_is_found() {
        assert_eq!(texts(&check(&[], &[])), ["docs/rules.md: it has no rules"]);
    }
}
