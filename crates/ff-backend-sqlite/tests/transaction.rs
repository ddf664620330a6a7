//! EXEC-5: creation inside the caller's own transaction.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{args, claim, open};
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::LaneId;
use sqlx::{Connection, Row, SqliteConnection};

async fn connect(opened: &common::Opened) -> SqliteConnection {
    let mut conn = SqliteConnection::connect(opened.path.to_str().unwrap()).await.unwrap();
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)").execute(&mut conn).await.unwrap();
    conn
}

async fn orders(conn: &mut SqliteConnection) -> i64 {
    sqlx::query("SELECT count(*) AS n FROM orders").fetch_one(conn).await.unwrap().get("n")
}

#[tokio::test]
async fn it_is_visible_once_the_caller_commits_and_not_before() {
    let opened = open().await;
    let mut conn = connect(&opened).await;
    let args = args();
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("INSERT INTO orders VALUES (1)").execute(&mut *transaction).await.unwrap();
    let created = opened.backend.create_execution_in(&mut transaction, args.clone()).await.unwrap();
    assert!(matches!(created, CreateExecutionResult::Created { .. }));
    assert!(opened.backend.describe_execution(&args.execution_id).await.unwrap().is_none());

    transaction.commit().await.unwrap();

    assert!(opened.backend.describe_execution(&args.execution_id).await.unwrap().is_some());
    assert_eq!(claim(&opened.backend).await.unwrap().execution_id(), &args.execution_id);
}

#[tokio::test]
async fn it_goes_with_the_callers_rollback() {
    let opened = open().await;
    let mut conn = connect(&opened).await;
    let keyed = CreateExecutionArgs { idempotency_key: Some("key".to_owned()), ..args() };
    let mut transaction = conn.begin().await.unwrap();
    sqlx::query("INSERT INTO orders VALUES (1)").execute(&mut *transaction).await.unwrap();
    opened.backend.create_execution_in(&mut transaction, keyed.clone()).await.unwrap();

    transaction.rollback().await.unwrap();

    assert_eq!(orders(&mut conn).await, 0);
    assert!(opened.backend.describe_execution(&keyed.execution_id).await.unwrap().is_none());
    let again = opened.backend.create_execution(keyed).await.unwrap();
    assert!(matches!(again, CreateExecutionResult::Created { .. }));
}

#[tokio::test]
async fn a_refused_creation_leaves_the_callers_transaction_usable() {
    let opened = open().await;
    let mut conn = connect(&opened).await;
    let bad = CreateExecutionArgs { lane_id: LaneId::new(""), ..args() };
    let mut transaction = conn.begin().await.unwrap();
    sqlx::query("INSERT INTO orders VALUES (1)").execute(&mut *transaction).await.unwrap();
    let refused = opened.backend.create_execution_in(&mut transaction, bad).await;
    assert!(matches!(refused, Err(EngineError::Validation { .. })));
    opened.backend.create_execution_in(&mut transaction, args()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(orders(&mut conn).await, 1);
    assert!(claim(&opened.backend).await.is_some());
}

#[tokio::test]
async fn a_duplicate_is_told_inside_the_transaction_too() {
    let opened = open().await;
    let mut conn = connect(&opened).await;
    let args = args();
    opened.backend.create_execution(args.clone()).await.unwrap();
    let mut transaction = conn.begin().await.unwrap();
    let again = opened.backend.create_execution_in(&mut transaction, args.clone()).await.unwrap();
    let execution_id = args.execution_id;
    assert_eq!(again, CreateExecutionResult::Duplicate { execution_id });
}
