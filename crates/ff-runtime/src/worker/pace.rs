//! How far ahead of its free slots a worker claims.

use std::time::Duration;

/// What is claimed ahead should not wait longer than this for its slot.
const AHEAD: Duration = Duration::from_millis(20);
/// Executions claimed ahead at most.
const AHEAD_MAX: usize = 1_024;
/// The weight of the last run in the average.
const WEIGHT: f64 = 0.2;

/// Follows how long handlers run: short ones are claimed ahead, so that no slot waits for the store; long ones are
/// not, so that no execution waits here while another worker is idle.
#[derive(Debug, Default)]
pub(super) struct Pace {
    average_secs: Option<f64>,
}

impl Pace {
    /// Notes that a handler ran for this long.
    pub(super) fn note(&mut self, ran: Duration) {
        let secs = ran.as_secs_f64();
        let average = self.average_secs.unwrap_or(secs);
        self.average_secs = Some(average + WEIGHT * (secs - average));
    }

    /// Executions to claim ahead of this many slots.
    pub(super) fn ahead(&self, slots: usize) -> usize {
        let Some(average) = self.average_secs else { return 0 };
        let ahead = slots as f64 * AHEAD.as_secs_f64() / average.max(f64::EPSILON);
        // A float beyond the range becomes its end.
        (ahead as usize).min(AHEAD_MAX)
    }

    /// Notes that what was claimed ahead waits too long.
    pub(super) fn slow_down(&mut self, waited: Duration) {
        self.average_secs = Some(self.average_secs.unwrap_or_default().max(waited.as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(runs: &[u64]) -> Pace {
        let mut pace = Pace::default();
        for millis in runs {
            pace.note(Duration::from_millis(*millis));
        }
        pace
    }

    #[test]
    fn only_short_runs_are_claimed_ahead() {
        assert_eq!(pace(&[]).ahead(8), 0);
        assert_eq!(pace(&[0, 0]).ahead(8), AHEAD_MAX);
        assert_eq!(pace(&[10, 10, 10]).ahead(8), 16);
        assert_eq!(pace(&[1_000]).ahead(8), 0);
    }

    #[test]
    fn a_slow_run_counts_at_once() {
        assert!(pace(&[1, 1, 1, 1_000]).ahead(8) == 0);
        let mut fast = pace(&[0]);
        fast.slow_down(Duration::from_secs(1));
        assert_eq!(fast.ahead(8), 0);
    }
}
