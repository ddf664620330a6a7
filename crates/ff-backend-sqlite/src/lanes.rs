//! The lanes that this process has stored: a creation names its lane, and most name one that is there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use ff_sql::document::to_parameter;
use sqlx::SqliteConnection;

use crate::error::from_sqlx;

const NOTE: &str = include_str!("../sql/admin/note_lanes.sql");

/// Lanes that are remembered at most.
const KNOWN_MAX: usize = 10_000;

/// The lanes that are known to be stored, and committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownLanes(Arc<Mutex<HashSet<LaneId>>>);

impl KnownLanes {
    /// Those of the lanes that may not be stored.
    fn unknown<'l>(&self, lanes: &HashSet<&'l LaneId>) -> Vec<&'l LaneId> {
        let known = self.known();
        lanes.iter().copied().filter(|lane| !known.contains(*lane)).collect()
    }

    /// Remembers lanes whose transaction has committed.
    pub(crate) fn remember<'l>(&self, lanes: impl Iterator<Item = &'l LaneId>) {
        let mut known = self.known();
        for lane in lanes {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            if !known.contains(lane) {
                known.insert(lane.clone());
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashSet<LaneId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the lanes in the connection's transaction.
    pub(crate) async fn store(
        &self,
        conn: &mut SqliteConnection,
        lanes: HashSet<&LaneId>,
    ) -> Result<(), EngineError> {
        let unknown = self.unknown(&lanes);
        if !unknown.is_empty() {
            let note = sqlx::query(NOTE).bind(to_parameter(&unknown)?);
            note.execute(conn).await.map_err(from_sqlx)?;
        }
        Ok(())
    }
}
