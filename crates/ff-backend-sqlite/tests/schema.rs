//! The schema after all migrations is the one in `schema.sql`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::open;
use sqlx::Row;

#[tokio::test]
async fn the_dumped_schema_is_current() {
    let opened = open().await;
    let rows = sqlx::query(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name LIKE 'ff_%' ORDER BY name",
    )
    .fetch_all(opened.backend.pool_for_test())
    .await
    .unwrap();
    let mut dump = String::new();
    for row in rows {
        dump.push_str(&row.get::<String, _>("sql"));
        dump.push_str(";\n\n");
    }
    // Run with UPDATE_EXPECT=1 after a migration.
    expect_test::expect_file!["../schema.sql"].assert_eq(&dump);
}
