//! What the commands print, and how they fail.

use std::io::{self, ErrorKind, Write};

use flowfabric::core::engine_error::EngineError;
use flowfabric::core::types::TimestampMs;
use flowfabric::{ClientError, WorkerError};
use serde::Serialize;

/// Why a command cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A sentence for the user.
    Message(String),
    /// Whoever read the output has closed it, as `head` does.
    ReaderGone,
}

/// Standard output as text or as JSON.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        writeln!(io::stdout().lock(), "{text}").map_err(Failure::from)
    }

    /// Prints a JSON document on a line.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(document)
            .map_err(|error| Failure::Message(format!("cannot print: {error}")))?;
        self.line(&text)
    }

    /// Prints why the command failed, on one line. A standard error that is closed has no reader.
    pub(crate) fn error(&self, failure: &Failure) {
        let text = match failure {
            Failure::Message(text) => one_line(text),
            Failure::ReaderGone => return,
        };
        let _ = if self.json {
            writeln!(io::stderr().lock(), "{}", serde_json::json!({ "error": text }))
        } else {
            writeln!(io::stderr().lock(), "ff: {text}")
        };
    }

    /// Prints a note beside the output.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", one_line(text));
    }
}

/// Control characters, which a file's name may hold, would break the line or the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let escape =
        |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Columns as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub(crate) fn time(time: Option<TimestampMs>) -> String {
    time.map_or("-".to_owned(), |time| time.to_string())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Message(format!("cannot print: {error}")),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Self::Message(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "long".to_owned(), "x".to_owned()],
            vec!["bb".to_owned(), "s".to_owned(), String::new()],
        ];
        assert_eq!(table(&rows), ["a   long  x", "bb  s"]);
    }

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(one_line("a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
    }
}
