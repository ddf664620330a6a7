//! What the statements do while the planner believes that the tables are empty.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::{args, lane, open, policy};
use ff_core::backend::CapabilitySet;
use ff_core::contracts::{ClaimBatchArgs, Completion};
use ff_core::engine_backend::EngineBackend;

const BATCH: u32 = 50;
const BATCHES: u32 = 20;

const ATTEMPTS_READ: &str =
    "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'ff_attempt_pkey'";
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                        AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// A batch reads its own attempts and not all that there are.
#[tokio::test]
async fn a_batch_reads_its_own_attempts_after_an_analysis_of_empty_tables() {
    let opened = open().await;
    opened.execute("VACUUM ANALYZE ff_exec_core").await;
    opened.execute("VACUUM ANALYZE ff_attempt").await;
    for _ in 0..BATCHES {
        let created = (0..BATCH).map(|_| args()).collect();
        opened.backend.create_executions(created).await.unwrap();
        let capabilities = CapabilitySet::default();
        let (lanes, policy) = (vec![lane()], policy("worker-1"));
        let claim = ClaimBatchArgs { lanes, capabilities, policy, max: BATCH };
        let claimed = opened.backend.claim_batch(claim).await.unwrap();
        let handles: Vec<_> = claimed.into_iter().map(|claimed| claimed.handle).collect();
        opened.backend.renew_batch(&handles).await.unwrap();
        let batch = handles.into_iter().map(|handle| Completion { handle, result: None }).collect();
        let answers = opened.backend.complete_batch(batch).await.unwrap();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), BATCH as usize);
    }
    // A session tells what it has read when it ends.
    opened.backend.shutdown().await.unwrap();
    while opened.read_text(SESSIONS).await != "0" {}
    let read: u32 = opened.read_text(ATTEMPTS_READ).await.parse().unwrap();
    assert!((1..=4 * BATCH * BATCHES).contains(&read), "{read}");
}
