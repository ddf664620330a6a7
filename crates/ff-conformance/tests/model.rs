//! The model on the reference itself, and on backends that are broken where only it looks.

use ff_conformance::model;
use ff_conformance::reference::ReferenceFixture;

#[test]
fn the_reference_agrees_with_itself() {
    model::check(ReferenceFixture);
}
