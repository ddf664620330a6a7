//! Durable execution for Rust services, in the database that they already have.
//!
//! A program submits *executions*; workers claim them under a *lease*, renew it while they work, and
//! finish them. A crash at any instant loses none and finishes none twice.
//!
//! ```
//! use std::time::Duration;
//!
//! use flowfabric::{Client, HandlerError, Job, Submission, Worker};
//!
//! struct Mailer {
//!     sender: String,
//! }
//!
//! async fn welcome(job: Job<Mailer>, name: String) -> Result<String, HandlerError> {
//!     if name.is_empty() {
//!         return Err(HandlerError::permanent("nobody to welcome"));
//!     }
//!     Ok(format!("{} welcomes {name}, attempt {}", job.state().sender, job.attempt()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   let directory = tempfile::tempdir()?;
//! #   std::env::set_current_dir(&directory)?;
//!     let backend = flowfabric::connect("sqlite:jobs.db").await?;
//!     let client = Client::new(backend.clone());
//!     let id = client
//!         .submit(Submission::new("welcome", &"Ada")?.idempotency_key("welcome-ada"))
//!         .await?;
//!
//!     let worker = Worker::builder(backend)
//!         .state(Mailer { sender: "FlowFabric".to_owned() })
//!         .handler("welcome", welcome)
//!         .build()?;
//!     tokio::spawn(worker.run());
//!
//!     let greeting: String = client.result(&id, Some(Duration::from_secs(10))).await?;
//!     println!("{greeting}");
//! #   assert_eq!(greeting, "FlowFabric welcomes Ada, attempt 1");
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! - `sqlite` (default): executions in a SQLite file inside the process.
//! - `postgres`: reserved; the backend is not there yet.
//!
//! [`core`] holds the contract: every operation beyond what [`Client`] and [`Worker`] need is a method of
//! [`core::engine_backend::EngineBackend`].

use std::sync::Arc;

pub use ff_core as core;
pub use ff_runtime::{
    Client, ClientError, HandlerError, Job, ProgressError, Submission, Supervisor, Worker,
    WorkerBuilder, WorkerError,
};

#[cfg(feature = "sqlite")]
pub use ff_backend_sqlite as sqlite;

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::{EngineError, OpenKind};

/// Opens the store that the URL names, and migrates it.
///
/// | URL | backend | feature |
/// | --- | --- | --- |
/// | `sqlite:jobs.db`, `file:...`, `:memory:`, or a plain path | SQLite | `sqlite` |
/// | `postgres://...` | PostgreSQL | `postgres` |
///
/// # Errors
/// `Open` with [`OpenKind::UnknownScheme`] or [`OpenKind::BackendNotCompiledIn`], naming the schemes that
/// there are or the feature to add; otherwise as the backend's own constructor.
pub async fn connect(url: &str) -> Result<Arc<dyn EngineBackend>, EngineError> {
    match scheme(url) {
        None | Some("sqlite" | "file") => connect_sqlite(url).await,
        Some("postgres" | "postgresql") => Err(no_postgres()),
        Some(other) => Err(EngineError::Open {
            kind: OpenKind::UnknownScheme,
            detail: format!("no backend has the scheme {other:?}; there are sqlite: and postgres:"),
        }),
    }
}

/// What stands before the colon; a single letter is a drive and not a scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme =
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some(scheme)
}

#[cfg(feature = "sqlite")]
async fn connect_sqlite(url: &str) -> Result<Arc<dyn EngineBackend>, EngineError> {
    Ok(sqlite::SqliteBackend::new(url).await?)
}

#[cfg(not(feature = "sqlite"))]
async fn connect_sqlite(_url: &str) -> Result<Arc<dyn EngineBackend>, EngineError> {
    Err(EngineError::Open {
        kind: OpenKind::BackendNotCompiledIn,
        detail: "the SQLite backend is not compiled in; add the feature `sqlite`".to_owned(),
    })
}

fn no_postgres() -> EngineError {
    let detail = if cfg!(feature = "postgres") {
        "this version has no PostgreSQL backend yet; use a sqlite: URL"
    } else {
        "the PostgreSQL backend is not compiled in; add the feature `postgres`"
    };
    EngineError::Open { kind: OpenKind::BackendNotCompiledIn, detail: detail.to_owned() }
}
