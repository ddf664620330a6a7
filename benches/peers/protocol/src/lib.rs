//! What the programs of the comparison share: their arguments, the three works, and the line that they print.
//!
//! A program implements [`Peer`] and calls [`main`]. It is then run as
//! `PROGRAM create|drain|pickup --store URL --jobs N --slots S` and prints one line of JSON.
#![warn(missing_docs)]

mod handled;
mod run;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

pub use handled::handled;
pub use run::{Run, Work};

/// What anything here comes to.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many create at the same time.
pub const PRODUCERS: u64 = 16;
/// How often the database is asked whether the last job is finished.
const POLL: Duration = Duration::from_millis(2);
/// How long the worker of `pickup` is left idle before the first sample, and between two.
const IDLE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(20));
/// Longer than any work takes that has not stalled.
const PATIENCE: Duration = Duration::from_secs(600);

/// An engine, on a store that is its own.
pub trait Peer: Sized + Send + Sync + 'static {
    /// Its name in the line.
    const ENGINE: &'static str;

    /// Opens the store, which is empty, makes the schema there, and builds the worker. This is not timed.
    fn open(run: &Run) -> impl Future<Output = Outcome<Self>> + Send;

    /// Creates one job, durably when it returns.
    fn create(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// Creates jobs in the quickest way that there is. This is not timed.
    fn fill(&self, jobs: u64) -> impl Future<Output = Outcome<()>> + Send;

    /// Starts the worker, which goes on in the background and whose handler only calls [`handled`].
    fn start(&self) -> impl Future<Output = Outcome<()>> + Send;

    /// Whether the database holds no job that is not finished.
    fn is_drained(&self) -> impl Future<Output = Outcome<bool>> + Send;
}

/// Does the work that the arguments ask for and prints its line.
pub async fn main<P: Peer>() -> ExitCode {
    match measured::<P>().await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{}: {problem}", P::ENGINE);
            ExitCode::FAILURE
        }
    }
}

async fn measured<P: Peer>() -> Outcome<serde_json::Value> {
    let run = Run::from_args(std::env::args().skip(1))?;
    let peer = P::open(&run).await?;
    let rate = |elapsed: Duration| {
        let seconds = elapsed.as_secs_f64();
        json!({"engine": P::ENGINE, "work": run.work.name(), "jobs": run.jobs, "slots": run.slots, "seconds": seconds})
    };
    match run.work {
        Work::Create => Ok(rate(create(peer, run.jobs).await?)),
        Work::Drain => Ok(rate(drain(&peer, run.jobs).await?)),
        Work::Pickup => {
            let mut samples = pickup(&peer, run.jobs).await?;
            samples.sort_unstable();
            let ms = |part| percentile(&samples, part).as_secs_f64() * 1_000.0;
            let (p50, p99) = (ms(50), ms(99));
            Ok(
                json!({"engine": P::ENGINE, "work": "pickup", "samples": run.jobs, "p50_ms": p50, "p99_ms": p99}),
            )
        }
    }
}

/// Until the last of the jobs, each created by itself, is acknowledged.
async fn create<P: Peer>(peer: P, jobs: u64) -> Outcome<Duration> {
    let peer = Arc::new(peer);
    let mut producers = JoinSet::new();
    let start = Instant::now();
    for producer in 0..PRODUCERS {
        let share = jobs / PRODUCERS + u64::from(producer < jobs % PRODUCERS);
        let peer = Arc::clone(&peer);
        producers.spawn(async move {
            for _ in 0..share {
                peer.create().await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    Ok(start.elapsed())
}

/// From the worker's start until the last of the jobs is finished in the database.
async fn drain<P: Peer>(peer: &P, jobs: u64) -> Outcome<Duration> {
    peer.fill(jobs).await?;
    handled::aim_at(jobs);
    let start = Instant::now();
    peer.start().await?;
    let finished = async {
        handled::reached().await;
        while !peer.is_drained().await? {
            tokio::time::sleep(POLL).await;
        }
        Outcome::Ok(start.elapsed())
    };
    tokio::time::timeout(PATIENCE, finished)
        .await
        .map_err(|_| format!("{} of {jobs} jobs were handled", handled::count()))?
}

/// From just before each call that creates a job until its handler starts, on a worker with nothing else to do.
async fn pickup<P: Peer>(peer: &P, jobs: u64) -> Outcome<Vec<Duration>> {
    peer.start().await?;
    tokio::time::sleep(IDLE.0).await;
    let mut samples = Vec::new();
    for job in 1..=jobs {
        handled::aim_at(job);
        let start = Instant::now();
        peer.create().await?;
        let handled = tokio::time::timeout(PATIENCE, handled::reached()).await?;
        samples.push(handled.duration_since(start));
        tokio::time::sleep(IDLE.1).await;
    }
    Ok(samples)
}

/// The sample below which so many in a hundred of them lie, by nearest rank; zero of none.
fn percentile(sorted: &[Duration], part: usize) -> Duration {
    let rank = (sorted.len() * part).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_millis(100));
        assert_eq!(percentile(&sorted, 99), Duration::from_millis(198));
        assert_eq!(percentile(&sorted[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
