//! The contract of FlowFabric, a durable execution engine.
//!
//! A program submits *executions*; workers claim them under a *lease*, renew it while they work and
//! finish them. This crate says what that means and holds no I/O:
//!
//! - [`types`], [`state`], [`policy`], [`caps`], [`partition`]: the vocabulary;
//! - [`contracts`]: the arguments and results of every operation, by area;
//! - [`engine_backend::EngineBackend`]: the trait that a backend implements;
//! - [`rules`]: the decisions, pure functions from what a store holds to what it shall hold;
//! - [`execution`] and [`decision`]: what the rules read and what they answer.
//!
//! A backend loads, asks a rule, and stores the answer. It decides nothing itself.
//!
//! ```
//! use ff_core::partition::PartitionConfig;
//! use ff_core::types::{ExecutionId, LaneId};
//!
//! let id = ExecutionId::solo(&LaneId::new("default"), &PartitionConfig::default());
//! assert_eq!(id.partition(), 86);
//! assert_eq!(ExecutionId::parse(id.as_str()).unwrap(), id);
//! ```

pub mod backend;
pub mod caps;
pub mod clock;
pub mod contracts;
pub mod decision;
pub mod engine_backend;
pub mod engine_error;
pub mod execution;
#[cfg(test)]
mod outside_text;
pub mod partition;
pub mod policy;
pub mod rules;
pub mod state;
pub mod types;
