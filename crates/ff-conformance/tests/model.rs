//! The model on the reference itself, and on a backend that is broken.

use std::collections::BTreeSet;
use std::fs;

use ff_conformance::model::{Model, ModelFailure, check};
use ff_conformance::reference::ReferenceFixture;
use ff_conformance::zoo::{Fault, ZooFixture};

#[test]
fn the_reference_agrees_with_itself() {
    check(ReferenceFixture);
}

#[test]
fn a_difference_is_told_as_a_short_test() {
    let broken = ZooFixture::over(ReferenceFixture, Fault::AcceptsExpiredLeases);

    let failure = Model::default().run(&[&broken]).unwrap_err();

    let ModelFailure::Differs { script, .. } = &failure else { unreachable!("{failure}") };
    assert!(script.len() <= 5, "{failure}");
    let told = failure.to_string();
    assert!(told.contains("State(LeaseExpired)"), "{told}");
    assert!(told.contains("ff_conformance::model::replay(MyFixture, &["), "{told}");
    assert!(told.contains("Advance { millis: "), "{told}");
}

#[test]
fn a_run_that_met_too_little_does_not_count() {
    let failure = Model { cases: 1, ..Model::default() }.run(&[&ReferenceFixture]).unwrap_err();

    assert!(matches!(failure, ModelFailure::TooLittle(_)), "{failure}");
    assert!(failure.to_string().contains("State(MaxReplaysExhausted)"), "{failure}");
}

/// Where an operation is added to the trait, it is added to the model.
#[test]
fn every_operation_of_the_trait_is_driven() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../ff-core/src/engine_backend.rs");
    let source = fs::read_to_string(source).unwrap();
    let names = source.lines().filter_map(|line| line.trim().strip_prefix("async fn "));
    let of_the_trait: BTreeSet<&str> = names.map(|rest| rest.split('(').next().unwrap()).collect();

    let driven: BTreeSet<&str> = ff_conformance::model::operations().collect();

    assert_eq!(driven, of_the_trait);
}
