//! The client, the worker loop and the supervisor of FlowFabric, over any
//! [`EngineBackend`](ff_core::engine_backend::EngineBackend).
//!
//! - [`Client`] submits executions ([`Submission`]) and waits for what becomes of them.
//! - [`Worker`] claims them in batches, runs their typed handlers, renews their leases and finishes
//!   them in batches; it gives back what it cannot finish when it is told to stop.
//! - [`Supervisor`] does what time makes due. Every worker runs one unless it is told otherwise.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use ff_core::engine_backend::EngineBackend;
//! use ff_runtime::{Client, HandlerError, Job, Submission, Worker};
//!
//! async fn greet(_job: Job<()>, name: String) -> Result<String, HandlerError> {
//!     Ok(format!("Hello, {name}"))
//! }
//!
//! # async fn example(backend: Arc<dyn EngineBackend>) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(backend.clone());
//! let id = client.submit(Submission::new("greet", &"Ada")?).await?;
//!
//! let worker = Worker::builder(backend).handler("greet", greet).build()?;
//! tokio::spawn(worker.run());
//!
//! let greeting: String = client.result(&id, Some(Duration::from_secs(10))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A handler may run more than once: a worker that dies, or loses its lease, leaves its execution to
//! another. What a lease promises is that only one of them can finish it.

mod backoff;
mod client;
mod clock;
mod error;
mod handler;
mod job;
mod rounds;
mod submission;
mod supervisor;
mod worker;

pub use client::Client;
pub use error::{ClientError, ProgressError, WorkerError};
pub use handler::HandlerError;
pub use job::Job;
pub use submission::Submission;
pub use supervisor::Supervisor;
pub use worker::{Worker, WorkerBuilder};
