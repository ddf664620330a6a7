//! `cargo xtask model`: random scripts on every backend and the reference side by side.

use crate::postgres::{self, Postgres};
use crate::shell::{self, Outcome};

/// Passes the arguments on to the program, built for speed: a run is thousands of scripts.
pub(crate) fn run(postgres: &Postgres, args: &[&str]) -> Outcome<()> {
    let program =
        ["run", "--quiet", "--release", "--locked", "-p", "ff-proof", "--bin", "ff-model"];
    let mut command = shell::cargo(&[&program[..], &["--"], args].concat());
    let needs_postgres = !args.windows(2).any(|pair| pair == ["--backend", "sqlite"]);
    if needs_postgres {
        command.env(postgres::URL, postgres.url()?);
    }
    shell::run(&mut command)
}
