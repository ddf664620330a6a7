//! Creating, finishing and reading executions.

mod batchers;
mod create;
mod finish;
mod list;
mod read;

pub(crate) use batchers::Batchers;
pub(crate) use create::{create, create_batch, create_in};
pub(crate) use finish::{complete, complete_batch, fail, fail_batch};
pub(crate) use list::{count, list};
pub(crate) use read::{describe, list_attempts, read_context, read_outcomes};
