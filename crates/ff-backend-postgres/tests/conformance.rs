//! The conformance suite on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/database.rs"]
mod database;
#[path = "common/fixture.rs"]
mod fixture;

ff_conformance::suite!(crate::fixture::DatabaseFixture);

#[test]
fn it_keeps_to_the_model() {
    ff_conformance::model::check(crate::fixture::DatabaseFixture);
}

#[tokio::test]
async fn every_operation_is_safe_to_repeat() {
    ff_conformance::fault::assert_safe_to_repeat(&fixture::DatabaseFixture).await;
}
