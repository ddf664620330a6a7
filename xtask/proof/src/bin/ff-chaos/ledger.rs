//! What a node notes of its submissions, before and after each: it outlives the node, however that ends.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use ff_core::types::ExecutionId;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::task::Task;

/// A line of a ledger.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// It is about to be submitted.
    Intent(Task),
    /// The store has said that the task of this key is stored.
    Stored { key: String, execution_id: ExecutionId },
    /// A handler began to run it.
    Run { key: String, attempt: u32 },
    /// Something that is never to happen.
    Problem(String),
    /// Nothing more will be submitted.
    End,
}

/// The ledger of one node, open for writing.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Outcome<Self> {
        Ok(Self { file: OpenOptions::new().create_new(true).append(true).open(path)? })
    }

    /// Writes a line at once and whole: what is killed after has written it.
    pub(crate) fn write(&self, entry: &Entry) -> Outcome<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        Ok((&self.file).write_all(&line)?)
    }
}

/// The entries of a ledger; none of one that was not begun. A last line that is not whole was never written.
pub(crate) fn read(path: &Path) -> Outcome<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_was_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::create(&path).unwrap();
        ledger.write(&Entry::Run { key: "a".to_owned(), attempt: 1 }).unwrap();
        ledger.write(&Entry::End).unwrap();
        (&ledger.file).write_all(b"{\"stored\":{\"key").unwrap();

        let entries = read(&path).unwrap();

        assert!(matches!(entries[..], [Entry::Run { attempt: 1, .. }, Entry::End]), "{entries:?}");
    }
}
