//! Comments say why, never what is left to do and never the code's history.

use super::finding::Finding;
use crate::source::{SourceFile, has_word};

/// Marks of unfinished work, as they are written.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Words of history, in any case.
const HISTORY: &[&str] = &[
    "used to",
    "no longer",
    "previously",
    "was changed",
    "for now",
    "temporary",
    "temporarily",
    "legacy",
];

/// Words around such a word when it speaks of the domain, in lower case, with the reason.
const DOMAIN: &[(&str, &str)] = &[
    ("nothing was changed", "what an operation left alone"),
    ("the priority was changed", "what an event tells"),
    ("lease is no longer", "what a stale handle has lost"),
    ("and no longer.", "for how long something holds"),
    ("temporary file", "what the operating system calls it"),
    ("temporary director", "what the operating system calls it"),
    ("that is no longer a database", "what happened to a file on disk"),
];

pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let comments = file.scanned().comments;
    comments
        .iter()
        .filter_map(|(line, comment)| {
            let word = banned_word(comment)?;
            Some(Finding::at(&file.path, *line, format!("its comment says {word:?}")))
        })
        .collect()
}

fn banned_word(comment: &str) -> Option<&'static str> {
    let mut lower = comment.to_lowercase();
    for (words, _reason) in DOMAIN {
        lower = lower.replace(words, "");
    }
    let mark = MARKS.iter().find(|mark| has_word(comment, mark));
    mark.or_else(|| HISTORY.iter().find(|word| has_word(&lower, word))).copied()
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    #[test]
    fn banned_words_are_found_in_comments_and_nowhere_else() {
        let rust = "\
            // TODO(me): all\n\
            let todo = \"// FIXME\"; // a todo list\n\
            /// It Previously did.\n\
            /* a legacy\n\
            thing */ fn legacy() {}\n\
            // unused tools, legacyware, HACKING\n\
            // Nothing was changed, and it was changed.\n\
            // Nothing was changed.\n";
        let sql = "-- for now\nSELECT 'temporary'";
        let files = [SourceFile::new("a.rs", rust), SourceFile::new("b.sql", sql)];
        assert_eq!(
            texts(&check(&files)),
            [
                "a.rs:1: its comment says \"TODO\"",
                "a.rs:3: its comment says \"previously\"",
                "a.rs:4: its comment says \"legacy\"",
                "a.rs:7: its comment says \"was changed\"",
                "b.sql:1: its comment says \"for now\"",
            ]
        );
    }
}
