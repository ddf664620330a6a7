//! The repository's own commands: `cargo xtask test`, `ci`, `tidy`, `conformance`, `model`, `chaos` and
//! `bench`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line program")]

mod bench;
mod chaos;
mod ci;
mod conformance;
mod model;
mod postgres;
mod rules_page;
mod shell;
mod source;
mod test;
mod tidy;

use std::process::ExitCode;

use conformance::Page;
use postgres::Postgres;
use shell::Outcome;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                    run every test and close with `N passed, N failed, N skipped`
  ci                      run what CI runs: fmt, clippy, doc, tidy, conformance --check, test
  tidy                    check what a compiler cannot
  conformance [--check]   run the suite on every backend and write docs/conformance.md;
                          with --check, fail when the page on disk differs
  model [--cases N] [--steps N] [--seed S] [--backend sqlite|postgres]
                          play random scripts on every backend and the reference, and compare
  chaos [--seconds N] [--backend sqlite|postgres] [--seed N]
                          kill, freeze, cut off and fill up for N seconds, on each backend, and
                          count what is lost and what is finished twice
  bench [--quick] [--only AREA] [--backend sqlite|postgres]
                          measure, and print one table; writes target/bench/summary.json
  bench --compare BASE.json.. --with HEAD.json..
                          compare rounds of two versions, and fail when one became slower
  bench --peers [--jobs N] [--slots N] [--rounds N] [--only NAME]
                          let FlowFabric and others do the same work in turns, and compare

test, ci, conformance and model need a PostgreSQL server: the one at FF_PG_TEST_URL, or else one that
they start in Docker, or else one that they start from the programs on this machine. bench needs a durable
one: the one at FF_BENCH_PG_URL, or else one that it starts from the programs on this machine";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            if !problem.is::<shell::Told>() {
                eprintln!("xtask: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Outcome<()> {
    let postgres = Postgres::default();
    match args {
        ["test"] => test::run(&postgres, &[]),
        ["ci"] => ci::run(&postgres),
        ["tidy"] => tidy::run(),
        ["conformance"] => conformance::run(&postgres, Page::Write),
        ["conformance", "--check"] => conformance::run(&postgres, Page::Check),
        ["model", args @ ..] => model::run(&postgres, args),
        ["chaos", args @ ..] => chaos::run(args),
        ["bench", args @ ..] => bench::run(args),
        _ => Err(USAGE.into()),
    }
}
