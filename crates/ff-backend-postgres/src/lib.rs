//! FlowFabric's backend for PostgreSQL: durable executions shared by a fleet.
//!
//! ```no_run
//! use ff_backend_postgres::PostgresBackend;
//!
//! # async fn example() -> Result<(), ff_core::engine_error::EngineError> {
//! let backend = PostgresBackend::connect("postgres://ff@db.example/jobs").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Tour
//!
//! - [`PostgresBackend`] is [`ff_core::engine_backend::EngineBackend`]; `backend.rs` only delegates to a
//!   module for each area: `execution`, `claim`, `lease`, `operator`, `flow`, `timer`, `event`, `worker`,
//!   `admin`.
//! - `tx.rs` is the connection of one operation, either a statement by itself or a transaction, and what
//!   an operation does there: load, ask a rule, apply.
//! - `decide.rs` is what calls by handle have in common: they store without a lock what nothing has come
//!   between.
//! - `batcher.rs` runs single calls that are made at the same time as batches.
//! - `retry.rs` is the one place that runs an operation again.
//! - `pool.rs` opens connections and says why one cannot be opened.
//! - `examine.rs` looks at a store for an operator.
//! - `columns.rs` turns batches into the arrays that statements unnest.
//! - `sql/<area>/<verb>.sql` are the statements.
//!
//! It supports PostgreSQL 14 and later, directly or behind a transaction pooler such as PgBouncer.

mod admin;
mod backend;
mod batcher;
mod claim;
mod columns;
mod config;
mod decide;
mod error;
mod event;
mod examine;
mod execution;
mod flow;
mod lease;
mod migrate;
mod notify;
mod operator;
mod pool;
mod queue_heads;
mod retry;
mod rows;
mod time;
mod timer;
mod tx;
mod worker;

pub use backend::PostgresBackend;
pub use config::PostgresConfig;
pub use examine::examine;
#[doc(hidden)]
pub use examine::{Limits, examine_for_test};
pub use migrate::{apply_migrations, migrate};

/// What this backend calls itself.
pub(crate) const LABEL: &str = "postgres";
