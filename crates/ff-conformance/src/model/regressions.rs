//! Scripts that once told a backend from the reference. Every run of the model plays them first.
//!
//! They are kept as scripts and not as seeds, because a seed makes another script as soon as a step
//! is added.

use super::script::*;

/// A script that told two stores apart, and how.
pub(super) struct Regression {
    pub(super) name: &'static str,
    pub(super) script: fn() -> Vec<Step>,
}

pub(super) const REGRESSIONS: &[Regression] = &[
    Regression {
        name: "a lane that nobody knows is resumed, and listed after",
        script: || vec![ResumeLane { lane: 0, name: Plain }],
    },
    Regression {
        name: "a handle of another backend comes with a result that is too large",
        script: || {
            let lease = LeasePick { nth_last: 0, forgery: Some(OtherBackend) };
            vec![Complete { lease, result: TooLarge }]
        },
    },
];
