//! Faults between a caller and its store: calls that never arrive, answers that are lost, calls that arrive
//! twice or late.
//!
//! [`FaultBackend`] is any backend behind a way that fails by a [`FaultPlan`], for testing programs and
//! backends alike. [`assert_safe_to_repeat`] is a test for backends of rule SAFE-3: a caller that repeats
//! whatever it got no answer to comes to the same end.

mod backend;
mod caller;
mod check;
mod plan;
mod scenarios;
mod story;

pub use backend::{Call, FaultBackend};
pub use check::assert_safe_to_repeat;
pub use plan::{Fault, FaultPlan};
