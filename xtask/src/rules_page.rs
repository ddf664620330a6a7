//! The rules page, docs/rules.md: which rules there are, and which come later.

use std::path::Path;

use crate::shell::Outcome;

/// The page's path from the workspace's folder.
pub(crate) const PATH: &str = "docs/rules.md";

/// The heading of the rules whose area comes later.
const COMING: &str = "Coming";

/// A rule that the page lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Such as `LEASE-2`.
    pub(crate) id: String,
    /// Whether its area comes later, so that no case need prove it yet.
    pub(crate) is_coming: bool,
}

/// Reads the page.
pub(crate) fn load(root: &Path) -> Outcome<Vec<Rule>> {
    Ok(parse(&std::fs::read_to_string(root.join(PATH))?))
}

/// The rules of the page's tables, in their order.
pub(crate) fn parse(page: &str) -> Vec<Rule> {
    let mut is_coming = false;
    let mut rules = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            is_coming = heading.trim() == COMING;
        }
        let cell = line.strip_prefix('|').and_then(|row| row.split('|').next());
        if let Some(id) = cell.map(str::trim).filter(|id| is_id(id)) {
            rules.push(Rule { id: id.to_owned(), is_coming });
        }
    }
    rules
}

fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        !area.is_empty()
            && area.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_the_tables_and_coming_ones_are_marked() {
        let page = "# R\n| id | rule |\n| --- | --- |\n| EXEC-1 | EXEC-9 is not here |\nLEASE-1\n\
                    ## Coming\n| OP-1 | x |\n| LEASE | x |\n| - | x |\n## Later on\n| SAFE-10 | y |";
        let rules: Vec<_> = parse(page).into_iter().map(|rule| (rule.id, rule.is_coming)).collect();
        let expected = [("EXEC-1", false), ("OP-1", true), ("SAFE-10", false)];
        assert_eq!(rules, expected.map(|(id, is_coming)| (id.to_owned(), is_coming)));
    }
}
