//! The conformance suite on database files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fixture.rs"]
mod fixture;

ff_conformance::suite!(crate::fixture::FileFixture);

#[test]
fn it_keeps_to_the_model() {
    ff_conformance::model::check(crate::fixture::FileFixture);
}

#[tokio::test]
async fn every_operation_is_safe_to_repeat() {
    ff_conformance::fault::assert_safe_to_repeat(&fixture::FileFixture).await;
}
