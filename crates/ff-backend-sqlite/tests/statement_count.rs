//! How many statements an operation costs, by the driver's own log. One test to the program: the log
//! is the whole program's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/statement_log.rs"]
mod statement_log;

use common::{args, claim, open};
use ff_core::engine_backend::EngineBackend;
use statement_log::StatementLog;

const PING: &str = include_str!("../sql/admin/ping.sql");
const PICK: &str = include_str!("../sql/claim/pick.sql");

/// What was logged but for pings and for what sets a new connection up.
fn statements(log: &StatementLog) -> Vec<String> {
    let counts = |text: &String| *text != PING.trim() && !text.starts_with("PRAGMA");
    log.all().into_iter().filter(counts).collect()
}

#[tokio::test]
async fn a_claim_on_an_empty_lane_is_one_statement() {
    let log = StatementLog::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let opened = open().await;
    opened.backend.ping().await.unwrap();
    log.clear();

    assert!(claim(&opened.backend).await.is_none());

    // A connection's thread logs a statement after it has answered: the pings give it time.
    while !statements(&log).contains(&PICK.trim().to_owned()) {
        opened.backend.ping().await.unwrap();
    }
    for _ in 0..10 {
        opened.backend.ping().await.unwrap();
    }
    assert_eq!(statements(&log), [PICK.trim()]);

    opened.backend.create_execution(args()).await.unwrap();
    log.clear();
    assert!(claim(&opened.backend).await.is_some());
    assert!(statements(&log).len() > 1, "the log tells of the writer too");
}
