//! Statements are files, `sql/<area>/<verb>.sql`: each is used, names its parameters, and has its
//! counterpart in the other backend.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use crate::source::SourceFile;

/// Statements that one backend has and the other has not, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("admin/check_file.sql", "a server looks after its files itself"),
    ("admin/count_hidden_sessions.sql", "SQLite has no sessions"),
    ("admin/find_future_events.sql", "SQLite's events commit in the order of their numbers"),
    ("admin/find_holders.sql", "SQLite has no vacuum that a transaction holds back"),
    ("admin/find_transaction.sql", "SQLite commits in the process, which loses no answer"),
    ("admin/note_lanes.sql", "on PostgreSQL it is a part of execution/create.sql"),
    ("admin/read_clock.sql", "a store inside the process has no clock of its own"),
    ("claim/lease.sql", "on PostgreSQL it is a part of claim/pick.sql"),
    ("claim/notify.sql", "SQLite has no notifications"),
    ("claim/put_back.sql", "SQLite's claim asks the rules before it takes anything"),
    ("execution/find.sql", "on PostgreSQL what is only read is not locked"),
    ("execution/lock.sql", "SQLite has one writer and no row locks"),
    ("execution/take_keys.sql", "on PostgreSQL it is a part of execution/create.sql"),
    ("execution/require_capabilities.sql", "on PostgreSQL they are a column"),
    ("execution/settle.sql", "SQLite decides every call in its one writer's transaction"),
    ("execution/find_created.sql", "on PostgreSQL it is a part of execution/create.sql"),
    ("execution/find_held.sql", "on PostgreSQL it is a part of execution/complete.sql"),
    ("flow/lock_backlog.sql", "SQLite has one writer and no row locks"),
    ("worker/lock.sql", "SQLite has one writer and no row locks"),
];

/// The statements of each backend: crate name, then `area/verb.sql`, then the file.
type Statements<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a SourceFile>>;

pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let statements = collect(files);
    let mut findings = Vec::new();
    for (backend, own) in &statements {
        for (name, file) in own {
            findings.extend(check_place(name, file));
            findings.extend(check_use(backend, name, files));
            findings.extend(check_first_line(file));
        }
    }
    findings.extend(check_parity(&statements));
    findings
}

fn collect(files: &[SourceFile]) -> Statements<'_> {
    let mut statements = Statements::new();
    for file in files {
        let Some(rest) = file.path.strip_prefix("crates/") else { continue };
        let Some((backend, name)) = rest.split_once("/sql/") else { continue };
        if backend.starts_with("ff-backend-") && file.is_sql() {
            statements.entry(backend).or_default().insert(name, file);
        }
    }
    statements
}

fn check_place(name: &str, file: &SourceFile) -> Option<Finding> {
    (name.split('/').count() != 2)
        .then(|| Finding::of(file.path.as_str(), "it does not lie in sql/<area>/"))
}

fn check_use(backend: &str, name: &str, files: &[SourceFile]) -> Option<Finding> {
    let folder = format!("crates/{backend}/");
    let mut sources = files.iter().filter(|file| file.is_rust() && file.path.starts_with(&folder));
    let is_used = sources.any(|file| includes(&file.text, name));
    (!is_used).then(|| Finding::of(format!("{folder}sql/{name}"), "nothing includes it"))
}

/// Whether the source holds the statement's path as the end of a literal, by itself or after a folder.
fn includes(source: &str, name: &str) -> bool {
    let literal_end = format!("{name}\"");
    source.match_indices(&literal_end).any(|(index, _)| {
        let before = source.get(..index).unwrap_or("");
        before.ends_with('"') || before.ends_with('/')
    })
}

fn check_first_line(file: &SourceFile) -> Option<Finding> {
    let scanned = file.scanned();
    let parameters: BTreeSet<u32> = scanned.code.iter().flat_map(|line| parameters(line)).collect();
    let first = file.text.lines().next().unwrap_or("");
    if !parameters.is_empty() && !first.starts_with("--") {
        return Some(Finding::at(&file.path, 1, "it does not name the parameters in a comment"));
    }
    let named: BTreeSet<u32> = parameters_of_header(&file.text);
    let missing: Vec<String> =
        parameters.symmetric_difference(&named).map(|number| format!("${number}")).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        Finding::at(&file.path, 1, format!("the comment and the statement differ in {missing}"))
    })
}

