//! The `ff` command: checksums as durable work, a look into a store, and what operators do to what is in it.

mod cancel;
mod checksum;
mod doctor;
mod flows;
mod lanes;
mod list;
mod migrate;
mod output;
#[cfg(test)]
mod outside_text;
mod replay;
mod reprioritize;
mod revoke;
mod several;
mod show;
mod stats;
mod store;
mod words;
mod workers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use output::{Failure, Output};

/// Durable executions from the command line.
#[derive(Parser)]
#[command(name = "ff", version, about)]
struct Arguments {
    /// The store: a path or a `sqlite:` URL, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// What a `postgres:` URL leaves out is taken from PGHOST, PGUSER, PGPASSWORD and so on.
    #[arg(long, global = true, value_name = "URL", default_value = "sqlite:flowfabric.db")]
    db: String,
    /// Print JSON, one document a line, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Checksum(checksum::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Stats(stats::Arguments),
    Cancel(cancel::Arguments),
    Replay(replay::Arguments),
    Reprioritize(reprioritize::Arguments),
    Revoke(revoke::Arguments),
    Flows(flows::Arguments),
    Lanes(lanes::Arguments),
    Workers(workers::Arguments),
    Migrate(migrate::Arguments),
    Doctor(doctor::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    let output = Output::new(arguments.json);
    let result = match Runtime::new() {
        Ok(runtime) => {
            let result = runtime.block_on(run(arguments, &output));
            // A read that hangs in the operating system must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::Message(format!("cannot start: {error}"))),
    };
    match result {
        Ok(code) => code,
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            output.error(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let db = &arguments.db;
    match arguments.command {
        Command::Checksum(command) => checksum::run(db, command, output).await,
        Command::List(command) => list::run(db, command, output).await,
        Command::Show(command) => show::run(db, command, output).await,
        Command::Stats(command) => stats::run(db, command, output).await,
        Command::Cancel(command) => cancel::run(db, command, output).await,
        Command::Replay(command) => replay::run(db, command, output).await,
        Command::Reprioritize(command) => reprioritize::run(db, command, output).await,
        Command::Revoke(command) => revoke::run(db, command, output).await,
        Command::Flows(command) => flows::run(db, command, output).await,
        Command::Lanes(command) => lanes::run(db, command, output).await,
        Command::Workers(command) => workers::run(db, command, output).await,
        Command::Migrate(command) => migrate::run(db, command, output).await,
        Command::Doctor(command) => doctor::run(db, command, output).await,
    }
}

/// Quiet unless `RUST_LOG` asks for more: what a user must know is printed by the command itself.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
