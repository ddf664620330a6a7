//! How many statements an operation costs, by the driver's own log. One test to the program: the log
//! is the whole program's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/statement_log.rs"]
mod statement_log;

use common::{Opened, args, claim, lane, open, policy};
use ff_core::backend::{CapabilitySet, FailureClass, FailureReason, Handle};
use ff_core::contracts::{ClaimBatchArgs, Completion, Failure};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use statement_log::StatementLog;

const PING: &str = include_str!("../sql/admin/ping.sql");
const PICK: &str = include_str!("../sql/claim/pick.sql");

/// What was logged but for pings and for what sets a new connection up.
fn statements(log: &StatementLog) -> Vec<String> {
    let counts = |text: &String| *text != PING.trim() && !text.starts_with("PRAGMA");
    log.all().into_iter().filter(counts).collect()
}

/// How many calls of the driver an operation makes between the transaction's beginning and its commit.
async fn calls<T>(
    opened: &Opened,
    log: &StatementLog,
    operation: impl Future<Output = Result<T, EngineError>>,
) -> (T, usize) {
    log.clear();
    let answer = operation.await.unwrap();
    // A connection's thread logs a statement after it has answered: the pings give it time.
    while !log.all().contains(&"COMMIT".to_owned()) {
        opened.backend.ping().await.unwrap();
    }
    let all = statements(log);
    let begun = all.iter().position(|statement| statement.starts_with("BEGIN IMMEDIATE")).unwrap();
    let committed = all.iter().position(|statement| statement == "COMMIT").unwrap();
    (answer, committed - begun - 1)
}

/// The calls of a creation, a claim, a renewal, a completion and a failure of so many executions.
async fn hot_operations(opened: &Opened, log: &StatementLog, executions: u32) -> [usize; 5] {
    let backend = &opened.backend;
    let batch = (0..2 * executions).map(|_| args()).collect();
    let (_, create) = calls(opened, log, backend.create_executions(batch)).await;
    let (lanes, capabilities) = (vec![lane()], CapabilitySet::default());
    let wanted = ClaimBatchArgs { lanes, capabilities, policy: policy("a"), max: 2 * executions };
    let (claimed, claim) = calls(opened, log, backend.claim_batch(wanted)).await;
    let handles: Vec<Handle> = claimed.into_iter().map(|claimed| claimed.handle).collect();
    let (_, renew) = calls(opened, log, backend.renew_batch(&handles)).await;
    let (succeeded, failed) = handles.split_at(executions as usize);
    let succeeded =
        succeeded.iter().map(|handle| Completion { handle: handle.clone(), result: None });
    let (_, complete) = calls(opened, log, backend.complete_batch(succeeded.collect())).await;
    let reason = || FailureReason::new("boom");
    let failed = failed.iter().map(|handle| Failure {
        handle: handle.clone(),
        reason: reason(),
        class: FailureClass::Permanent,
    });
    let (_, fail) = calls(opened, log, backend.fail_batch(failed.collect())).await;
    [create, claim, renew, complete, fail]
}

#[tokio::test]
async fn operations_are_as_many_statements_however_many_executions_they_are_for() {
    let log = StatementLog::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let opened = open().await;
    opened.backend.ping().await.unwrap();
    log.clear();
    a_claim_on_an_empty_lane_is_one_statement(&opened, &log).await;
    for executions in [1, 100] {
        assert_eq!(hot_operations(&opened, &log, executions).await, [1, 2, 1, 2, 4]);
    }
}

async fn a_claim_on_an_empty_lane_is_one_statement(opened: &Opened, log: &StatementLog) {
    assert!(claim(&opened.backend).await.is_none());

    // A connection's thread logs a statement after it has answered: the pings give it time.
    while !statements(log).contains(&PICK.trim().to_owned()) {
        opened.backend.ping().await.unwrap();
    }
    for _ in 0..10 {
        opened.backend.ping().await.unwrap();
    }
    assert_eq!(statements(log), [PICK.trim()]);

    opened.backend.create_execution(args()).await.unwrap();
    log.clear();
    assert!(claim(&opened.backend).await.is_some());
    assert!(statements(log).len() > 1, "the log tells of the writer too");
}
