//! The programs, and how they are built and run: `PROGRAM WORK --store URL --jobs N --slots S`, which print one
//! line of JSON.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::shell::{self, Outcome};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Create,
    Drain,
    Pickup,
}

impl Work {
    pub(super) const ALL: [Self; 3] = [Self::Create, Self::Drain, Self::Pickup];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Drain => "drain",
            Self::Pickup => "pickup",
        }
    }
}

/// What it is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Postgres,
    Sqlite,
}

impl Store {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

/// One that takes part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) store: Store,
    /// The folder of its workspace, in `benches`; none of ours.
    workspace: Option<&'static str>,
    package: &'static str,
    /// The most jobs that it is given: with more, its rate would be the same and take minutes to be found.
    pub(super) most_jobs: u64,
    /// What it keeps less durably than the others; empty if nothing.
    pub(super) weaker: &'static str,
}

/// Ours, which takes part on both stores.
pub(super) const OURS: Program = Program {
    name: "flowfabric",
    store: Store::Postgres,
    workspace: None,
    package: "ff-benches",
    most_jobs: u64::MAX,
    weaker: "",
};

const fn peer(name: &'static str, package: &'static str, store: Store, most_jobs: u64) -> Program {
    Program { name, store, workspace: Some("peers"), package, most_jobs, weaker: "" }
}

/// The others.
pub(super) const PEERS: &[Program] = &[
    peer("graphile_worker", "peer-graphile-worker", Store::Postgres, u64::MAX),
    peer("apalis-postgres", "peer-apalis-postgres", Store::Postgres, u64::MAX),
    peer("awa", "peer-awa", Store::Postgres, u64::MAX),
    peer("sqlxmq", "peer-sqlxmq", Store::Postgres, 20_000),
    peer("underway", "peer-underway", Store::Postgres, 5_000),
    peer("apalis-sqlite", "peer-apalis-sqlite", Store::Sqlite, 10_000),
    Program {
        weaker: "WAL with synchronous=NORMAL: commits are not synced",
        ..peer("duroxide", "peer-duroxide", Store::Sqlite, 2_000)
    },
    Program {
        workspace: Some("peers/effectum"),
        ..peer("effectum", "peer-effectum", Store::Sqlite, 20_000)
    },
    Program {
        workspace: Some("peers/effectum"),
        weaker: "WAL with synchronous=NORMAL: commits are not synced",
        ..peer("effectum-wal", "peer-effectum", Store::Sqlite, u64::MAX)
    },
];

/// Builds ours and these.
pub(super) fn build(peers: &[&Program], target: &Path) -> Outcome<()> {
    let ours = ["build", "--release", "--package", OURS.package, "--bin", "ff-peer"];
    shell::run(&mut shell::cargo(&ours))?;
    let mut workspaces: Vec<&str> = peers.iter().filter_map(|peer| peer.workspace).collect();
    workspaces.sort_unstable();
    workspaces.dedup();
    for workspace in workspaces {
        // All at once: one by one, what they share would be built anew for the features that each wants.
        let mut command = shell::cargo(&["build", "--release", "--locked"]);
        for peer in peers.iter().filter(|peer| peer.workspace == Some(workspace)) {
            command.args(["--package", peer.package]);
        }
        command.arg("--target-dir").arg(target.join(workspace));
        shell::run(command.current_dir(shell::root().join("benches").join(workspace)))?;
    }
    Ok(())
}

impl Program {
    fn bin(&self) -> String {
        match self.workspace {
            None => "ff-peer".to_owned(),
            Some(_) => format!("peer-{}", self.name.replace('_', "-")),
        }
    }

    /// Does the task once, on a store that is its own.
    pub(super) fn run(&self, target: &Path, task: &Task, store: &str) -> Outcome<Figures> {
        let folder = target.join(self.workspace.unwrap_or_default()).join("release");
        let mut command = Command::new(folder.join(self.bin()));
        command.args([task.work.name(), "--store", store]);
        command.args(["--jobs", &task.jobs.to_string(), "--slots", &task.slots.to_string()]);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("it ended with {}", output.status).into());
        }
        let said = String::from_utf8(output.stdout)?;
        // Some engines log where they print.
        let line = said.lines().rev().find(|line| line.starts_with('{'));
        Figures::read(task.work, line.unwrap_or_default())
    }
}

/// What a program is asked to do.
pub(super) struct Task {
    pub(super) work: Work,
    pub(super) jobs: u64,
    pub(super) slots: usize,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figures {
    /// Jobs a second, and how many jobs there were.
    Rate(f64, u64),
    /// Milliseconds: the median and what one in a hundred exceeds.
    Wait { p50: f64, p99: f64 },
}

impl Figures {
    /// Reads the line that a program printed.
    fn read(work: Work, line: &str) -> Outcome<Self> {
        let value: Value = serde_json::from_str(line)
            .map_err(|problem| format!("it printed no line of JSON ({problem}): {line}"))?;
        let number = |name: &str| {
            let number = value[name].as_f64().filter(|number| *number > 0.0);
            number.ok_or_else(|| format!("its line has no {name} above zero: {line}"))
        };
        if value["work"] != work.name() {
            return Err(format!("it did other work: {line}").into());
        }
        if work == Work::Pickup {
            return Ok(Self::Wait { p50: number("p50_ms")?, p99: number("p99_ms")? });
        }
        let jobs = value["jobs"].as_u64().ok_or_else(|| format!("its line has no jobs: {line}"))?;
        Ok(Self::Rate(number("jobs")? / number("seconds")?, jobs))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate, jobs) => write!(f, "{rate:.0} jobs/s of {jobs}"),
            Self::Wait { p50, p99 } => write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let rate = r#"{"engine":"a","work":"drain","jobs":100,"slots":8,"seconds":0.5}"#;
        assert_eq!(Figures::read(Work::Drain, rate).unwrap(), Figures::Rate(200.0, 100));
        let wait = r#"{"engine":"a","work":"pickup","samples":2,"p50_ms":3.4,"p99_ms":9.9}"#;
        let read = Figures::read(Work::Pickup, wait).unwrap();
        assert_eq!(read, Figures::Wait { p50: 3.4, p99: 9.9 });
        for (work, line) in [(Work::Create, rate), (Work::Drain, wait), (Work::Drain, "no")] {
            Figures::read(work, line).unwrap_err();
        }
        let zero = rate.replace("0.5", "0");
        Figures::read(Work::Drain, &zero).unwrap_err();
    }

    #[test]
    fn everybody_has_a_name_and_a_program_of_its_own() {
        let mut bins: Vec<String> = PEERS.iter().chain([&OURS]).map(Program::bin).collect();
        assert!(bins.contains(&"peer-graphile-worker".to_owned()));
        bins.sort();
        bins.dedup();
        assert_eq!(bins.len(), PEERS.len() + 1);
    }
}
