//! The checks of a history, one file for each kind of promise.

mod creation;
mod event;
mod expiry;
mod lease;
mod outcome;
mod subscriber;

use super::calls::History;
use super::table::Violation;

pub(super) use expiry::was_lost_to_time;
pub(super) use lease::lost_claims;

/// Everything that looking at calls and at what is kept shows.
pub(super) fn all(history: &History<'_>) -> Vec<Violation> {
    let checks = [
        creation::check_answers,
        creation::check,
        lease::check,
        expiry::check,
        outcome::check,
        event::check,
        subscriber::check,
    ];
    checks.iter().flat_map(|check| check(history)).collect()
}
