//! Claims of a queue before whose first lies much that was claimed and cannot be vacuumed, and single calls beside
//! each other of which one is refused.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{HashMap, HashSet};

use common::{Opened, args, lane, open, policy};
use ff_core::backend::CapabilitySet;
use ff_core::contracts::{ClaimBatchArgs, CreateExecutionArgs};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::ExecutionId;
use futures::future::join_all;

async fn claim_batch(opened: &Opened, max: u32) -> Vec<ExecutionId> {
    let capabilities = CapabilitySet::default();
    let args = ClaimBatchArgs { lanes: vec![lane()], capabilities, policy: policy("one"), max };
    let claimed = opened.backend.claim_batch(args).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.handle.execution_id().clone()).collect()
}

#[tokio::test]
async fn what_a_snapshot_keeps_in_front_hides_nothing_from_claims() {
    let opened = open().await;
    let mut reader = opened.session().await;
    common::execute(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    let mut left = HashSet::new();
    for _ in 0..8 {
        let batch: Vec<_> = (0..1_000).map(|_| args()).collect();
        left.extend(batch.iter().map(|args| args.execution_id.clone()));
        opened.backend.create_executions(batch).await.unwrap();
    }
    // In small steps, so that claims begin again and again past what those before have taken.
    while left.len() > 100 {
        for id in claim_batch(&opened, 100).await {
            assert!(left.remove(&id), "{id} was claimed twice");
        }
    }

    let urgent = CreateExecutionArgs { priority: 9, ..args() };
    let late = CreateExecutionArgs { now: common::START, ..args() };
    left.extend([urgent.execution_id.clone(), late.execution_id.clone()]);
    opened.backend.create_executions(vec![urgent, late]).await.unwrap();

    while let claimed @ [_, ..] = claim_batch(&opened, 7).await.as_slice() {
        for id in claimed {
            assert!(left.remove(id), "{id} was claimed twice");
        }
    }
    assert_eq!(left, HashSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_creations_at_once_only_the_one_that_cannot_be_stored_is_refused() {
    let opened = open().await;
    let creations = (0..40).map(|number| {
        let text = if number == 17 { "a\0b" } else { "ab" };
        let tags = HashMap::from([("note".to_owned(), text.to_owned())]);
        opened.backend.create_execution(CreateExecutionArgs { tags, ..args() })
    });
    let answers = join_all(creations).await;
    let refused: Vec<_> = (0..40).filter(|number| answers[*number].is_err()).collect();
    assert_eq!(refused, [17]);
    assert!(!answers[17].as_ref().unwrap_err().is_retryable());
}
