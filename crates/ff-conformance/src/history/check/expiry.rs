//! A lease lasts until its time is up and no longer. The times are those that the store itself has noted and told.
//!
//! The time of a claim is kept as the attempt's start, that of a renewal is the expiry that it told less the
//! lease's time to live, and that of the last call by the handle is kept as the attempt's end. Each such call
//! holds only if some earlier one has moved the expiry beyond its own time. So, whatever the clocks of the
//! processes say, no two neighbours among these times may be a lease's time to live apart, and a sweep may not
//! end the lease before the last expiry that was told. A renewal whose answer was lost may have filled any gap:
//! such a lease is passed by.

use ff_core::backend::{FailureClass, Handle};
use ff_core::contracts::ReconcileTask;
use ff_core::execution::Attempt;
use ff_core::state::AttemptOutcome;
use ff_core::types::TimestampMs;

use crate::history::calls::{History, Life, Made};
use crate::history::record::{Answer, Call};
use crate::history::table::{Property, Violation, lease};

pub(super) fn check(history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for life in &history.lives {
        for (claim, handle) in life.claims() {
            found.extend(check_lease(life, claim, handle));
        }
    }
    found.extend(check_sweeps(history));
    found
}

/// Whether a sweep has ended the attempt because its lease's time was up.
pub(in crate::history) fn was_lost_to_time(attempt: &Attempt) -> bool {
    attempt.outcome == Some(AttemptOutcome::Interrupted)
        && attempt.error.as_ref().is_some_and(|error| error.class == FailureClass::InfraCrash)
}

fn check_lease(life: &Life<'_>, claim: &Made, handle: &Handle) -> Option<Violation> {
    let attempt = life.kept?.attempt(handle.attempt_index().0)?;
    let of_lease = |made: &&&Made| made.call == Call::Renew(handle.clone());
    if life.calls.iter().filter(of_lease).any(|made| made.is_unknown()) {
        return None;
    }
    let ttl = i64::from(handle.lease_ttl_ms());
    let renewals: Vec<(TimestampMs, &Made)> = life
        .calls
        .iter()
        .filter(of_lease)
        .filter_map(|made| match made.answer {
            Some(Answer::Renewed(expires_at)) => Some((expires_at, *made)),
            _ => None,
        })
        .collect();
    let start = (attempt.started_at?, claim);
    let mut times: Vec<(TimestampMs, &Made)> = renewals
        .iter()
        .map(|(expires_at, made)| (TimestampMs(expires_at.0 - ttl), *made))
        .collect();
    times.push(start);
    times.extend(end_of(life, handle, attempt));
    times.sort_by_key(|(time, _)| *time);
    late(&times, ttl, handle).or_else(|| early(life, attempt, (&renewals, start, handle)))
}

/// When a call by the handle has ended its lease, as it is kept.
fn end_of<'a>(
    life: &Life<'a>,
    handle: &Handle,
    attempt: &Attempt,
) -> Option<(TimestampMs, &'a Made)> {
    let ends =
        |made: &&Made| made.call.handle() == Some(handle) && !matches!(made.call, Call::Renew(_));
    let by_handle = matches!(
        attempt.outcome,
        Some(
            AttemptOutcome::Success
                | AttemptOutcome::Failed
                | AttemptOutcome::Retry
                | AttemptOutcome::Released
        )
    );
    let made = life.successes().find(ends).filter(|_| by_handle)?;
    Some((attempt.terminal_at?, made))
}

/// A call that held although the lease's time was up.
fn late(times: &[(TimestampMs, &Made)], ttl: i64, handle: &Handle) -> Option<Violation> {
    times.windows(2).find_map(|pair| {
        let [(before, first), (after, second)] = pair else { return None };
        (after.0 - before.0 >= ttl).then(|| {
            let problem = format!(
                "{} of {} was good until {}, and a call held at {after}",
                lease(handle),
                handle.execution_id(),
                before.0 + ttl
            );
            let violation = Violation::new(Property::LeasesEndInTime, problem);
            violation.shown_by([*first, *second])
        })
    })
}

type Told<'a> = (&'a [(TimestampMs, &'a Made)], (TimestampMs, &'a Made), &'a Handle);

/// A sweep that ended the lease before the time that was told last.
fn early(life: &Life<'_>, attempt: &Attempt, told: Told<'_>) -> Option<Violation> {
    let (renewals, (started_at, claim), handle) = told;
    let is_last = |made: &Made| !renewals.iter().any(|(_, later)| made.precedes(later));
    let by_claim = started_at.saturating_add_millis(u64::from(handle.lease_ttl_ms()));
    let (until, by) = renewals
        .iter()
        .filter(|(_, made)| is_last(made))
        .min_by_key(|(expires_at, _)| *expires_at)
        .copied()
        .unwrap_or((by_claim, claim));
    let ended_at = attempt.terminal_at.filter(|_| was_lost_to_time(attempt))?;
    (ended_at < until).then(|| {
        let problem = format!(
            "{} of {} was good until {until}, and was swept at {ended_at}",
            lease(handle),
            handle.execution_id()
        );
        let violation = Violation::new(Property::LeasesEndInTime, problem);
        violation.shown_by([claim, by]).with_attempts_of(life)
    })
}

/// The sweeps say together how many leases have expired.
fn check_sweeps(history: &History<'_>) -> Option<Violation> {
    let sweep = Call::Reconcile(ReconcileTask::ExpireLeases);
    let sweeps = || history.calls.iter().filter(|made| made.call == sweep);
    let told: usize = sweeps()
        .filter_map(|made| match made.answer {
            Some(Answer::Swept(count)) => usize::try_from(count).ok(),
            _ => None,
        })
        .sum();
    let attempts = history.kept.executions.iter().flat_map(|execution| &execution.attempts);
    let kept = attempts.filter(|attempt| was_lost_to_time(attempt)).count();
    let is_right = told == kept || (told < kept && sweeps().any(Made::is_unknown));
    (!is_right).then(|| {
        let problem = format!("the sweeps tell of {told} expired leases, and {kept} are kept");
        Violation::new(Property::LeasesEndInTime, problem)
    })
}
