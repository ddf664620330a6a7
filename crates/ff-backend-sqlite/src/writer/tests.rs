//! What an error on which SQLite ends the transaction by itself does to the writer.

use std::collections::HashMap;
use std::sync::Arc;

use ff_core::contracts::CreateExecutionArgs;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::partition::PartitionConfig;
use ff_core::types::{ExecutionId, LaneId, Namespace, TimestampMs};
use futures::future::join_all;
use sqlx::AssertSqlSafe;

use crate::SqliteBackend;
use crate::error::from_sqlx;

async fn set_max_pages(backend: &SqliteBackend, pages: u32) {
    let pragma = format!("PRAGMA max_page_count = {pages}");
    let set = backend.writer.run(async move |tx| {
        sqlx::query(AssertSqlSafe(pragma)).execute(tx.conn()).await.map_err(from_sqlx)?;
        Ok(())
    });
    set.await.unwrap();
}

fn args(payload_bytes: usize) -> CreateExecutionArgs {
    let lane_id = LaneId::new("default");
    CreateExecutionArgs {
        execution_id: ExecutionId::solo(&lane_id, &PartitionConfig::single()),
        namespace: Namespace::new("default"),
        lane_id,
        execution_kind: "kind".to_owned(),
        input_payload: vec![7; payload_bytes],
        payload_encoding: None,
        priority: 0,
        creator_identity: String::new(),
        idempotency_key: None,
        tags: HashMap::new(),
        policy: None,
        delay_until: None,
        execution_deadline_at: None,
        partition_id: 0,
        now: TimestampMs::from_millis(0),
    }
}

#[tokio::test]
async fn a_full_store_refuses_and_goes_on_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let backend: Arc<SqliteBackend> = SqliteBackend::new(path.to_str().unwrap()).await.unwrap();
    set_max_pages(&backend, 100).await;

    for refused in join_all((0..5).map(|_| backend.create_execution(args(1 << 20)))).await {
        let error = refused.unwrap_err();
        assert!(matches!(error, EngineError::Transport { .. }), "{error:?}");
    }
    let error = backend.create_execution(args(1 << 20)).await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    backend.create_execution(args(10)).await.unwrap();

    set_max_pages(&backend, u32::MAX - 1).await;
    backend.create_execution(args(1 << 20)).await.unwrap();
    let counts = backend.count_executions(&Default::default()).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 2);
}
