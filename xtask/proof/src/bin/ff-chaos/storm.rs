//! The faults, drawn from a deck and injected side by side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ff_core::clock::{Clock, SystemClock};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Outcome;
use crate::arena::Arena;
use crate::fault::Fault;
use crate::fleet::{Fleet, Slot};
use crate::random::Random;
use crate::tally::Tally;
use crate::task::LEASE_TTL;

/// Between two faults, in milliseconds.
const PAUSE: (u64, u64) = (100, 500);
/// As `PAUSE`, between two that take the store away: what it takes to recover shall be seen.
const RESPITE: (u64, u64) = (500, 2_500);
/// Tries at a fault after which there is nothing to inject it in.
const TRIES: usize = 60;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
/// Faults at the same time: a kill of a large store takes as long as the look at what it left, and the next ones would
/// find no process to kill for as long.
const UNDER_WAY_MAX: usize = 8;

#[derive(Clone)]
pub(crate) struct Storm {
    arena: Arc<dyn Arena>,
    fleet: Arc<Fleet>,
    tally: Arc<Tally>,
    /// One fault at a time takes the store away.
    store: Arc<Mutex<()>>,
}

impl Storm {
    pub(crate) fn new(arena: Arc<dyn Arena>, fleet: Arc<Fleet>, tally: Arc<Tally>) -> Self {
        Self { arena, fleet, tally, store: Arc::default() }
    }

    /// Injects faults for this long, and for as long as it takes to have injected one of each kind. Returns how
    /// long it was.
    pub(crate) async fn rage(&self, time: Duration, seed: u64) -> Outcome<Duration> {
        let mut random = Random::new(seed, "storm");
        let begun = Instant::now();
        let mut under_way = JoinSet::new();
        let mut deck = self.kinds();
        random.shuffle(&mut deck);
        let mut is_first = true;
        while is_first || begun.elapsed() < time {
            let Some(fault) = deck.pop() else {
                is_first = false;
                deck = self.deck();
                random.shuffle(&mut deck);
                continue;
            };
            let (storm, random_of_fault) = (self.clone(), Random::new(random.word(), fault.name()));
            under_way.spawn(async move { storm.inject(fault, random_of_fault).await });
            sleep(random.millis(PAUSE.0, PAUSE.1)).await;
            while under_way.try_join_next().is_some() {}
            while under_way.len() >= UNDER_WAY_MAX {
                under_way.join_next().await;
            }
            self.fleet.look().await?;
        }
        while under_way.join_next().await.is_some() {}
        Ok(begun.elapsed())
    }

    fn kinds(&self) -> Vec<Fault> {
        let left_out = self.arena.left_out();
        let is_left_out = |fault: &Fault| left_out.iter().any(|(other, _)| other == fault);
        Fault::ALL.into_iter().filter(|fault| !is_left_out(fault)).collect()
    }

    fn deck(&self) -> Vec<Fault> {
        self.kinds()
            .into_iter()
            .flat_map(|fault| std::iter::repeat_n(fault, fault.cards()))
            .collect()
    }

    /// Injects the fault as soon as there is something to inject it in.
    async fn inject(&self, fault: Fault, mut random: Random) {
        let mut last = "there was nothing to do it to".to_owned();
        let alone = match fault.takes_the_store_away() {
            true => Some(self.store.lock().await),
            false => None,
        };
        for _ in 0..TRIES {
            let began = SystemClock.now();
            match self.try_inject(fault, &mut random).await {
                Ok(true) => {
                    self.tally.injected(fault, began);
                    if alone.is_some() {
                        sleep(random.millis(RESPITE.0, RESPITE.1)).await;
                    }
                    return;
                }
                Ok(false) => {}
                Err(problem) => last = problem.to_string(),
            }
            sleep(BETWEEN_TRIES).await;
        }
        self.tally.problem(format!("{} could not be injected: {last}", fault.name()));
    }

    async fn try_inject(&self, fault: Fault, random: &mut Random) -> Outcome<bool> {
        match fault {
            Fault::Kill => self.kill(random).await,
            Fault::KillAll => self.kill_all().await,
            Fault::Freeze => self.freeze(random).await,
            _ => self.arena.inject(fault, random).await,
        }
    }

    fn draw_slot(&self, random: &mut Random) -> &Slot {
        let slots = self.fleet.slots();
        &slots[random.place(slots.len())]
    }

    async fn kill(&self, random: &mut Random) -> Outcome<bool> {
        let slot = self.draw_slot(random);
        let Some(mut node) = slot.try_take() else { return Ok(false) };
        node.kill().await?;
        self.check().await;
        slot.start(&mut node)?;
        Ok(true)
    }

    /// Nobody is left who has the store open, and the next one finds it as it is.
    async fn kill_all(&self) -> Outcome<bool> {
        let mut killed = Vec::new();
        for slot in self.fleet.slots() {
            killed.push((slot, slot.take().await));
        }
        for (_, node) in &mut killed {
            node.kill().await?;
        }
        self.check().await;
        for (slot, node) in &mut killed {
            slot.start(node)?;
        }
        Ok(true)
    }

    async fn check(&self) {
        if let Err(problem) = self.arena.check_after_kill().await {
            self.tally.problem(format!("after a kill: {problem}"));
        }
    }

    /// For longer than a lease lasts: when it goes on, others have what it held.
    async fn freeze(&self, random: &mut Random) -> Outcome<bool> {
        let Some(node) = self.draw_slot(random).try_take() else { return Ok(false) };
        node.freeze(LEASE_TTL + Fault::Freeze.time(random)).await?;
        Ok(true)
    }
}
