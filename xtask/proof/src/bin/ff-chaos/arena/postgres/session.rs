//! What other clients of the server do.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::sleep;

use crate::Outcome;

/// More than the server takes.
const ENOUGH: usize = 1_000;

const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM (\
        SELECT pid FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'flowfabric' \
        ORDER BY random() LIMIT $1\
    ) AS chosen";

pub(super) struct Sessions {
    url: String,
}

impl Sessions {
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    pub(super) async fn begin(&self) -> Outcome<PgConnection> {
        let options = PgConnectOptions::from_str(&self.url)?.application_name("ff-chaos");
        Ok(options.disable_statement_logging().connect().await?)
    }

    /// Has the server end so many of the nodes' connections.
    pub(super) async fn terminate(&self, count: u64) -> Outcome<bool> {
        let mut session = self.begin().await?;
        let terminate = sqlx::query(TERMINATE).bind(i64::try_from(count)?);
        let terminated: i64 = terminate.fetch_one(&mut session).await?.try_get(0)?;
        session.close().await?;
        Ok(terminated > 0)
    }

    /// Nobody writes meanwhile, and those who wait may give up.
    pub(super) async fn lock(&self, time: Duration) -> Outcome<bool> {
        let mut session = self.begin().await?;
        let lock = "BEGIN; LOCK TABLE ff_exec_core IN EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut session).await?;
        sleep(time).await;
        session.close().await?;
        Ok(true)
    }

    /// What is removed or replaced meanwhile stays, and readers of events wait.
    pub(super) async fn hold_snapshot(&self, time: Duration) -> Outcome<bool> {
        let mut session = self.begin().await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; \
                     SELECT pg_current_xact_id(), count(*) FROM ff_exec_core";
        sqlx::raw_sql(begin).execute(&mut session).await?;
        sleep(time).await;
        // The server may have ended it meanwhile.
        let _ = session.close().await;
        Ok(true)
    }

    /// Takes every connection that the server has left, and takes from the nodes what they have.
    pub(super) async fn take_all(&self, time: Duration) -> Outcome<bool> {
        let mut first = self.begin().await?;
        let mut taken = Vec::new();
        for round in 0..2 {
            while taken.len() < ENOUGH {
                let Ok(session) = self.begin().await else { break };
                taken.push(session);
            }
            if round == 0 {
                let terminate = sqlx::query(TERMINATE).bind(i64::MAX);
                terminate.fetch_one(&mut first).await?;
            }
        }
        sleep(time).await;
        Ok(!taken.is_empty())
    }
}
