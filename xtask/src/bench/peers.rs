//! `cargo xtask bench --peers`: FlowFabric beside others that do the same work, alternately and in one run, since
//! figures of different times and machines say nothing about each other.

mod options;
mod program;
mod report;
mod server;
mod stats;

use std::path::Path;

use crate::shell::{self, Outcome};
use options::Options;
use program::{Figures, OURS, PEERS, Program, Store, Task, Work};
use report::{Report, Rounds};
use server::Server;

/// Builds every program, lets them take turns, and prints how they compare.
pub(crate) fn run(args: &[&str]) -> Outcome<()> {
    let options = Options::read(args)?;
    let target = target_directory()?;
    let chosen: Vec<&Program> = PEERS.iter().filter(|peer| options.is_wanted(peer.name)).collect();
    if chosen.is_empty() {
        return Err(format!("nobody has that name; there are {}", names()).into());
    }
    program::build(&chosen, &target)?;
    let has_postgres = chosen.iter().any(|peer| peer.store == Store::Postgres);
    let server = if has_postgres { Some(Server::start()?) } else { None };
    let mut arena =
        Arena { target: &target, server: server.as_ref(), options: &options, failed: 0 };
    let mut report = Report::new(&options);
    for store in [Store::Postgres, Store::Sqlite] {
        let peers: Vec<&Program> = chosen.iter().copied().filter(|p| p.store == store).collect();
        if !peers.is_empty() {
            for work in Work::ALL {
                report.add(&arena.compare(store, work, &peers));
            }
        }
    }
    let path = target.join("bench").join("peers.json");
    report.write(&path)?;
    println!("\n{}\nThe same as JSON: {}", report.table(), path.display());
    match arena.failed {
        0 => Ok(()),
        failed => Err(format!("{failed} runs failed, see above").into()),
    }
}

fn names() -> String {
    PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>().join(", ")
}

/// Where this workspace's programs are built.
fn target_directory() -> Outcome<std::path::PathBuf> {
    let metadata = shell::metadata()?;
    let folder = metadata["target_directory"].as_str().ok_or("cargo names no target directory")?;
    Ok(folder.into())
}

/// What the programs run in.
struct Arena<'a> {
    target: &'a Path,
    server: Option<&'a Server>,
    options: &'a Options,
    failed: usize,
}

impl Arena<'_> {
    /// All rounds of one work on one store.
    fn compare(&mut self, store: Store, work: Work, peers: &[&'static Program]) -> Rounds {
        let mut rounds = Rounds::new(store, work, peers);
        for round in 0..self.options.rounds {
            let before = self.measured(&OURS, store, work);
            for turn in 0..peers.len() {
                // Nobody always comes right after the same one.
                let place = (turn + round) % peers.len();
                let figures = self.measured(peers[place], store, work);
                rounds.put(place, figures);
            }
            let after = self.measured(&OURS, store, work);
            rounds.end_round([before, after]);
        }
        rounds
    }

    /// One run on a new store; none, and a word about it, where it fails.
    fn measured(&mut self, program: &Program, store: Store, work: Work) -> Option<Figures> {
        match self.run_once(program, store, work) {
            Ok(figures) => {
                eprintln!("{} {} {}: {figures}", store.name(), work.name(), program.name);
                Some(figures)
            }
            Err(problem) => {
                eprintln!("{} {} {}: {problem}", store.name(), work.name(), program.name);
                self.failed += 1;
                None
            }
        }
    }

    fn run_once(&self, program: &Program, store: Store, work: Work) -> Outcome<Figures> {
        let jobs = self.options.amount(work, program.most_jobs);
        let task = Task { work, jobs, slots: self.options.slots };
        match store {
            Store::Sqlite => {
                let folder = tempfile::Builder::new().prefix("ff-peers-").tempdir()?;
                let store = folder.path().join("bench.db");
                program.run(self.target, &task, &store.to_string_lossy())
            }
            Store::Postgres => {
                let server = self.server.ok_or("there is no server")?;
                let database = server.database()?;
                program.run(self.target, &task, &database.url())
            }
        }
    }
}
