//! The schema after all migrations is the one in `schema.sql`, and SQLite's has the same columns.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;

use common::database::Database;
use sqlx::{ConnectOptions, Row};

const DUMP: &str = include_str!("dump_schema.sql");
const POSTGRES: &str = include_str!("../schema.sql");
const SQLITE: &str = include_str!("../../ff-backend-sqlite/schema.sql");

/// What the driver makes, in its own way for each database.
const DRIVERS_TABLE: &str = "ff_migration_annotation";

/// Columns that one of the databases has and the other has not: PostgreSQL holds a set in a column, and
/// runs transactions beside each other.
const POSTGRES_ONLY: [&str; 4] = [
    "ff_completion_event.transaction_id",
    "ff_exec_core.required_capabilities",
    "ff_lease_event.transaction_id",
    "ff_operator_event.transaction_id",
];
const SQLITE_ONLY: [&str; 3] = [
    "ff_exec_core.required_set",
    "ff_execution_capabilities.capability",
    "ff_execution_capabilities.execution_id",
];

#[tokio::test]
async fn the_dumped_schema_is_current() {
    let database = Database::migrated().await;
    let mut conn = database.options().connect().await.unwrap();
    let mut dump = String::new();
    for row in sqlx::query(DUMP).fetch_all(&mut conn).await.unwrap() {
        dump.push_str(&row.get::<String, _>("statement"));
        dump.push_str("\n\n");
    }
    // Run with UPDATE_EXPECT=1 after a migration.
    expect_test::expect_file!["../schema.sql"].assert_eq(&dump);
}

#[test]
fn both_databases_have_the_same_columns() {
    let (postgres, sqlite) = (columns(POSTGRES), columns(SQLITE));
    assert!(postgres.len() > 100, "{postgres:?}");
    assert_eq!(names(postgres.difference(&sqlite)), POSTGRES_ONLY);
    assert_eq!(names(sqlite.difference(&postgres)), SQLITE_ONLY);
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    /// With its table's name before it.
    name: String,
    /// Another program's INSERT must give it.
    is_required: bool,
}

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> Vec<&'a str> {
    columns.map(|column| column.name.as_str()).collect()
}

/// The columns of a dumped schema, which has one to a line.
fn columns(schema: &str) -> BTreeSet<Column> {
    let mut table = None;
    let mut columns = BTreeSet::new();
    for line in schema.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.split(' ').next().filter(|table| *table != DRIVERS_TABLE);
        } else if line.starts_with(')') {
            table = None;
        }
        let word = line.trim_start().split(' ').next().unwrap_or_default();
        let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !word.is_empty();
        if let Some(table) = table.filter(|_| is_name) {
            let is_made = line.contains(" DEFAULT ") || line.contains(" GENERATED ");
            let is_required = line.contains(" NOT NULL") && !is_made;
            columns.insert(Column { name: format!("{table}.{word}"), is_required });
        }
    }
    columns
}
