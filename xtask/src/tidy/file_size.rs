//! A file that has grown too long is split.

use super::finding::Finding;
use crate::source::SourceFile;

const MAX_LINES: usize = 500;

/// Files with a limit of their own: one promises to be short, and one is a single trait, which the contract
/// wants flat and with the promises of each method beside it.
const LIMITS: &[(&str, usize)] =
    &[("crates/flowfabric/src/lib.rs", 150), ("crates/ff-core/src/engine_backend.rs", 800)];

pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().filter(|file| file.is_rust()).filter_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Option<Finding> {
    let max = LIMITS.iter().find(|(path, _)| *path == file.path).map_or(MAX_LINES, |(_, max)| *max);
    let lines = file.text.lines().count();
    (lines > max)
        .then(|| Finding::of(file.path.as_str(), format!("{lines} lines, and {max} is the limit")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;

    #[test]
    fn a_file_over_its_limit_is_found() {
        let file = |path: &str, lines| SourceFile::new(path, &"x\n".repeat(lines));
        let files = [
            file("crates/a/src/a.rs", 500),
            file("crates/a/src/b.rs", 501),
            file("crates/a/sql/x/y.sql", 501),
            file("crates/flowfabric/src/lib.rs", 151),
        ];
        assert_eq!(
            texts(&check(&files)),
            [
                "crates/a/src/b.rs: 501 lines, and 500 is the limit",
                "crates/flowfabric/src/lib.rs: 151 lines, and 150 is the limit",
            ]
        );
    }
}
