//! The model: random scripts of every operation, on a backend and on the reference side by side.
//!
//! A script is a sequence of valid and invalid operations of several workers, with jumps of time and
//! reopened stores between them. After every step the answer or the typed error is the same on every
//! side, and so are all executions and whatever else the step may have changed; at the end so is all that can be
//! read, every attempt and every event among it, and what only a [`Probe`](crate::Probe) sees. A script that shows a difference is cut down to a short one and printed as
//! a test.
//!
//! ```no_run
//! use ff_conformance::reference::ReferenceFixture as MyFixture;
//!
//! // As a test of a backend of yours:
//! ff_conformance::model::check(MyFixture);
//! ```
//!
//! A run counts only when every operation of the areas that the backend claims has succeeded, and every
//! kind of error that they can give has appeared, at least once.
//!
//! What it cannot see: what happens between two calls at once ([`history`](crate::history) is for that), and a
//! mistake in a rule, which the reference makes too (the cases are for that).

mod arguments;
mod coverage;
mod difference;
mod observe;
mod read;
mod regressions;
mod side;
mod step;
mod strategy;

use std::cell::Cell;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_core::clock::ManualClock;
use ff_core::contracts::Area;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

pub use coverage::Coverage;
pub use difference::ModelFailure;
pub use step::Step;

use crate::cx::START;
use crate::fixture::Fixture;
use crate::reference::ReferenceFixture;
use crate::suite::runtime;
use difference::Difference;
use observe::Observed;
use regressions::REGRESSIONS;
use side::Side;

/// Executions that a script may name: so few that its steps meet each other.
const EXECUTIONS: u8 = 6;
const FLOWS: u8 = 2;
const WORKERS: u8 = 3;

/// Every word of a script that was printed as a test.
pub mod script {
    pub use super::step::Bytes::{self, *};
    pub use super::step::ClaimFlaw::{self, *};
    pub use super::step::Column::{self, *};
    pub use super::step::CreationFlaw::{self, *};
    pub use super::step::ExpectedLease::{self, *};
    pub use super::step::Fence::{self, *};
    pub use super::step::Filter::{self, *};
    pub use super::step::Forgery::{self, *};
    pub use super::step::PolicyShape::{self, *};
    pub use super::step::SpoiledCall::{self, *};
    pub use super::step::Step::{self, *};
    pub use super::step::Text::{self, *};
    pub use super::step::{Creation, LeasePick};
    pub use ff_core::backend::CancelFlowPolicy::{self, *};
    pub use ff_core::backend::FailureClass::{self, *};
    pub use ff_core::contracts::EventStream;
    pub use ff_core::contracts::EventStream::*;
    pub use ff_core::contracts::ReconcileTask::{self, *};
    pub use ff_core::types::CancelSource::{self, *};
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Scripts.
    pub cases: u32,
    /// Steps of each.
    pub steps: usize,
    /// The scripts are the same for the same seed and the same version of this crate.
    pub seed: u64,
}

impl Default for Model {
    /// What [`check`] runs: enough for every operation and every kind of error.
    fn default() -> Self {
        Self { cases: 100, steps: 50, seed: 20_261_121 }
    }
}

/// Plays every script that ever showed a fault, and [`Model::default`], on the backend and the reference.
///
/// # Panics
/// When they differ, with a script that shows it; when the run met too little to count.
#[expect(clippy::panic, reason = "it is a test's body")]
pub fn check(fixture: impl Fixture) {
    if let Err(failure) = Model::default().run(&[&fixture]) {
        panic!("{failure}");
    }
}

/// The names of the operations that scripts are made of.
pub fn operations() -> impl Iterator<Item = &'static str> {
    coverage::OPERATIONS.iter().map(|(name, _)| *name)
}

/// Plays one script on the backend and the reference.
///
/// # Panics
/// When they differ.
#[expect(clippy::panic, reason = "it is a test's body")]
pub fn replay(fixture: impl Fixture, script: &[Step]) {
    let coverage = Mutex::default();
    let play = Play { fixtures: &[&fixture], coverage: &coverage, seen: None };
    if let Err(difference) = runtime().block_on(play.run(script)) {
        panic!("{difference}");
    }
}

impl Model {
    /// Plays random scripts on all of these stores and the reference at once.
    ///
    /// # Errors
    /// [`ModelFailure::Differs`] with the shortest script found, [`ModelFailure::TooLittle`] with what the run
    /// never met.
    pub fn run(&self, fixtures: &[&dyn Fixture]) -> Result<Coverage, ModelFailure> {
        self.run_with_progress(fixtures, |_| ())
    }

