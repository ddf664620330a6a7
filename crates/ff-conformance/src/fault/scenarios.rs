//! What callers do: together, every operation.

#![expect(clippy::unwrap_used, reason = "a step that fails is a failed check")]

mod flows;
mod operators;
mod runs;
mod store;

use ff_core::contracts::Area;
use futures::future::LocalBoxFuture;

use super::caller::Caller;

/// A story with one caller, who ends what was begun.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What the store must have beside the core.
    pub(super) needs: &'static [Area],
    pub(super) play: for<'c> fn(&'c mut Caller) -> LocalBoxFuture<'c, ()>,
}

macro_rules! scenarios {
    ($($module:ident :: $name:ident needs $needs:expr;)*) => {
        pub(super) const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            needs: &$needs,
            play: |caller| Box::pin($module::$name(caller)),
        },)*];
    };
}

scenarios! {
    runs::complete needs [Area::Execution, Area::Lease, Area::Timer, Area::Event];
    runs::batches needs [Area::Execution, Area::Lease, Area::Timer, Area::Event];
    runs::retry needs [Area::Execution, Area::Timer, Area::Event];
    runs::give_back needs [Area::Execution, Area::Lease, Area::Timer, Area::Event];
    runs::expire needs [Area::Execution, Area::Lease, Area::Worker, Area::Timer, Area::Event];
    runs::time_out needs [Area::Execution, Area::Timer, Area::Event];
    runs::miss_a_deadline needs [Area::Execution, Area::Timer, Area::Event];
    runs::trim needs [Area::Execution, Area::Timer, Area::Admin, Area::Event];
    operators::cancel needs [Area::Execution, Area::Lease, Area::Operator, Area::Timer, Area::Event];
    operators::replay needs [Area::Execution, Area::Operator, Area::Timer, Area::Event];
    operators::revoke needs [Area::Execution, Area::Operator, Area::Timer, Area::Event];
    operators::reorder needs [Area::Execution, Area::Operator, Area::Timer, Area::Event];
    flows::cancel_by_name needs [Area::Execution, Area::Flow, Area::Timer, Area::Event];
    flows::cancel_and_wait needs [Area::Execution, Area::Flow, Area::Timer, Area::Event];
    store::pause needs [Area::Execution, Area::Admin, Area::Timer, Area::Event];
    store::attend needs [Area::Worker, Area::Timer];
}
