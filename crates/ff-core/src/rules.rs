//! The decisions: pure functions from what a store holds to what it shall hold.
//!
//! A rule takes an execution as it is stored, the arguments and the time, and answers a typed error
//! or a [`Decision`](crate::decision::Decision). It reads no clock and does no I/O, so that every
//! backend that asks the same question stores the same answer.

pub mod claim;
pub mod execution;
pub mod input;
pub mod lease;
pub mod retry;
pub mod timer;

#[cfg(test)]
pub(crate) mod testing;
