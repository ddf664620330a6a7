//! Lanes, retention and the store itself.

use std::time::Duration;

use ff_core::contracts::LaneInfo;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::state::LaneState;
use ff_core::types::{LaneId, Namespace};
use ff_sql::row::word;

use crate::error::from_sqlx;
use crate::{SqliteBackend, rows};

const LIST_LANES: &str = include_str!("../sql/admin/list_lanes.sql");
const PAUSE_LANE: &str = include_str!("../sql/admin/pause_lane.sql");
const RESUME_LANE: &str = include_str!("../sql/admin/resume_lane.sql");
const SET_RETENTION: &str = include_str!("../sql/admin/set_retention.sql");
const PING: &str = include_str!("../sql/admin/ping.sql");

/// See [`ff_core::engine_backend::EngineBackend::list_lanes`].
pub(crate) async fn list_lanes(backend: &SqliteBackend) -> Result<Vec<LaneInfo>, EngineError> {
    let found = sqlx::query(LIST_LANES).fetch_all(&backend.readers).await.map_err(from_sqlx)?;
    let lanes = found.iter().map(|row| {
        let lane_id: String = rows::get(row, "lane_id")?;
        let state: String = rows::get(row, "state")?;
        let state = word("ff_lane", "state", &lane_id, &state)?;
        Ok(LaneInfo { lane_id: LaneId::new(lane_id), state })
    });
    lanes.collect()
}

/// The lanes' names, whatever their states say.
pub(crate) async fn lane_ids(backend: &SqliteBackend) -> Result<Vec<LaneId>, EngineError> {
    let found = sqlx::query(LIST_LANES).fetch_all(&backend.readers).await.map_err(from_sqlx)?;
    found.iter().map(|row| rows::get(row, "lane_id").map(LaneId)).collect()
}

/// See [`ff_core::engine_backend::EngineBackend::pause_lane`].
pub(crate) async fn pause_lane(backend: &SqliteBackend, lane: &LaneId) -> Result<(), EngineError> {
    set_lane_state(backend, lane, (PAUSE_LANE, LaneState::Paused)).await
}

/// See [`ff_core::engine_backend::EngineBackend::resume_lane`].
pub(crate) async fn resume_lane(backend: &SqliteBackend, lane: &LaneId) -> Result<(), EngineError> {
    set_lane_state(backend, lane, (RESUME_LANE, LaneState::Active)).await
}

async fn set_lane_state(
    backend: &SqliteBackend,
    lane: &LaneId,
    (statement, state): (&'static str, LaneState),
) -> Result<(), EngineError> {
    input::check_lane(lane)?;
    let lane = lane.clone();
    backend
        .writer
        .run(async move |tx| {
            sqlx::query(statement)
                .bind(lane.as_str())
                .bind(state.as_str())
                .execute(tx.conn())
                .await
                .map_err(from_sqlx)?;
            tx.wake(&lane);
            Ok(())
        })
        .await
}

/// See [`ff_core::engine_backend::EngineBackend::set_retention`].
pub(crate) async fn set_retention(
    backend: &SqliteBackend,
    namespace: &Namespace,
    retention: Option<Duration>,
) -> Result<(), EngineError> {
    input::check_name("namespace", namespace.as_str())?;
    let namespace = namespace.clone();
    let retention_ms =
        retention.map(|retention| i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
    backend
        .writer
        .run(async move |tx| {
            sqlx::query(SET_RETENTION)
                .bind(namespace.as_str())
                .bind(retention_ms)
                .execute(tx.conn())
                .await
                .map_err(from_sqlx)?;
            Ok(())
        })
        .await
}

/// See [`ff_core::engine_backend::EngineBackend::ping`].
pub(crate) async fn ping(backend: &SqliteBackend) -> Result<(), EngineError> {
    sqlx::query(PING).fetch_one(&backend.readers).await.map_err(from_sqlx)?;
    Ok(())
}

/// See [`ff_core::engine_backend::EngineBackend::shutdown`].
pub(crate) async fn shutdown(backend: &SqliteBackend) -> Result<(), EngineError> {
    // The writer last: SQLite folds the log into the file when the last connection that may write goes.
    backend.close_pools().await;
    backend.writer.stop().await;
    Ok(())
}
