//! `ff checksum`: the SHA-256 of every file under a directory, as durable work.
//!
//! One execution a file, idempotent by path, size and modification time: killed at any instant and run
//! again, the command goes on where it was and hashes no finished file again.

mod file;
mod hash;
mod patience;
mod plan;
mod progress;
mod sums;
mod walk;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use flowfabric::core::contracts::ExecutionOutcome;
use flowfabric::core::state::PublicState;
use flowfabric::{Client, Worker, WorkerError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::output::{Failure, Output, one_line};
use crate::store;
use file::Digest;
use patience::Patience;
use plan::Planned;
use progress::Progress;

/// Files whose executions are asked for at once.
const ASK_AT_ONCE: usize = 1_000;
/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After a kill, a file that was being read waits this long for the next run.
const LEASE_TTL: Duration = Duration::from_secs(5);
/// What a shell reports of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Write the SHA-256 of every file under DIR, in the format of `sha256sum`.
///
/// Killed at any instant and run again, it goes on where it was. A file counts as the same while its path,
/// size and modification time are. Symbolic links are not followed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The file to write; `sha256sum -c` reads it from the same working directory.
    #[arg(long, value_name = "FILE", default_value = "SHA256SUMS")]
    out: PathBuf,
    /// Files that are read at the same time; one a processor when it is not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

/// A file that has been dealt with.
struct Finished {
    file: Planned,
    outcome: Result<Digest, String>,
}

pub(crate) async fn run(
    db: &str,
    arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let root = walk::Root::of(&arguments.directory)?;
    let target = sums::Target::of(&arguments.out)?;
    let backend = store::open(db).await?;
    let client = Client::new(backend.clone());
    let worker = Worker::builder(backend)
        .lane(root.lane())
        .concurrency(workers(arguments.workers))
        .lease_ttl(LEASE_TTL)
        .claim_wait(LOOK_EVERY)
        // A read looks at its token between two chunks: there is nothing to wait for.
        .grace(Duration::ZERO)
        .worker_id("ff-checksum")
        .handler(hash::KIND, hash::handle)
        .build()?;
    let stop = CancellationToken::new();
    let mut working = tokio::spawn(worker.run_until(stop.clone().cancelled_owned()));
    let patience = Patience::new(output);
    let work = async {
        let excluded = walk::Excluded::new(target.path(), flowfabric::file_of(db)?.as_deref());
        let found = walk::files(&root, &excluded).await?;
        let store = plan::Store { client: &client, patience: &patience };
        let planned = plan::submit(store, &root, found.files).await?;
        let finished = wait_for_all(store, planned, output.is_json()).await?;
        Ok::<_, Failure>((found.unreadable, finished))
    };
    let done = tokio::select! {
        done = work => done.map(Some),
        ended = &mut working => return Err(worker_ended(ended)),
        () = interrupted() => Ok(None),
    };
    stop.cancel();
    let _ = working.await;
    client.backend().shutdown().await?;

    let Some((unreadable, mut finished)) = done? else {
        output.note("interrupted; run the same command again to go on where it was");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    finished.sort_by_cached_key(|entry| file::bytes(&entry.file.shown));
    target.write(&finished)?;
    report(&unreadable, &finished, &arguments, output)
}

fn workers(asked: Option<u16>) -> usize {
    match asked {
        Some(workers) => usize::from(workers),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn worker_ended(ended: Result<Result<(), WorkerError>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Err(error)) => error.into(),
        _ => Failure::Message("the worker stopped before all files were read".to_owned()),
    }
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Waits until every execution has finished, whoever runs it: the store is asked, and not this
/// process's worker. Executions finish about in the order that they were submitted in, so only the
/// oldest are asked for.
async fn wait_for_all(
    store: plan::Store<'_>,
    planned: Vec<Planned>,
    quiet: bool,
) -> Result<Vec<Finished>, Failure> {
    let mut progress = Progress::new(planned.len(), quiet);
    let mut pending = VecDeque::from(planned);
    let mut finished = Vec::with_capacity(pending.len());
    while !pending.is_empty() {
        let asked: Vec<Planned> = pending.drain(..pending.len().min(ASK_AT_ONCE)).collect();
        let ids: Vec<_> = asked.iter().map(|file| file.execution_id.clone()).collect();
        let outcomes = store.read_outcomes(&ids).await?;
        let mut unfinished = Vec::new();
        for (file, outcome) in asked.into_iter().zip(outcomes) {
            match outcome {
                Some(outcome) if !outcome.public_state.is_finished() => unfinished.push(file),
                outcome => finished.push(Finished { outcome: digest(outcome), file }),
            }
        }
        progress.show(finished.len());
        let all_done = unfinished.is_empty();
        unfinished.into_iter().rev().for_each(|file| pending.push_front(file));
        if !all_done {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    progress.end();
    Ok(finished)
}

/// What an execution that has finished says of its file.
fn digest(outcome: Option<ExecutionOutcome>) -> Result<Digest, String> {
    let outcome = outcome.ok_or_else(|| "its execution was removed".to_owned())?;
    if outcome.public_state == PublicState::Completed {
        let result = outcome.result.unwrap_or_default();
        return serde_json::from_slice(&result)
            .map_err(|error| format!("its result cannot be read: {error}"));
    }
    let message = outcome.error.map(|error| error.message);
    Err(message.unwrap_or_else(|| format!("its execution ended as {}", outcome.public_state)))
}

fn report(
    unreadable: &[walk::Unreadable],
    finished: &[Finished],
    arguments: &Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut failed: Vec<(String, String)> =
        unreadable.iter().map(|entry| (entry.path.clone(), entry.reason.clone())).collect();
    for entry in finished {
        if let Err(reason) = &entry.outcome {
            failed.push((entry.file.shown.to_string_lossy().into_owned(), reason.clone()));
        }
    }
    let written = finished.iter().filter(|entry| entry.outcome.is_ok()).count();
    let code = if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match print_report(written, &failed, &arguments.out, output) {
        Ok(()) | Err(Failure::ReaderGone) => Ok(code),
        Err(failure) => Err(failure),
    }
}

fn print_report(
    written: usize,
    failed: &[(String, String)],
    out: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let out = out.display();
    if output.is_json() {
        let failed: Vec<_> =
            failed.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
        let report = json!({ "written": written, "failed": failed, "out": out.to_string() });
        return output.document(&report);
    }
    for (path, reason) in failed {
        output.note(&format!("ff: {}: {}", one_line(path), one_line(reason)));
    }
    output.line(&format!("{written} checksums in {out}, {} files failed", failed.len()))
}
