//! What the benches share: stores with the database's durable settings on, the work that is measured on them,
//! the floor beside it, and the report.
//!
//! `cargo xtask bench` runs all of it. A bench is a program, one for each area, that measures on every store
//! there is and writes one JSON file a case, see [`report`]:
//!
//! | program | benches |
//! | --- | --- |
//! | `execution` | `create`, `lifecycle` |
//! | `claim` | `claim_backlog` |
//! | `lease` | `renew` |
//! | `flow` | `cancel_flow` |
//! | `event` | `events` |
//! | `worker` | `drain`, `pickup`, `held_snapshot` |
//!
//! `fanout` is missing: executions have no edges between them yet.
//!
//! # Environment
//!
//! | variable | what it is | by default | quick |
//! | --- | --- | --- | --- |
//! | `FF_BENCH_QUICK` | `1` for small sizes and short runs | | |
//! | `FF_PG_TEST_URL` | the PostgreSQL server; without it only SQLite is measured | | |
//! | `FF_BENCH_STORE` | `sqlite` or `postgres`, to measure only that | both | both |
//! | `FF_BENCH_OUT` | the folder of the JSON files | `target/bench` | |
//! | `FF_BENCH_SECONDS` | what criterion measures a case for | 5 | 0.5 |
//! | `FF_BENCH_ROUNDS` | runs of what is not criterion's: `worker`, `flow`, `event` | 5 | 3 |
//! | `FF_BENCH_READY` | sizes of a lane for `claim_backlog`, with commas | 0,1000,100000,1000000 | 0,1000,10000 |
//! | `FF_BENCH_BLOCKED` | executions in front that the worker may not take | 100000 | 10000 |
//! | `FF_BENCH_HELD` | leases that are held for `renew` | 10000 | 1000 |
//! | `FF_BENCH_DRAIN` | executions of a `drain` | 100000 | 2000 |
//! | `FF_BENCH_PICKUPS` | pickups in a round | 500 | 34 |
//! | `FF_BENCH_CHURN_SECONDS` | work under a held snapshot before it is measured | 60 | 1 |
//! | `FF_BENCH_MEMBERS` | sizes of a flow for `cancel_flow`, with commas | 10,1000,10000 | 10,100,1000 |
//! | `FF_BENCH_EVENTS` | how far behind the subscriber is | 1000000 | 10000 |
//!
//! SQLite's file is in the temporary directory, whose disk is what is measured: set `TMPDIR` to measure another.

pub mod floor;
pub mod report;
pub mod run;
pub mod settings;
pub mod stats;
pub mod store;
pub mod work;

pub use floor::Floor;
pub use store::{Bench, Store};

/// What can go wrong in a bench, none of which it knows how to mend.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking")]
#[path = "../../crates/ff-backend-postgres/tests/common/database.rs"]
mod database;

#[cfg(test)]
mod tests;
