//! Where the time of operations that are given none comes from.

use std::sync::Arc;

use ff_core::clock::{Clock, FollowedClock};
use ff_core::types::TimestampMs;

use crate::admin;
use crate::config::PostgresConfig;

/// Where the time comes from.
pub(crate) enum Time {
    Given(Arc<dyn Clock>),
    /// From the server, whose clock this one follows.
    Followed(FollowedClock),
}

impl Time {
    pub(crate) fn new(config: &PostgresConfig) -> Self {
        match &config.clock {
            Some(clock) => Self::Given(Arc::clone(clock)),
            None => Self::Followed(FollowedClock::default()),
        }
    }

    /// The time, unless the server must be asked for it.
    pub(crate) fn known(&self) -> Option<TimestampMs> {
        match self {
            Self::Given(clock) => Some(clock.now()),
            Self::Followed(clock) => {
                (!clock.is_older_than(admin::CLOCK_AGE_MAX)).then(|| clock.now())
            }
        }
    }
}
