//! Lanes, retention and the store itself.

use std::time::Duration;

use ff_core::clock::FollowedClock;
use ff_core::contracts::LaneInfo;
use ff_core::engine_error::EngineError;
use ff_core::rules::input;
use ff_core::state::LaneState;
use ff_core::types::{LaneId, Namespace, TimestampMs};
use ff_sql::row::word;
use sqlx::postgres::PgRow;

use crate::error::from_sqlx;
use crate::retry::repeat;
use crate::tx::Tx;
use crate::{PostgresBackend, rows};

const LIST_LANES: &str = include_str!("../sql/admin/list_lanes.sql");
const PAUSE_LANE: &str = include_str!("../sql/admin/pause_lane.sql");
const RESUME_LANE: &str = include_str!("../sql/admin/resume_lane.sql");
const SET_RETENTION: &str = include_str!("../sql/admin/set_retention.sql");
const PING: &str = include_str!("../sql/admin/ping.sql");
const READ_CLOCK: &str = include_str!("../sql/admin/read_clock.sql");

/// How long the server's time is told by this machine's monotonic clock before it is asked again.
pub(crate) const CLOCK_AGE_MAX: Duration = Duration::from_secs(30);

/// Asks the server for its time.
pub(crate) async fn follow_clock(
    tx: &mut Tx<'_>,
    clock: &FollowedClock,
) -> Result<(), EngineError> {
    let read = tx.query(READ_CLOCK);
    let look = clock.look();
    let row = read.fetch_one(tx.conn()?).await.map_err(from_sqlx)?;
    clock.follow(look, TimestampMs(rows::get(&row, "now_ms")?));
    Ok(())
}

/// See [`ff_core::engine_backend::EngineBackend::now`].
pub(crate) async fn now(backend: &PostgresBackend) -> Result<TimestampMs, EngineError> {
    if let Some(now) = backend.time.known() {
        return Ok(now);
    }
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let now = tx.now().await?;
        tx.commit().await?;
        Ok(now)
    })
    .await
}

/// See [`ff_core::engine_backend::EngineBackend::list_lanes`].
pub(crate) async fn list_lanes(backend: &PostgresBackend) -> Result<Vec<LaneInfo>, EngineError> {
    let found = repeat(backend, async |_| find_lanes(backend).await).await?;
    let lanes = found.iter().map(|row| {
        let lane_id: String = rows::get(row, "lane_id")?;
        let state: String = rows::get(row, "state")?;
        let state = word("ff_lane", "state", &lane_id, &state)?;
        Ok(LaneInfo { lane_id: LaneId::new(lane_id), state })
    });
    lanes.collect()
}

async fn find_lanes(backend: &PostgresBackend) -> Result<Vec<PgRow>, EngineError> {
    let mut tx = Tx::alone(backend).await?;
    let found = tx.query(LIST_LANES).fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    tx.commit().await?;
    Ok(found)
}

/// The lanes' names, whatever their states say.
pub(crate) async fn lane_ids(tx: &mut Tx<'_>) -> Result<Vec<LaneId>, EngineError> {
    let found = tx.query(LIST_LANES).fetch_all(tx.conn()?).await.map_err(from_sqlx)?;
    found.iter().map(|row| rows::get(row, "lane_id").map(LaneId)).collect()
}

/// See [`ff_core::engine_backend::EngineBackend::pause_lane`].
pub(crate) async fn pause_lane(
    backend: &PostgresBackend,
    lane: &LaneId,
) -> Result<(), EngineError> {
    set_lane_state(backend, lane, (PAUSE_LANE, LaneState::Paused)).await
}

/// See [`ff_core::engine_backend::EngineBackend::resume_lane`].
pub(crate) async fn resume_lane(
    backend: &PostgresBackend,
    lane: &LaneId,
) -> Result<(), EngineError> {
    set_lane_state(backend, lane, (RESUME_LANE, LaneState::Active)).await
}

async fn set_lane_state(
    backend: &PostgresBackend,
    lane: &LaneId,
    (statement, state): (&'static str, LaneState),
) -> Result<(), EngineError> {
    input::check_lane(lane)?;
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let set = tx.query(statement).bind(lane.as_str()).bind(state.as_str());
        set.execute(tx.conn()?).await.map_err(from_sqlx)?;
        tx.wake(lane);
        tx.commit().await
    })
    .await
}

/// See [`ff_core::engine_backend::EngineBackend::set_retention`].
pub(crate) async fn set_retention(
    backend: &PostgresBackend,
    namespace: &Namespace,
    retention: Option<Duration>,
) -> Result<(), EngineError> {
    input::check_name("namespace", namespace.as_str())?;
    let retention_ms =
        retention.map(|retention| i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        let set = tx.query(SET_RETENTION).bind(namespace.as_str()).bind(retention_ms);
        set.execute(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await
    })
    .await
}

/// See [`ff_core::engine_backend::EngineBackend::ping`].
pub(crate) async fn ping(backend: &PostgresBackend) -> Result<(), EngineError> {
    repeat(backend, async |_| {
        let mut tx = Tx::alone(backend).await?;
        tx.query(PING).fetch_one(tx.conn()?).await.map_err(from_sqlx)?;
        tx.commit().await
    })
    .await
}

/// See [`ff_core::engine_backend::EngineBackend::shutdown`].
pub(crate) async fn shutdown(backend: &PostgresBackend) -> Result<(), EngineError> {
    backend.notifier.stop();
    backend.connections.pool.close().await;
    Ok(())
}
