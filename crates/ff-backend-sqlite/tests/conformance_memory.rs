//! The conformance suite on databases in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/fixture.rs"]
mod fixture;

ff_conformance::suite!(crate::fixture::MemoryFixture);
