//! The model at length: `cargo xtask model --cases N --seed S`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the fixtures are those of tests")]

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{Parser, ValueEnum};
use ff_conformance::model::Model;
use ff_conformance::{Fixture, Store};
use ff_core::clock::ManualClock;
use tokio::sync::OnceCell;

use database::Database;
use postgres::PostgresStore;

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

/// Stores in one database, one after the other.
#[derive(Default)]
struct OneDatabase(OnceCell<Database>);

#[async_trait]
impl Fixture for OneDatabase {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let database = self.0.get_or_init(Database::migrated).await.lend().await;
        let url = database.url();
        Box::new(PostgresStore::open(database, url, clock).await)
    }
}

fn random_seed() -> u64 {
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let one_database = OneDatabase::default();
    let mut fixtures: Vec<&dyn Fixture> = Vec::new();
    if args.backend != Some(Backend::Postgres) {
        fixtures.push(&sqlite::FileFixture);
    }
    if args.backend != Some(Backend::Sqlite) {
        fixtures.push(&one_database);
    }
    let model = Model { cases: args.cases, steps: args.steps, seed: args.seed };
    println!("{} scripts of {} steps, --seed {}", model.cases, model.steps, model.seed);
    let tell = |played: u32| {
        if played.is_multiple_of(500) {
            eprintln!("{played} played");
        }
    };
    match model.run_with_progress(&fixtures, tell) {
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
