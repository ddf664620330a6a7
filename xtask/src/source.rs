//! The repository's own files, with their comments told from their code.

mod scan;

use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use crate::shell::Outcome;
pub(crate) use scan::{Language, Scanned, scan};

/// A file of ours.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Its path from the workspace's folder, with forward slashes.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

impl SourceFile {
    /// A file as a check's own tests make it.
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_sql(&self) -> bool {
        self.path.ends_with(".sql")
    }

    pub(crate) fn scanned(&self) -> Scanned {
        scan(&self.text, if self.is_sql() { Language::Sql } else { Language::Rust })
    }
}

/// Every Rust and SQL file under the workspace's folder, by path.
pub(crate) fn load(root: &Path) -> Outcome<Vec<SourceFile>> {
    let mut files = Vec::new();
    let entries = WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_ours);
    for entry in entries {
        let entry = entry?;
        let path = entry.path().strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        if entry.file_type().is_file() && (path.ends_with(".rs") || path.ends_with(".sql")) {
            files.push(SourceFile { path, text: std::fs::read_to_string(entry.path())? });
        }
    }
    Ok(files)
}

fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name == "target" || name.starts_with('.'))
}

/// Whether the text has the word, and not only as a part of a longer one.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let is_end = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(start + word.len()..).and_then(|after| after.chars().next());
        is_end(before) && is_end(after)
    })
}
