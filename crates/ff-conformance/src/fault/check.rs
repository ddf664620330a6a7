//! Every fault at every call.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_core::clock::ManualClock;
use futures::future::join_all;

use super::backend::{Call, FaultBackend};
use super::caller::{Caller, Told};
use super::plan::{Fault, FaultPlan};
use super::scenarios::{SCENARIOS, Scenario};
use super::story;
use crate::cx::{LEASE_TTL, START};
use crate::fixture::{Fixture, Store};

/// A call that is delayed by as much as a lease lasts finds its own ended.
const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::Duplicate, Fault::Delay(LEASE_TTL)];

/// Answers that say that the call was done before: operation, first answer, answer to its repetition. Every
/// other operation gives its first answer again.
const DONE_BEFORE: &[(&str, &str, &str)] = &[
    ("create_execution", "created", "a duplicate of itself"),
    ("create_executions", "created", "a duplicate of itself"),
    ("delay", "done", "the lease is held by somebody else or was ended"),
    ("reconcile", "1", "0"),
    ("replay_execution", "waiting", "the execution has not finished"),
    ("revoke_lease", "revoked", "no_active_lease"),
    ("create_flow", "created", "a duplicate of itself"),
    ("add_execution_to_flow", "added at 1", "a member at 1"),
    ("add_execution_to_flow", "added at 2", "a member at 2"),
    ("cancel_flow_header", "cancelled, 2 members", "cancelled before, 2 members"),
    ("register_worker", "registered", "refreshed"),
    ("mark_worker_dead", "marked", "not registered"),
];

/// SAFE-3. Plays what callers do with one fault at one call, for each call and each fault, where every caller
/// repeats what it got no answer to. What is stored in the end is what is stored without the fault, but for
/// leases that ran out, and every answer is the one that is given without it, or says that the call was
/// done before. Panics where it is not so.
///
/// Scenarios that need an area which the backend does not claim are left out. Returns the operations that were
/// called.
pub async fn assert_safe_to_repeat(fixture: &dyn Fixture) -> BTreeSet<&'static str> {
    let played = join_all(SCENARIOS.iter().map(|scenario| play_all(fixture, scenario))).await;
    played.into_iter().flatten().map(|call| call.op).collect()
}

/// A store that one scenario is played on again and again, each time by another caller.
struct Stage<'s> {
    store: Box<dyn Store>,
    clock: Arc<ManualClock>,
    scenario: &'s Scenario,
}

/// What a caller was told, what is stored of it, and the calls that it made.
struct Played {
    told: Vec<Told>,
    story: Vec<String>,
    calls: Vec<Call>,
}

async fn play_all(fixture: &dyn Fixture, scenario: &Scenario) -> Vec<Call> {
    let clock = Arc::new(ManualClock::starting_at(START));
    let store = fixture.open(Arc::clone(&clock)).await;
    let capabilities = store.backend().capabilities();
    if !scenario.needs.iter().all(|area| capabilities.supports(*area)) {
        return Vec::new();
    }
    let stage = Stage { store, clock, scenario };
    let sound = stage.play(FaultPlan::Never, "sound".to_owned()).await;
    for (number, call) in sound.calls.iter().enumerate() {
        for fault in FAULTS {
            let plan = FaultPlan::At { call: number as u64, fault };
            let name = format!("{number}-{}", short(fault));
            let faulty = stage.play(plan, name).await;
            let place = format!("{}: call {number}, {}: {fault:?}", scenario.name, call.op);
            assert_eq!(faulty.story, sound.story, "{place}");
            assert_answers(
                &faulty.told,
                &sound.told,
                |answers| may_differ(call, fault, answers),
                &place,
            );
        }
    }
    sound.calls
}

impl Stage<'_> {
    async fn play(&self, plan: FaultPlan, name: String) -> Played {
        let backend = FaultBackend::over(self.store.backend(), Arc::clone(&self.clock), plan);
        let calls = Arc::clone(&backend);
        let mut caller = Caller::new(backend, Arc::clone(&self.clock), name);
        (self.scenario.play)(&mut caller).await;
        let story = story::read(&*self.store, &caller).await;
        Played { told: caller.told, story, calls: calls.calls() }
    }
}

fn short(fault: Fault) -> &'static str {
    match fault {
        Fault::Before => "before",
        Fault::After => "after",
        Fault::Duplicate => "duplicate",
        Fault::Delay(_) => "delay",
    }
}

fn assert_answers(
    faulty: &[Told],
    sound: &[Told],
    may_differ: impl Fn((&Told, &Told)) -> bool,
    place: &str,
) {
    assert_eq!(faulty.len(), sound.len(), "{place}: {faulty:?}");
    for (answer, expected) in faulty.iter().zip(sound) {
        assert!(answer == expected || may_differ((expected, answer)), "{place}: {answer:?}");
    }
}

/// Whether the answer is to the call that was repeated, and says that it was done before.
fn may_differ(call: &Call, fault: Fault, (first, repeated): (&Told, &Told)) -> bool {
    let pair = (first.op, first.answer.as_str(), repeated.answer.as_str());
    fault == Fault::After && call.op == first.op && DONE_BEFORE.contains(&pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ReferenceFixture;

    /// The names in what passes calls on.
    fn operations() -> BTreeSet<&'static str> {
        let passed = include_str!("backend.rs").split("self.pass(\"").skip(1);
        passed.filter_map(|rest| rest.split('"').next()).collect()
    }

    #[tokio::test]
    async fn every_operation_of_the_reference_is_safe_to_repeat() {
        let called = assert_safe_to_repeat(&ReferenceFixture).await;

        let left_out: Vec<_> = operations().difference(&called).copied().collect();
        assert_eq!(left_out, ["shutdown"]);
    }
}
