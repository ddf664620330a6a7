//! docs/operating.md, run word for word on a store and with processes of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::workbench::text;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
/// How often a command that only looks is asked again while the workers get there.
const LOOKS: usize = 2_000;

/// A command of the document, and what it prints.
struct Step {
    command: String,
    printed: Vec<String>,
}

/// The ids of the document, and those that stand for them in this run.
#[derive(Default)]
struct Ids {
    run: HashMap<String, String>,
}

struct Session {
    directory: tempfile::TempDir,
    path: std::ffi::OsString,
    ids: Ids,
    workers: Vec<Child>,
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    for line in document.lines() {
        match line {
            "```console" => is_console = true,
            "```" => is_console = false,
            _ if !is_console => {}
            line => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { command: command.to_owned(), printed: Vec::new() });
                }
                (None, Some(step)) => step.printed.push(line.to_owned()),
                (None, None) => unreachable!("output before any command: {line}"),
            },
        }
    }
    steps
}

/// The parts of a line: ids, times and whatever is between.
fn parts(line: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut parts = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let hex = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let end = if hex > 0 { hex } else { rest.find(is_part).unwrap_or(rest.len()) };
        let (part, tail) = rest.split_at(end);
        parts.push(part);
        rest = tail;
    }
    parts
}

fn is_id(part: &str) -> bool {
    part.len() == 36 && part.bytes().filter(|byte| *byte == b'-').count() == 4
}

fn is_time(part: &str) -> bool {
    part.len() == 13 && part.bytes().all(|byte| byte.is_ascii_digit())
}

impl Ids {
    /// Whether the line says what the document's does, with other ids and times. Which worker it was is open.
    fn fits(&mut self, documented: &str, printed: &str) -> bool {
        let (documented, printed) = (parts(documented), parts(printed));
        if documented.len() != printed.len() {
            return false;
        }
        let mut before = String::new();
        for (documented, printed) in documented.into_iter().zip(printed) {
            let fits = match () {
                () if is_id(documented) && before.ends_with("importer/") => is_id(printed),
                () if is_id(documented) => is_id(printed) && self.stands_for(documented, printed),
                () if is_time(documented) => is_time(printed),
                () => documented == printed,
            };
            if !fits {
                return false;
            }
            before.push_str(documented);
        }
        true
    }

    fn stands_for(&mut self, documented: &str, printed: &str) -> bool {
        let known = self.run.entry(documented.to_owned()).or_insert_with(|| printed.to_owned());
        known == printed
    }

    /// The document's command with the ids of this run.
    fn translate(&self, command: &str) -> String {
        let translated = parts(command).into_iter();
        translated.map(|part| self.run.get(part).map_or(part, String::as_str)).collect()
    }
}

impl Session {
    fn new() -> Self {
        let programs = Path::new(env!("CARGO_BIN_EXE_ff")).parent().unwrap();
        let folders = [programs.to_owned(), programs.join("examples")];
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = folders.into_iter().chain(std::env::split_paths(&inherited));
        let path = std::env::join_paths(folders.collect::<Vec<PathBuf>>()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        Self { directory, path, ids: Ids::default(), workers: Vec::new() }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).env("PATH", &self.path);
        command.env_remove("RUST_LOG").env_remove("BUSY_FLOW_DB").stdin(Stdio::null());
        command
    }

    fn run(&mut self, step: &Step) {
        match step.command.as_str() {
            "busy_flow work &" => {
                let mut work = self.command("busy_flow");
                self.workers.push(work.arg("work").stdout(Stdio::piped()).spawn().unwrap());
            }
            "kill %1 %2 %3" => self.stop_workers(),
            _ => self.print(step),
        }
    }

    /// Runs a command until it prints what the document says: once, unless it only looks.
    fn print(&mut self, step: &Step) {
        let command = self.ids.translate(&step.command);
        let only_looks =
            ["ff stats", "ff workers", "ff show", "ff flows show", "ff list", "ff flows list"]
                .iter()
                .any(|look| command.starts_with(look));
        let mut printed = String::new();
        for _ in 0..if only_looks { LOOKS } else { 1 } {
            let output = self.command("sh").args(["-c", &command]).output().unwrap();
            printed = text(&output.stdout) + &text(&output.stderr);
            let lines: Vec<&str> = printed.lines().collect();
            let fits = |(documented, printed): (&String, &&str)| self.ids.fits(documented, printed);
            if lines.len() == step.printed.len() && step.printed.iter().zip(&lines).all(fits) {
                return;
            }
        }
        panic!("$ {command}\n{printed}\ninstead of\n{}", step.printed.join("\n"));
    }

    /// Every import that hung was stopped by its cancellation, or the revocation of its lease.
    fn stop_workers(&mut self) {
        let mut stopped = Vec::new();
        for mut worker in self.workers.drain(..) {
            let pid = worker.id().to_string();
            assert!(Command::new("kill").arg(pid).status().unwrap().success());
            let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
            stopped.extend(lines.map(|line| line.unwrap()));
            assert!(worker.wait().unwrap().success());
        }
        let all_say_so = stopped.iter().all(|line| line.ends_with(" was stopped"));
        assert!(all_say_so && stopped.len() == 13, "{stopped:?}");
        assert_eq!(stopped.iter().filter(|line| *line == "import 500 was stopped").count(), 2);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

#[test]
fn the_documents_session_runs_as_it_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let mut session = Session::new();

    for step in steps(&document) {
        session.run(&step);
    }

    assert!(session.workers.is_empty(), "the document stops its workers");
    assert_eq!(session.ids.run.len(), 2, "a flow and an execution: {:?}", session.ids.run);
}
