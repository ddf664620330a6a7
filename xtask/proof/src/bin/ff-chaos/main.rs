//! Chaos: does to workers, submitters, servers and disks what becomes of them, and then counts what was created,
//! completed, lost and finished twice.
//!
//! The program starts itself again as *nodes*, which work and submit by `ff_runtime` as any program does. Each
//! notes what it is about to submit and what was stored in a *ledger*. An *arena* is a store of the run's own
//! with what stands around it, and knows what can be done to it. A *storm* draws faults from a shuffled deck and
//! injects them side by side. When it is over, everything must come to its end; then the *audit* compares the
//! ledgers with what is stored.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]

mod arena;
mod audit;
mod disk;
mod fault;
mod fleet;
mod ledger;
mod namespace;
mod node;
mod random;
mod report;
mod run;
mod storm;
mod tally;
mod task;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// What a step of this program comes to.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Injects faults, and says what was lost and what was finished twice.
#[derive(Parser)]
#[command(name = "ff-chaos")]
struct Arguments {
    /// The backend; both, one after the other, when none is named.
    #[arg(long)]
    backend: Option<Backend>,
    /// How long faults are injected, for each backend.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the faults and the executions are drawn by.
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Works and submits until it is told to stop: what this program starts of itself.
    #[command(hide = true)]
    Node(node::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Node(node)) = arguments.command {
        return node::run(&node);
    }
    let disks = namespace::enter();
    let seed = arguments.seed.unwrap_or_else(random::seed);
    let backends = match arguments.backend {
        Some(backend) => vec![backend],
        None => vec![Backend::Sqlite, Backend::Postgres],
    };
    let mut is_sound = true;
    for backend in backends {
        let plan = run::Plan { backend, seconds: arguments.seconds, seed, disks: disks.clone() };
        match run::run(&plan) {
            Ok(was_sound) => is_sound &= was_sound,
            Err(problem) => {
                eprintln!("ff-chaos: {}: {problem}", backend.name());
                is_sound = false;
            }
        }
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
