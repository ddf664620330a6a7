//! The first difference between two stores, told as a test that shows it again.

use std::fmt;

use super::step::Step;

/// Where a store differs from the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The store's label.
    pub(super) store: String,
    /// The position of the step after which it shows; the script's length for its end.
    pub(super) step: usize,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Difference {
    /// The first line of `found` that is not that of `expected`.
    pub(super) fn between(expected: &[String], found: &[String]) -> Option<(String, String)> {
        let nothing = || "nothing".to_owned();
        let lines = expected.len().max(found.len());
        let line = (0..lines).find(|line| expected.get(*line) != found.get(*line))?;
        let at = |lines: &[String]| lines.get(line).cloned().unwrap_or_else(nothing);
        Some((at(expected), at(found)))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} differs from the reference after step {}:", self.store, self.step)?;
        writeln!(f, "  reference: {}", self.expected)?;
        write!(f, "  {}: {}", self.store, self.found)
    }
}

/// Why a run of the model does not count.
#[derive(Debug)]
#[non_exhaustive]
pub enum ModelFailure {
    /// A store answered or kept something else than the reference.
    #[non_exhaustive]
    Differs {
        /// What is different, and where.
        difference: String,
        /// The shortest script found that shows it.
        script: Vec<Step>,
    },
    /// These operations never succeeded, or these kinds of errors never appeared: run more cases.
    TooLittle(Vec<String>),
    /// The generator gave up.
    Aborted(String),
}

impl fmt::Display for ModelFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { difference, script } => {
                writeln!(f, "{difference}\n\n{}", as_test(script))
            }
            Self::TooLittle(missing) => {
                write!(f, "the run does not count, because it never met: {}", missing.join(", "))
            }
            Self::Aborted(reason) => write!(f, "no scripts could be made: {reason}"),
        }
    }
}

impl std::error::Error for ModelFailure {}

/// The script as a test; every word in it is in `ff_conformance::model::script`.
fn as_test(script: &[Step]) -> String {
    let steps: String = script
        .iter()
        .map(|step| format!("        {step:?},\n"))
        .collect::<String>()
        .replace('[', "vec![");
    format!(
        "#[test]\nfn a_script_that_told_them_apart() {{\n    use ff_conformance::model::script::*;\n\n    \
         ff_conformance::model::replay(MyFixture, &[\n{steps}    ]);\n}}"
    )
}
