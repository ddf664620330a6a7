//! Wake-ups: in this process at once, and to other processes by `NOTIFY` after the commit.
//!
//! A notification is never sent inside an operation's transaction: its commit would take a lock that all
//! of them share. Lanes are gathered for a moment and sent in one statement. Losing any of it costs
//! latency only: a waiting claim looks again by itself.

use std::sync::Arc;
use std::time::Duration;

use ff_core::types::LaneId;
use ff_sql::wake_ups::{Waiter, WakeUps};
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The channel that lanes with new work are announced on.
const CHANNEL: &str = "ff_wake";
const NOTIFY: &str = include_str!("../sql/claim/notify.sql");

/// How long lanes are gathered before they are announced.
const GATHER: Duration = Duration::from_millis(5);
/// Lanes that wait to be announced at most; what is beyond is found by polling.
const QUEUE: usize = 1_024;
/// Between two tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Wakes waiting claims.
pub(crate) struct Notifier {
    local: WakeUps,
    announce: Option<mpsc::Sender<LaneId>>,
    tasks: Arc<[JoinHandle<()>]>,
}

impl Notifier {
    /// Wakes the claims of this process only.
    pub(crate) fn local() -> Self {
        Self { local: WakeUps::default(), announce: None, tasks: Arc::new([]) }
    }

    /// Tells other processes too, and listens to them, until it is dropped.
    pub(crate) fn listening(pool: PgPool) -> Self {
        let local = WakeUps::default();
        let (announce, lanes) = mpsc::channel(QUEUE);
        let tasks = [
            tokio::spawn(announce_all(pool.clone(), lanes)),
            tokio::spawn(listen(pool, local.clone())),
        ];
        Self { local, announce: Some(announce), tasks: Arc::new(tasks) }
    }

    pub(crate) fn wait_for(&self, lanes: &[LaneId]) -> Waiter {
        self.local.wait_for(lanes)
    }

    pub(crate) fn wake(&self, lanes: Vec<LaneId>) {
        for lane in lanes {
            self.local.wake(&lane);
            if let Some(announce) = &self.announce {
                let _ = announce.try_send(lane);
            }
        }
    }

    pub(crate) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn announce_all(pool: PgPool, mut lanes: mpsc::Receiver<LaneId>) {
    let mut gathered = Vec::new();
    while lanes.recv_many(&mut gathered, QUEUE).await > 0 {
        sleep(GATHER).await;
        while let Ok(lane) = lanes.try_recv() {
            gathered.push(lane);
        }
        gathered.sort();
        gathered.dedup();
        let names: Vec<String> = gathered.drain(..).map(|lane| lane.0).collect();
        let sent = sqlx::query(NOTIFY).bind(CHANNEL).bind(names).execute(&pool).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "lanes with new work could not be announced");
        }
    }
}

async fn listen(pool: PgPool, local: WakeUps) {
    loop {
        if let Err(error) = listen_until_lost(&pool, &local).await {
            tracing::debug!(%error, "no notifications; waiting claims look again by themselves");
        }
        sleep(LISTEN_AGAIN).await;
    }
}

async fn listen_until_lost(pool: &PgPool, local: &WakeUps) -> Result<(), sqlx::Error> {
    // A connection of its own: it would hold one of the pool's for ever.
    let own = PgPool::connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    while let Some(notification) = listener.try_recv().await? {
        local.wake(&LaneId::new(notification.payload()));
    }
    Ok(())
}
