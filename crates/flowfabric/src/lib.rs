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
//! - `postgres`: executions in a PostgreSQL database that a fleet of processes shares.
//!
//! [`core`] holds the contract: every operation beyond what [`Client`] and [`Worker`] need is a method of
//! [`core::engine_backend::EngineBackend`].

mod open;

pub use ff_core as core;
pub use ff_runtime::{
    Client, ClientError, HandlerError, Job, ProgressError, Submission, Supervisor, Worker,
    WorkerBuilder, WorkerError,
};

#[cfg(feature = "postgres")]
pub use ff_backend_postgres as postgres;
#[cfg(feature = "sqlite")]
pub use ff_backend_sqlite as sqlite;

pub use open::{connect, examine, file_of, migrate};
