//! FlowFabric's backend for SQLite: durable executions in a file inside the process.
//!
//! ```no_run
//! use ff_backend_sqlite::SqliteBackend;
//!
//! # async fn example() -> Result<(), ff_core::engine_error::EngineError> {
//! let backend = SqliteBackend::new("jobs.db").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Tour
//!
//! - [`SqliteBackend`] is [`ff_core::engine_backend::EngineBackend`]; `backend.rs` only delegates to a
//!   module for each area: `execution`, `claim`, `lease`, `operator`, `flow`, `timer`, `event`, `worker`,
//!   `admin`.
//! - `writer.rs` is the one place that writes: a thread that folds every waiting operation into one
//!   transaction, a savepoint each, and answers after the commit. `writer/batcher.rs` makes one operation of
//!   single calls that wait for it.
//! - `tx.rs` is what an operation does inside that transaction: load, ask a rule, apply.
//! - `pool.rs` opens the file and the pool of read-only connections.
//! - `examine.rs` looks at a store for an operator.
//! - `sql/<area>/<verb>.sql` are the statements.
//!
//! SQLite has no data-modifying common table expressions, so a statement file may hold consecutive
//! statements that run as one call inside the operation's savepoint.

mod admin;
mod backend;
mod claim;
mod config;
mod error;
mod event;
mod examine;
mod execution;
mod flow;
mod lanes;
mod lease;
mod location;
mod migrate;
mod operator;
mod pool;
mod rows;
mod timer;
mod tx;
mod values;
mod worker;
mod writer;

pub use backend::SqliteBackend;
pub use config::SqliteConfig;
pub use examine::examine;
pub use location::file_of;
pub use migrate::migrate;

/// What this backend calls itself.
pub(crate) const LABEL: &str = "sqlite";
