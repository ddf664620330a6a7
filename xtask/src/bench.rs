//! `cargo xtask bench`: runs the benches, prints one table, and compares runs with each other.
//!
//! Measuring is the business of ff-benches; this is who starts it, with a server that is durable, and who reads what it
//! wrote.

mod compare;
mod figure;
mod peers;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::postgres::{self, Postgres};
use crate::shell::{self, Outcome};
use figure::Figure;

/// The programs of ff-benches.
const AREAS: [&str; 6] = ["execution", "claim", "lease", "flow", "event", "worker"];
const BACKENDS: [&str; 2] = ["sqlite", "postgres"];

/// What is to be measured.
#[derive(Debug, Default, PartialEq)]
struct Options<'a> {
    is_quick: bool,
    area: Option<&'a str>,
    backend: Option<&'a str>,
}

pub(crate) fn run(args: &[&str]) -> Outcome<()> {
    match args {
        ["--compare", files @ ..] => compare::run(files),
        ["--peers", args @ ..] => peers::run(args),
        args => measure(&Options::parse(args)?),
    }
}

impl<'a> Options<'a> {
    fn parse(args: &[&'a str]) -> Outcome<Self> {
        let (mut options, mut args) = (Self::default(), args);
        loop {
            args = match args {
                [] => return Ok(options),
                ["--quick", rest @ ..] => {
                    options.is_quick = true;
                    rest
                }
                ["--only", area, rest @ ..] if AREAS.contains(area) => {
                    options.area = Some(area);
                    rest
                }
                ["--backend", backend, rest @ ..] if BACKENDS.contains(backend) => {
                    options.backend = Some(backend);
                    rest
                }
                [arg, ..] => {
                    let (areas, backends) = (AREAS.join("|"), BACKENDS.join("|"));
                    let usage = format!("[--quick] [--only {areas}] [--backend {backends}]");
                    return Err(format!("`{arg}`: usage: cargo xtask bench {usage}").into());
                }
            };
        }
    }
}

fn measure(options: &Options<'_>) -> Outcome<()> {
    let folder = shell::root().join("target/bench");
    clear(&folder)?;
    let postgres = (options.backend != Some("sqlite")).then(Postgres::durable);
    let mut command = shell::cargo(&["bench", "--locked", "-p", "ff-benches"]);
    for area in AREAS.iter().filter(|area| options.area.is_none_or(|only| only == **area)) {
        command.args(["--bench", area]);
    }
    command.args(["--", "--quiet"]).env("FF_BENCH_OUT", &folder);
    // A server for tests need not be durable, so its URL is not passed on.
    command.env_remove(postgres::URL);
    if options.is_quick {
        command.env("FF_BENCH_QUICK", "1");
    }
    if let Some(backend) = options.backend {
        command.env("FF_BENCH_STORE", backend);
    }
    if let Some(postgres) = &postgres {
        command.env(postgres::URL, postgres.url()?);
    }
    shell::run(&mut command)?;
    let figures = figure::read_all(&folder)?;
    println!("\n{}", table::text(&figures));
    let summary = folder.join("summary.json");
    fs::write(&summary, serde_json::to_string_pretty(&figures)?)?;
    eprintln!("xtask: wrote {}", summary.display());
    Ok(())
}

/// Removes the figures of the run before.
fn clear(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    for file in json_files(folder)? {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The JSON files of a folder, by name.
fn json_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut files: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_in_any_order_and_unknown_ones_are_refused() {
        let options =
            Options::parse(&["--backend", "sqlite", "--quick", "--only", "claim"]).unwrap();
        let expected = Options { is_quick: true, area: Some("claim"), backend: Some("sqlite") };
        assert_eq!(options, expected);
        assert_eq!(Options::parse(&[]).unwrap(), Options::default());
        for wrong in [&["--only", "clam"][..], &["--only"], &["--backend", "redis"], &["-q"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
