//! The reference backend keeps the contract that it is the reference of.

use ff_conformance::reference::ReferenceFixture;

ff_conformance::suite!(ReferenceFixture);
