use serde::{Deserialize, Serialize};

/// What the suite found on one backend.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) backend: String,
    pub(crate) entries: Vec<Entry>,
}

/// What became of one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) area: String,
    pub(crate) case: String,
    pub(crate) rules: Vec<String>,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Passed,
    Failed,
    Unavailable,
    Ignored,
}

impl Status {
    /// Every status, in the order in which a cell of the page counts them.
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Passed, "passed"),
        (Self::Failed, "failed"),
        (Self::Unavailable, "unavailable"),
        (Self::Ignored, "ignored"),
    ];
}
