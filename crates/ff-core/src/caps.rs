//! Which worker may run which execution.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::backend::CapabilitySet;

/// The capabilities that an execution asks of its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapabilityRequirement {
    required: BTreeSet<String>,
}

impl CapabilityRequirement {
    /// Builds a requirement from names.
    pub fn new(required: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { required: required.into_iter().map(Into::into).collect() }
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(String::as_str)
    }
}

/// Whether the worker has every capability that is required. The empty requirement matches all.
///
/// ```
/// use ff_core::backend::CapabilitySet;
/// use ff_core::caps::{CapabilityRequirement, matches};
///
/// let worker = CapabilitySet::new(["gpu", "eu"]);
/// assert!(matches(&CapabilityRequirement::new(["gpu"]), &worker));
/// assert!(!matches(&CapabilityRequirement::new(["gpu", "us"]), &worker));
/// ```
pub fn matches(requirement: &CapabilityRequirement, offered: &CapabilitySet) -> bool {
    requirement.iter().all(|name| offered.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_matches_its_supersets() {
        let cases: [(&[&str], &[&str], bool); 5] = [
            (&[], &[], true),
            (&[], &["gpu"], true),
            (&["gpu"], &[], false),
            (&["gpu"], &["gpu", "eu"], true),
            (&["gpu", "us"], &["gpu", "eu"], false),
        ];
        for (required, offered, expected) in cases {
            let requirement = CapabilityRequirement::new(required.iter().copied());
            let set = CapabilitySet::new(offered.iter().copied());
            assert_eq!(matches(&requirement, &set), expected, "{required:?} by {offered:?}");
        }
    }
}