/// The parameters that the comment at the file's head names.
fn parameters_of_header(text: &str) -> BTreeSet<u32> {
    text.lines().take_while(|line| line.starts_with("--")).flat_map(parameters).collect()
}

fn parameters(line: &str) -> Vec<u32> {
    line.split('$')
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        })
        .collect()
}

fn check_parity(statements: &Statements<'_>) -> Vec<Finding> {
    if statements.len() < 2 {
        return Vec::new();
    }
    let all: BTreeSet<&str> = statements.values().flat_map(|own| own.keys().copied()).collect();
    let mut findings = Vec::new();
    for (backend, own) in statements {
        for name in all.iter().filter(|name| !own.contains_key(*name)) {
            if !EXCEPTIONS.iter().any(|(exception, _)| exception == name) {
                findings.push(Finding::of(*backend, format!("it has no sql/{name}")));
            }
        }
    }
    for (exception, _) in EXCEPTIONS {
        if statements.values().all(|own| own.contains_key(exception)) {
            findings.push(Finding::of(*exception, "every backend has it; it is no exception"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    fn sqlite(path: &str, text: &str) -> SourceFile {
        SourceFile::new(&format!("crates/ff-backend-sqlite/{path}"), text)
    }

    #[test]
    fn an_unused_statement_is_found() {
        let files = [
            sqlite("sql/lease/renew.sql", "-- none\nSELECT 1"),
            sqlite("sql/lease/new.sql", "-- none\nSELECT 1"),
            sqlite("sql/lease/old.sql", "-- none\nSELECT 1"),
            sqlite(
                "src/lease.rs",
                "include_str!(\"../sql/lease/renew.sql\"); sql(\"lease/new.sql\")",
            ),
            SourceFile::new("crates/ff-sql/src/a.rs", "include_str!(\"../sql/lease/old.sql\")"),
        ];
        assert_eq!(
            texts(&check(&files)),
            ["crates/ff-backend-sqlite/sql/lease/old.sql: nothing includes it"]
        );
    }

    #[test]
    fn a_statement_that_does_not_name_its_parameters_is_found() {
        let problem = |text| check_first_line(&sqlite("sql/a/b.sql", text)).map(|f| f.to_string());
        for text in [
            "-- $1: now, $2: limit\nSELECT $1, $2, '$3'",
            "-- $1: now,\n-- $2: limit\nSELECT $2, $1",
            "-- The first.\nSELECT 1",
            "SELECT 1",
        ] {
            assert_eq!(problem(text), None, "{text}");
        }
        for (text, expected) in [
            ("SELECT $1", "it does not name the parameters in a comment"),
            ("-- $1: now\nSELECT $1, $12", "the comment and the statement differ in $12"),
            ("-- $1: now, $2: limit\nSELECT $1", "the comment and the statement differ in $2"),
        ] {
            let expected = format!("crates/ff-backend-sqlite/sql/a/b.sql:1: {expected}");
            assert_eq!(problem(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_statement_without_its_counterpart_is_found() {
        let postgres =
            |path: &str| SourceFile::new(&format!("crates/ff-backend-postgres/{path}"), "");
        let alone = [sqlite("sql/a/b.sql", ""), sqlite("sql/a/c.sql", "")];
        assert_eq!(check_parity(&collect(&alone)), []);
        let both = [&alone[..], &[postgres("sql/a/b.sql"), postgres("sql/a/d.sql")]].concat();
        assert_eq!(
            texts(&check_parity(&collect(&both))),
            [
                "ff-backend-postgres: it has no sql/a/c.sql",
                "ff-backend-sqlite: it has no sql/a/d.sql"
            ]
        );
    }

    #[test]
    fn a_statement_outside_an_area_is_found() {
        let file = sqlite("sql/b.sql", "");
        assert!(check_place("b.sql", &file).is_some());
        assert!(check_place("a/b.sql", &file).is_none());
    }
}
