//! Dependencies between our crates are the arrows of the architecture, and there are no others.

use serde_json::Value;

use super::finding::Finding;

/// What one of our crates may depend on.
struct Arrows {
    name: &'static str,
    /// Our crates, in every kind of dependency.
    ours: &'static [&'static str],
    /// Our crates, in dev-dependencies only.
    ours_in_tests: &'static [&'static str],
    /// Crates of others that would break its promise.
    never: &'static [&'static str],
}

const ARROWS: &[Arrows] = &[
    Arrows { name: "ff-core", ours: &[], ours_in_tests: &[], never: &["tokio", "sqlx", "rand"] },
    Arrows { name: "ff-sql", ours: &["ff-core"], ours_in_tests: &[], never: &["sqlx"] },
    Arrows {
        name: "ff-backend-sqlite",
        ours: &["ff-core", "ff-sql"],
        ours_in_tests: &["ff-conformance"],
        never: &[],
    },
    Arrows {
        name: "ff-backend-postgres",
        ours: &["ff-core", "ff-sql"],
        ours_in_tests: &["ff-conformance"],
        never: &[],
    },
    Arrows {
        name: "ff-conformance",
        ours: &["ff-core"],
        ours_in_tests: &["ff-conformance"],
        never: &["sqlx"],
    },
    Arrows {
        name: "ff-runtime",
        ours: &["ff-core"],
        ours_in_tests: &["ff-conformance"],
        never: &["sqlx"],
    },
    Arrows {
        name: "flowfabric",
        ours: &["ff-core", "ff-runtime", "ff-backend-sqlite", "ff-backend-postgres"],
        ours_in_tests: &[],
        never: &["sqlx"],
    },
    Arrows { name: "peer-protocol", ours: &[], ours_in_tests: &[], never: &["sqlx"] },
    Arrows { name: "ff-cli", ours: &["flowfabric"], ours_in_tests: &[], never: &["sqlx"] },
];

/// Crates that may depend on anything, and that nothing depends on.
const LEAVES: &[&str] = &["xtask", "ff-proof", "ff-benches"];

/// Compares what `cargo metadata` says with the table.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or("?");
        if LEAVES.contains(&name) {
            continue;
        }
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.name == name) else {
            findings.push(Finding::of(name, "the table of arrows does not have this crate"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            findings.extend(check_dependency(arrows, dependency, &ours));
        }
    }
    findings
}

fn check_dependency(arrows: &Arrows, dependency: &Value, ours: &[&str]) -> Option<Finding> {
    let target = dependency["name"].as_str().unwrap_or("?");
    let is_dev = dependency["kind"] == "dev";
    let is_allowed = if ours.contains(&target) {
        arrows.ours.contains(&target) || (is_dev && arrows.ours_in_tests.contains(&target))
    } else {
        is_dev || !arrows.never.contains(&target)
    };
    let kind = if is_dev { "dev-depends" } else { "depends" };
    (!is_allowed).then(|| {
        Finding::of(arrows.name, format!("{kind} on {target}, which the architecture rules out"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::texts;
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: &[(&str, Value)]) -> Value {
        let dependencies: Vec<_> =
            dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
        json!({"name": name, "dependencies": dependencies})
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let dev = || json!("dev");
        let metadata = json!({"packages": [
            package("ff-core", &[("serde", Value::Null), ("sqlx", Value::Null)]),
            package("ff-sql", &[("ff-core", Value::Null), ("sqlx", dev())]),
            package("ff-backend-sqlite", &[("ff-conformance", dev()), ("sqlx", Value::Null)]),
            package("ff-conformance", &[]),
            package("ff-runtime", &[("ff-conformance", Value::Null), ("xtask", dev())]),
            package("ff-new", &[]),
            package("xtask", &[("ff-conformance", Value::Null)]),
        ]});
        assert_eq!(
            texts(&check(&metadata)),
            [
                "ff-core: depends on sqlx, which the architecture rules out",
                "ff-runtime: depends on ff-conformance, which the architecture rules out",
                "ff-runtime: dev-depends on xtask, which the architecture rules out",
                "ff-new: the table of arrows does not have this crate",
            ]
        );
    }

    #[test]
    fn nothing_may_depend_on_a_leaf() {
        for arrows in ARROWS {
            for leaf in LEAVES {
                assert!(!arrows.ours.contains(leaf) && !arrows.ours_in_tests.contains(leaf));
            }
        }
    }
}
