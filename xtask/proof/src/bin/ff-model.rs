//! The model at length: `cargo xtask model --cases N --seed S`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the fixtures are those of tests")]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use ff_conformance::Fixture;
use ff_conformance::model::Model;

#[path = "../../../../crates/ff-backend-postgres/tests/common/database.rs"]
mod database;
#[path = "../../../../crates/ff-backend-postgres/tests/common/fixture.rs"]
mod postgres;
#[path = "../../../../crates/ff-backend-sqlite/tests/common/fixture.rs"]
mod sqlite;

/// Plays random scripts on every backend and on the reference side by side.
#[derive(Parser)]
struct Args {
    /// Scripts.
    #[arg(long, default_value_t = 1_000)]
    cases: u32,
    /// Steps of each script.
    #[arg(long, default_value_t = 50)]
    steps: usize,
    /// The scripts are the same for the same seed.
    #[arg(long, default_value_t = random_seed())]
    seed: u64,
    /// One backend beside the reference, instead of all.
    #[arg(long)]
    backend: Option<Backend>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Sqlite,
    Postgres,
}

fn random_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut fixtures: Vec<&dyn Fixture> = Vec::new();
    if args.backend != Some(Backend::Postgres) {
        fixtures.push(&sqlite::FileFixture);
    }
    if args.backend != Some(Backend::Sqlite) {
        fixtures.push(&postgres::DatabaseFixture);
    }
    let model = Model { cases: args.cases, steps: args.steps, seed: args.seed };
    println!("{} scripts of {} steps, --seed {}", model.cases, model.steps, model.seed);
    match model.run(&fixtures) {
        Ok(coverage) => {
            println!("no difference\n{coverage}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