    /// As [`run`](Self::run); `progress` is called after each script with the number played by then.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_with_progress(
        &self,
        fixtures: &[&dyn Fixture],
        progress: impl Fn(u32),
    ) -> Result<Coverage, ModelFailure> {
        let played_by_now = Cell::new(0);
        let runtime = runtime();
        let coverage = Mutex::default();
        let (areas, has_probe) = runtime.block_on(shared_areas(fixtures));
        for regression in REGRESSIONS {
            let play = Play { fixtures, coverage: &coverage, seen: None };
            let mut script = (regression.script)();
            script.retain(|step| step.area().is_none_or(|area| areas.contains(&area)));
            runtime.block_on(play.run(&script)).map_err(|difference| ModelFailure::Differs {
                difference: format!("{}: {difference}", regression.name),
                script,
            })?;
        }
        let outcome = self.runner().run(
            &strategy::scripts(self.steps, areas.clone()),
            |(_, script, seen)| {
                let play = Play { fixtures, coverage: &coverage, seen };
                let played = runtime.block_on(play.run(&script));
                played_by_now.set(played_by_now.get() + 1);
                progress(played_by_now.get());
                played.map_err(|difference| TestCaseError::fail(difference.to_string()))
            },
        );
        outcome.map_err(|error| match error {
            TestError::Fail(reason, (_, script, _)) => {
                ModelFailure::Differs { difference: reason.to_string(), script }
            }
            TestError::Abort(reason) => ModelFailure::Aborted(reason.to_string()),
        })?;
        let coverage = coverage.into_inner().unwrap_or_else(PoisonError::into_inner);
        match coverage.missing(&areas, has_probe) {
            missing if missing.is_empty() => Ok(coverage),
            missing => Err(ModelFailure::TooLittle(missing)),
        }
    }

    fn runner(&self) -> TestRunner {
        let config = Config {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_iters: 3_000,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }
}

/// The areas that every store claims, and whether each has a probe.
async fn shared_areas(fixtures: &[&dyn Fixture]) -> (Vec<Area>, bool) {
    let clock = Arc::new(ManualClock::starting_at(START));
    let mut areas: Vec<Area> = Area::ALL.to_vec();
    let mut has_probe = true;
    for fixture in fixtures {
        let store = fixture.open(Arc::clone(&clock)).await;
        let capabilities = store.backend().capabilities();
        areas.retain(|area| capabilities.supports(*area));
        has_probe &= store.probe().is_some();
    }
    (areas, has_probe)
}

/// One script on all stores.
struct Play<'a> {
    fixtures: &'a [&'a dyn Fixture],
    coverage: &'a Mutex<Coverage>,
    /// Told of each step that is played, so that what comes after a failure is cut off at once.
    seen: Option<Arc<AtomicUsize>>,
}

impl Play<'_> {
    async fn run(&self, script: &[Step]) -> Result<(), Difference> {
        let clock = Arc::new(ManualClock::starting_at(START));
        let mut reference = Side::open(&ReferenceFixture, &clock).await;
        let mut sides = Vec::new();
        for fixture in self.fixtures {
            sides.push(Side::open(*fixture, &clock).await);
        }
        let areas = areas_of(&sides);
        let has_probe = sides.iter().all(|side| side.store.probe().is_some());
        for (position, step) in script.iter().enumerate() {
            if let Some(seen) = &self.seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            if let Step::Advance { millis } = step {
                clock.advance(Duration::from_millis(u64::from(*millis)));
                continue;
            }
            if matches!(step, Step::Spoiled { .. }) && !has_probe {
                continue;
            }
            let expected = reference.perform(step).await;
            self.note(step, &expected);
            for side in &mut sides {
                let found = side.perform(step).await;
                side.compare(position, slice::from_ref(&expected.text), &[found.text])?;
            }
            if !step.is_read() {
                compare_all(
                    &mut reference,
                    &mut sides,
                    Point { position, areas: &shared(&areas, step), whole: false },
                )
                .await?;
            }
        }
        let end = Point { position: script.len(), areas: &areas, whole: true };
        compare_all(&mut reference, &mut sides, end).await?;
        if has_probe {
            let expected = reference.probed().await;
            for side in &sides {
                side.compare(script.len(), &expected, &side.probed().await)?;
            }
        }
        for side in &sides {
            // What is open only until the store is dropped would add up over thousands of scripts.
            let _ = side.backend.shutdown().await;
            let _ = side.store.backend().shutdown().await;
        }
        Ok(())
    }

    fn note(&self, step: &Step, observed: &Observed) {
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner).note(step, observed);
    }
}

fn areas_of(sides: &[Side]) -> Vec<Area> {
    let is_shared =
        |area: &Area| sides.iter().all(|side| side.backend.capabilities().supports(*area));
    Area::ALL.iter().copied().filter(is_shared).collect()
}

/// Of the areas that all stores have, those in which the step may show beside the executions.
fn shared(areas: &[Area], step: &Step) -> Vec<Area> {
    areas.iter().copied().filter(|area| step.area() == Some(*area) || step.sweeps()).collect()
}

/// Where in a script snapshots are compared, and what they show.
struct Point<'a> {
    position: usize,
    areas: &'a [Area],
    whole: bool,
}

async fn compare_all(
    reference: &mut Side,
    sides: &mut [Side],
    point: Point<'_>,
) -> Result<(), Difference> {
    let expected = reference.snapshot(point.areas, point.whole).await;
    for side in sides {
        let found = side.snapshot(point.areas, point.whole).await;
        side.compare(point.position, &expected, &found)?;
    }
    Ok(())
}

impl Side {
    fn compare(
        &self,
        step: usize,
        expected: &[String],
        found: &[String],
    ) -> Result<(), Difference> {
        let Some((expected, found)) = Difference::between(expected, found) else { return Ok(()) };
        let store = self.backend.backend_label().to_owned();
        Err(Difference { store, step, expected, found })
    }
}
