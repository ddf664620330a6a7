//! Where calls and answers are noted, in one order for all tasks and processes.

#![expect(clippy::unwrap_used, reason = "a history that cannot be written proves nothing")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::record::Entry;

/// The calls of a history and their answers, in one order.
///
/// A line is appended before a call is made and another after its answer has come. So when the answer of one
/// call lies before the line of another call, the first was over before the second began, in whichever
/// processes they were: the places of the lines stand in for a clock, and cannot be wrong as the clocks of
/// two processes can. What the places do not tell is the order of calls that overlap in them.
///
/// Processes share a log as a file. Each line is one write to a file that is opened for appending, which the
/// operating system puts at the end whoever else writes. A process that is killed leaves its last call
/// without an answer.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
}

#[derive(Debug)]
enum Lines {
    Memory(Mutex<Vec<Entry>>),
    File { path: PathBuf, file: File },
}

impl Log {
    /// A log for the tasks of this process.
    pub fn in_memory() -> Self {
        Self { lines: Lines::Memory(Mutex::default()) }
    }

    /// A log that processes share, at `path`; made if there is none.
    pub fn at(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Self { lines: Lines::File { path: path.to_owned(), file } }
    }

    pub(super) fn append(&self, entry: Entry) {
        match &self.lines {
            Lines::Memory(entries) => {
                entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            }
            Lines::File { file, .. } => {
                // The line break before it keeps it apart from what a killed process has half written.
                let line = format!("\n{}\n", serde_json::to_string(&entry).unwrap());
                (&*file).write_all(line.as_bytes()).unwrap();
            }
        }
    }

    /// What was noted by now. A line that a process was killed in the middle of is left out: it is a call
    /// that was never made, or an answer that nobody was given.
    pub fn entries(&self) -> Vec<Entry> {
        match &self.lines {
            Lines::Memory(entries) => {
                entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            Lines::File { path, .. } => {
                let text = std::fs::read(path).unwrap();
                let lines = text.split(|byte| *byte == b'\n');
                lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
            }
        }
    }
}
