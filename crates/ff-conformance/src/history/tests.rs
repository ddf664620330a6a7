//! The checker can fail: hand-written histories that break each promise are caught, and sound ones are not.

mod events;
mod leases;
mod log;
mod orders;
mod outcomes;
mod script;
