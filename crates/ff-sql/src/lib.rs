//! What the SQL backends share: the rows of the tables, how a row becomes what a rule reads, and how
//! what a rule answers becomes the parameters of a statement. No driver and no statement.
//!
//! - [`row`]: rows as a driver reads them, to [`ff_core::execution`];
//! - [`event_row`]: rows of events, to what a subscriber reads;
//! - [`flow_row`], [`worker_row`]: rows of flows and of the registry of workers;
//! - [`rounds`]: batches split so that one statement never meets one row twice;
//! - [`calls`]: single calls that wait to be run as batches;
//! - [`by_handle`]: batches of calls by handle, each with an answer of its own;
//! - [`changes`]: what an operation has loaded and what it shall store;
//! - [`members`]: what a flow's cancellation does to its members, and waiting for them;
//! - [`claims`]: claims that ask for the same, made as one;
//! - [`document`]: decisions and calls as JSON documents, one a row, that a statement unpacks;
//! - [`scan`]: what one call of a maintenance task has done;
//! - [`schema`]: the migrations that a database has, and whether what they make is there;
//! - [`wake_ups`]: the claims of this process that wait for work.

pub mod by_handle;
pub mod calls;
pub mod changes;
pub mod claims;
pub mod document;
pub mod event_row;
pub mod flow_row;
pub mod members;
#[cfg(test)]
mod outside_text;
mod reader;
pub mod rounds;
pub mod row;
pub mod scan;
pub mod schema;
pub mod wake_ups;
pub mod worker_row;
