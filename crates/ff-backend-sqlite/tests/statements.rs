//! Every statement file against a migrated database: it prepares, and an index serves it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::open;
use sqlx::{AssertSqlSafe, Row, SqlitePool};

fn statement_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let areas = fs::read_dir(root).unwrap().map(|area| area.unwrap().path());
    let mut files: Vec<PathBuf> = areas
        .flat_map(|area| fs::read_dir(area).unwrap().map(|file| file.unwrap().path()))
        .collect();
    files.sort();
    files
}

/// The consecutive statements of a file, without its comments.
fn statements(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let parts = code.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

async fn plan(pool: &SqlitePool, statement: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
        .fetch_all(pool)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{statement}"));
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

/// Arrays that were given as parameters, and what was made of them.
fn scans_a_table(step: &str) -> bool {
    let made_here = [
        "SCAN named",
        "SCAN lane",
        "SCAN q",
        "SCAN picked",
        "SCAN s",
        "SCAN CONSTANT ROW",
        "SCAN (subquery",
    ];
    step.starts_with("SCAN ")
        && !step.contains("VIRTUAL TABLE")
        && !made_here.iter().any(|prefix| step.starts_with(prefix))
}

#[tokio::test]
async fn only_small_tables_are_scanned() {
    let opened = open().await;
    let mut scans = String::new();
    for file in statement_files() {
        for statement in statements(&file) {
            let steps = plan(opened.backend.pool_for_test(), &statement).await;
            for step in steps.iter().filter(|step| scans_a_table(step)) {
                scans.push_str(&format!("{}: {step}\n", file.file_stem().unwrap().display()));
            }
        }
    }
    // Lanes, namespaces and migrations are few; open attempts are those that run now.
    expect_test::expect![[r#"
        list_lanes: SCAN ff_lane
        find_past_retention: SCAN n
        find_timed_out: SCAN a USING INDEX ff_attempt_open
    "#]]
    .assert_eq(&scans);
}

/// SQLite looks at the value of a bare parameter there when it plans, and so plans again at every call.
#[test]
fn no_limit_is_a_bare_parameter() {
    for file in statement_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("LIMIT $"), "{}: write LIMIT ($n + 0)", file.display());
    }
}
