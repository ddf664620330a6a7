//! The decisions: pure functions from what a store holds to what it shall hold.
//!
//! A rule takes an execution as it is stored, the arguments and the time, and answers a typed error
//! or a [`Decision`](crate::decision::Decision). It reads no clock and does no I/O, so that every
//! backend that asks the same question stores the same answer.

pub mod claim;
pub mod execution;
pub mod flow;
pub mod input;
pub mod lease;
pub mod operator;
pub mod retry;
pub mod timer;
pub mod worker;

#[cfg(test)]
pub(crate) mod testing;
