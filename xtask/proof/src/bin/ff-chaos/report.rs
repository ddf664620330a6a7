//! What a run prints.

use std::fmt;
use std::time::Duration;

use ff_core::state::PublicState;
use ff_core::types::TimestampMs;

use crate::arena::LeftOut;
use crate::audit::Audit;
use crate::fault::Fault;
use crate::run::Plan;
use crate::tally::Counts;

/// Findings of a kind that are printed at most.
const SHOWN: usize = 20;

pub(crate) struct Report<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) lasted: Duration,
    pub(crate) counts: Counts,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) audit: Audit,
}

impl Report<'_> {
    pub(crate) fn is_sound(&self) -> bool {
        self.audit.findings.is_sound() && self.counts.problems.is_empty()
    }

    /// How long after each of these faults the next execution finished.
    fn recoveries(&self, wanted: impl Fn(Fault) -> bool) -> Vec<i64> {
        let ends = self.counts.ends.iter().filter(|(fault, _)| wanted(*fault));
        let mut times: Vec<_> =
            ends.filter_map(|(_, end)| recovery(&self.audit.finished_at, *end)).collect();
        times.sort_unstable();
        times
    }

    fn write_findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = &self.audit.findings;
        for (name, found) in [
            ("lost", &findings.lost),
            ("twice", &findings.twice),
            ("unfinished", &findings.unfinished),
            ("problem", &findings.problems),
            ("problem", &self.counts.problems),
        ] {
            for finding in found.iter().take(SHOWN) {
                write!(f, "\n  {name}: {finding}")?;
            }
            if found.len() > SHOWN {
                write!(f, "\n  {name}: and {} more", found.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, audit, .. } = self;
        writeln!(
            f,
            "{}: {} s of faults, seed {}",
            plan.backend.name(),
            self.lasted.as_secs(),
            plan.seed
        )?;
        writeln!(f, "  faults       {}", self.counts.faults.values().sum::<u64>())?;
        for (fault, count) in &self.counts.faults {
            writeln!(f, "    {count:>6}   {}", fault.name())?;
        }
        for (fault, reason) in &self.left_out {
            writeln!(f, "      none   {}: {reason}", fault.name())?;
        }
        writeln!(f, "  executions   {} created", audit.created)?;
        for (state, count) in &audit.ends {
            writeln!(f, "    {count:>6}   {}", describe(*state))?;
        }
        let (runs, again) = audit.runs;
        writeln!(f, "  handlers     {runs} runs, {again} of them after an earlier one")?;
        writeln!(f, "  recovery     time from a fault's end until the next execution finishes")?;
        let kills = self.recoveries(Fault::is_kill);
        let outages = self.recoveries(Fault::takes_the_store_away);
        writeln!(f, "    killed     {}", spread(&kills))?;
        writeln!(f, "    store away {}", spread(&outages))?;
        writeln!(f, "  unfinished   {}", audit.findings.unfinished.len())?;
        writeln!(f, "  lost         {}", audit.findings.lost.len())?;
        write!(f, "  finished twice {}", audit.findings.twice.len())?;
        self.write_findings(f)?;
        let verdict = if self.is_sound() { "sound" } else { "NOT SOUND" };
        write!(f, "\n  verdict      {verdict}")
    }
}

fn describe(state: PublicState) -> String {
    match state {
        PublicState::Failed => "failed, as planned".to_owned(),
        other => other.to_string(),
    }
}

/// Milliseconds until the first of the times that is not before.
fn recovery(finished_at: &[TimestampMs], end: TimestampMs) -> Option<i64> {
    let next = finished_at.partition_point(|time| *time < end);
    finished_at.get(next).map(|time| time.0 - end.0)
}

fn spread(times: &[i64]) -> String {
    let Some(longest) = times.last() else { return "never".to_owned() };
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let (median, most) = (at(50), at(99));
    format!(
        "{} times, median {median} ms, 99 % within {most} ms, longest {longest} ms",
        times.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_ends_with_the_next_execution() {
        let finished_at = [TimestampMs(10), TimestampMs(30), TimestampMs(70)];
        assert_eq!(recovery(&finished_at, TimestampMs(5)), Some(5));
        assert_eq!(recovery(&finished_at, TimestampMs(30)), Some(0));
        assert_eq!(recovery(&finished_at, TimestampMs(31)), Some(39));
        assert_eq!(recovery(&finished_at, TimestampMs(71)), None);
    }

    #[test]
    fn a_spread_tells_the_middle_and_the_end() {
        let times: Vec<i64> = (0..=100).collect();
        let told = "101 times, median 50 ms, 99 % within 99 ms, longest 100 ms";
        assert_eq!(spread(&times), told);
        assert_eq!(spread(&[]), "never");
    }
}
