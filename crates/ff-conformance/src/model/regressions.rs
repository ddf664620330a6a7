//! Scripts that once told a backend from the reference. Every model run plays them first.
//!
//! They are kept as scripts and not as seeds, because a seed makes another script as soon as a step
//! is added.

use super::step::Step;

/// A script that told two stores apart, and what it showed.
pub(super) struct Regression {
    pub(super) name: &'static str,
    pub(super) script: fn() -> Vec<Step>,
}

pub(super) const REGRESSIONS: &[Regression] = &[];
