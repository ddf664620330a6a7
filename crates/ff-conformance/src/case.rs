//! One case, and how it is run.

use std::sync::Arc;
use std::time::Duration;

use ff_core::clock::ManualClock;
use ff_core::contracts::Area;
use futures::future::BoxFuture;

use crate::cx::{Cx, START};
use crate::fixture::{Fixture, Store};

/// One behaviour that every backend has.
#[derive(Debug)]
pub struct Case {
    /// The area that it belongs to.
    pub area: &'static str,
    /// What holds, as a sentence.
    pub name: &'static str,
    /// The rules that it proves.
    pub rules: &'static [&'static str],
    /// What it needs beside its own area: other areas, `probe`, `transaction`.
    pub needs: &'static [&'static str],
    #[doc(hidden)]
    pub body: fn(Cx) -> BoxFuture<'static, ()>,
}

/// A case that runs for longer than this is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

impl Case {
    /// `area::name`.
    pub fn path(&self) -> String {
        format!("{}::{}", self.area, self.name)
    }

    /// Runs the case on a store of its own and panics where the backend does not keep it.
    #[expect(clippy::panic, reason = "a case is a test, and a panic is how a test fails")]
    pub async fn run(&self, fixture: &dyn Fixture) {
        let clock = Arc::new(ManualClock::starting_at(START));
        let store = fixture.open(Arc::clone(&clock)).await;
        if let Some(lacking) = self.lacking(store.as_ref()) {
            panic!(
                "this backend lacks `{lacking}`, which the case needs: name it under `without` to \
                 have the case reported as ignored"
            );
        }
        let body = (self.body)(Cx::new(store, clock));
        if tokio::time::timeout(STUCK_AFTER, body).await.is_err() {
            panic!("the case is stuck: it has run for {STUCK_AFTER:?}");
        }
    }

    /// What the case needs and the store has not.
    pub(crate) fn lacking(&self, store: &dyn Store) -> Option<&'static str> {
        let mut needs = std::iter::once(&self.area).chain(self.needs).copied();
        needs.find(|need| !has(store, need))
    }
}

fn has(store: &dyn Store, need: &str) -> bool {
    match need {
        "probe" => store.probe().is_some(),
        "transaction" => store.has_transactions(),
        area => {
            let capabilities = store.backend().capabilities();
            area.parse::<Area>().is_ok_and(|area| capabilities.supports(area))
        }
    }
}
