//! A node: a process that works, submits, or both, as programs do.

mod handler;
mod submitter;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_backend_sqlite::SqliteBackend;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};
use ff_runtime::Worker;
use tokio::time::sleep;
use tracing_subscriber::EnvFilter;

use crate::ledger::{Entry, Ledger};
use crate::task::{KIND, LANE, LEASE_TTL};
use crate::{Backend, Outcome};
pub(crate) use submitter::STOP;

/// Before the store is opened again.
const OPEN_AGAIN: Duration = Duration::from_millis(200);
/// Handlers that a node runs at the same time.
const CONCURRENCY: usize = 8;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[arg(long)]
    pub(crate) backend: Backend,
    #[arg(long)]
    pub(crate) url: String,
    /// The run's folder.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// The node's own name: a node that is started again has another one.
    #[arg(long)]
    pub(crate) name: String,
    /// Who was there before and may have left submissions without an answer.
    #[arg(long)]
    pub(crate) predecessor: Option<String>,
    #[arg(long)]
    pub(crate) seed: u64,
    /// Connections to the server.
    #[arg(long, default_value_t = 4)]
    pub(crate) pool: u32,
    #[arg(long)]
    pub(crate) works: bool,
    #[arg(long)]
    pub(crate) submits: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    end_with_parent();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{}: {problem}", arguments.name);
            ExitCode::FAILURE
        }
    }
}

/// The other end of this process's input is held by its parent, however that ends.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
}

fn serve(arguments: &Arguments) -> Outcome<()> {
    let ledger = Arc::new(Ledger::create(&ledger_of(&arguments.folder, &arguments.name))?);
    tell_of_panics(&ledger);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let store = open(arguments, &ledger).await?;
        let submitting = submitter::submit(arguments, Arc::clone(&store), Arc::clone(&ledger));
        if !arguments.works {
            return submitting.await;
        }
        let mut working = pin!(worker(store, ledger)?.run());
        if arguments.submits {
            tokio::select! {
                worked = &mut working => return Ok(worked?),
                submitted = submitting => submitted?,
            }
        }
        Ok(working.await?)
    })
}

pub(crate) fn ledger_of(folder: &Path, name: &str) -> PathBuf {
    folder.join("ledgers").join(name)
}

/// Handlers that panic as planned do so without the hook.
fn tell_of_panics(ledger: &Arc<Ledger>) {
    let (ledger, usual) = (Arc::clone(ledger), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        let _ = ledger.write(&Entry::Problem(panic.to_string()));
        usual(panic);
    }));
}

fn worker(store: Arc<dyn EngineBackend>, ledger: Arc<Ledger>) -> Outcome<Worker> {
    let worker = Worker::builder(store)
        .state(ledger)
        .lane(LANE)
        .worker_id("chaos")
        .lease_ttl(LEASE_TTL)
        .grace(Duration::from_secs(1))
        .concurrency(CONCURRENCY)
        .handler(KIND, handler::handle);
    Ok(worker.build()?)
}

/// Opens the store, however long it is away.
async fn open(arguments: &Arguments, ledger: &Ledger) -> Outcome<Arc<dyn EngineBackend>> {
    loop {
        match try_open(arguments).await {
            Ok(store) => return Ok(store),
            Err(error) => {
                tracing::warn!(%error, "the store was not opened; it is tried again");
                if !may_pass(&error) {
                    ledger.write(&Entry::Problem(format!("the store was not opened: {error}")))?;
                }
            }
        }
        sleep(OPEN_AGAIN).await;
    }
}

async fn try_open(arguments: &Arguments) -> Result<Arc<dyn EngineBackend>, EngineError> {
    Ok(match arguments.backend {
        Backend::Sqlite => SqliteBackend::new(&arguments.url).await?,
        Backend::Postgres => {
            let config =
                PostgresConfig { max_connections: arguments.pool, ..PostgresConfig::default() };
            PostgresBackend::connect_with(&arguments.url, config).await?
        }
    })
}

/// Whether a store that could not be opened may be away for a while and no more.
fn may_pass(error: &EngineError) -> bool {
    matches!(error, EngineError::Open { kind: OpenKind::Unreachable, .. }) || error.is_retryable()
}
