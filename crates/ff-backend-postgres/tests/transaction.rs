//! EXEC-5: creation inside the caller's own transaction.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::{Opened, args, keyed, open};
use ff_backend_postgres::PostgresConfig;
use ff_core::contracts::{CreateExecutionArgs, CreateExecutionResult};
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::types::{ExecutionId, LaneId};
use sqlx::{Connection, PgConnection, Row};

/// Opens a database in which the user has a table.
async fn open_with_orders() -> Opened {
    let opened = open().await;
    opened.execute("CREATE TABLE orders (id bigint PRIMARY KEY)").await;
    opened
}

async fn order(conn: &mut PgConnection, id: i64) {
    sqlx::query("INSERT INTO orders VALUES ($1)").bind(id).execute(conn).await.unwrap();
}

async fn orders(opened: &Opened) -> i64 {
    let mut conn = opened.session().await;
    let count = sqlx::query("SELECT count(*) AS n FROM orders").fetch_one(&mut conn).await;
    count.unwrap().get("n")
}

fn is_created(result: &CreateExecutionResult) -> bool {
    matches!(result, CreateExecutionResult::Created { .. })
}

fn duplicate(execution_id: &ExecutionId) -> CreateExecutionResult {
    CreateExecutionResult::Duplicate { execution_id: execution_id.clone() }
}

#[tokio::test]
async fn it_is_visible_once_the_caller_commits_and_not_before() {
    let opened = open_with_orders().await;
    let mut conn = opened.session().await;
    let args = args();
    let mut transaction = conn.begin().await.unwrap();
    order(&mut transaction, 1).await;
    let created = opened.backend.create_execution_in(&mut transaction, args.clone()).await.unwrap();
    assert!(is_created(&created));
    assert!(opened.backend.describe_execution(&args.execution_id).await.unwrap().is_none());
    assert!(opened.claim().await.is_none());

    transaction.commit().await.unwrap();

    assert!(opened.backend.describe_execution(&args.execution_id).await.unwrap().is_some());
    assert_eq!(opened.claim().await.unwrap().execution_id(), &args.execution_id);
}

#[tokio::test]
async fn it_goes_with_the_callers_rollback() {
    let opened = open_with_orders().await;
    let mut conn = opened.session().await;
    let keyed = keyed("key");
    let mut transaction = conn.begin().await.unwrap();
    order(&mut transaction, 1).await;
    opened.backend.create_execution_in(&mut transaction, keyed.clone()).await.unwrap();

    transaction.rollback().await.unwrap();

    assert_eq!(orders(&opened).await, 0);
    assert!(opened.backend.describe_execution(&keyed.execution_id).await.unwrap().is_none());
    assert!(is_created(&opened.backend.create_execution(keyed).await.unwrap()));
}

#[tokio::test]
async fn a_refused_creation_leaves_the_callers_transaction_usable() {
    let opened = open_with_orders().await;
    let mut conn = opened.session().await;
    let bad = CreateExecutionArgs { lane_id: LaneId::new(""), ..args() };
    let mut transaction = conn.begin().await.unwrap();
    order(&mut transaction, 1).await;
    let refused = opened.backend.create_execution_in(&mut transaction, bad).await;
    assert!(matches!(refused, Err(EngineError::Validation { .. })));
    opened.backend.create_execution_in(&mut transaction, args()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(orders(&opened).await, 1);
    assert!(opened.claim().await.is_some());
}

#[tokio::test]
async fn a_creation_that_the_server_refuses_leaves_the_callers_transaction_usable() {
    let opened = open_with_orders().await;
    opened.execute("ALTER TABLE ff_exec_core ADD CHECK (priority < 100)").await;
    let mut conn = opened.session().await;
    let refused = CreateExecutionArgs { priority: 100, ..args() };
    let mut transaction = conn.begin().await.unwrap();
    order(&mut transaction, 1).await;
    let refused = opened.backend.create_execution_in(&mut transaction, refused).await;
    assert!(matches!(refused, Err(EngineError::Transport { .. })), "{refused:?}");
    transaction.commit().await.unwrap();
    assert_eq!(orders(&opened).await, 1);
    assert!(opened.claim().await.is_none());
}

#[tokio::test]
async fn a_duplicate_is_told_inside_the_transaction_too() {
    let opened = open().await;
    let mut conn = opened.session().await;
    let keyed = keyed("key");
    opened.backend.create_execution(keyed.clone()).await.unwrap();
    let mut transaction = conn.begin().await.unwrap();
    let same_key = CreateExecutionArgs { execution_id: args().execution_id, ..keyed.clone() };
    for again in [keyed.clone(), same_key] {
        let again = opened.backend.create_execution_in(&mut transaction, again).await.unwrap();
        assert_eq!(again, duplicate(&keyed.execution_id));
    }
}

#[tokio::test]
async fn a_duplicate_within_one_transaction_is_told() {
    let opened = open().await;
    let mut conn = opened.session().await;
    let mut transaction = conn.begin().await.unwrap();
    let (first, second) = (keyed("key"), keyed("key"));
    opened.backend.create_execution_in(&mut transaction, first.clone()).await.unwrap();
    let again = opened.backend.create_execution_in(&mut transaction, second).await.unwrap();
    assert_eq!(again, duplicate(&first.execution_id));
    transaction.commit().await.unwrap();
    let again = opened.backend.create_execution(keyed("key")).await.unwrap();
    assert_eq!(again, duplicate(&first.execution_id));
}

/// Two of the user's transactions take one key at once: the first to do so ends while the second waits
/// for it. Returns what the second was answered, then asks again, and commits.
async fn race(
    opened: &Opened,
    first: CreateExecutionArgs,
    first_commits: bool,
) -> [Result<CreateExecutionResult, EngineError>; 2] {
    let (mut one, mut other) = (opened.session().await, opened.session().await);
    let mut transaction = one.begin().await.unwrap();
    opened.backend.create_execution_in(&mut transaction, first).await.unwrap();
    let mut waiting = other.begin().await.unwrap();
    order(&mut waiting, 2).await;
    let second = keyed("key");
    let creation = opened.backend.create_execution_in(&mut waiting, second.clone());
    let first_ends = async {
        opened.until_one_waits().await;
        match first_commits {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
    };
    let (answer, ()) = tokio::join!(creation, first_ends);
    let again = opened.backend.create_execution_in(&mut waiting, second).await;
    order(&mut waiting, 3).await;
    waiting.commit().await.unwrap();
    [answer, again]
}

#[tokio::test]
async fn a_key_that_another_transaction_takes_meanwhile_leaves_the_callers_transaction_usable() {
    let opened = open_with_orders().await;
    let first = keyed("key");

    let [answer, again] = race(&opened, first.clone(), true).await;

    assert!(
        matches!(answer, Err(EngineError::Transport { .. }))
            || answer.as_ref().is_ok_and(|told| *told == duplicate(&first.execution_id)),
        "{answer:?}"
    );
    assert_eq!(again.unwrap(), duplicate(&first.execution_id));
    assert_eq!(orders(&opened).await, 2);
    assert_eq!(opened.claim().await.unwrap().execution_id(), &first.execution_id);
    assert!(opened.claim().await.is_none());
}

#[tokio::test]
async fn a_key_that_another_transaction_gives_up_is_taken() {
    let opened = open_with_orders().await;

    let [answer, again] = race(&opened, keyed("key"), false).await;

    let created = answer.unwrap();
    assert!(is_created(&created), "{created:?}");
    assert_eq!(again.unwrap(), duplicate(created.execution_id()));
    assert_eq!(orders(&opened).await, 2);
    assert_eq!(opened.claim().await.unwrap().execution_id(), created.execution_id());
}

/// A creation by itself waits for the caller's transaction that has taken its key.
async fn wait_for_the_caller(commit: bool) -> (ExecutionId, CreateExecutionResult) {
    let opened = open().await;
    let mut conn = opened.session().await;
    let first = keyed("key");
    let mut transaction = conn.begin().await.unwrap();
    opened.backend.create_execution_in(&mut transaction, first.clone()).await.unwrap();
    let caller_ends = async {
        opened.until_one_waits().await;
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
    };
    let (answer, ()) = tokio::join!(opened.backend.create_execution(keyed("key")), caller_ends);
    (first.execution_id, answer.unwrap())
}

#[tokio::test]
async fn a_creation_beside_the_callers_transaction_is_its_duplicate_once_that_commits() {
    let (first, answer) = wait_for_the_caller(true).await;
    assert_eq!(answer, duplicate(&first));
}

#[tokio::test]
async fn a_creation_beside_the_callers_transaction_is_made_once_that_is_rolled_back() {
    let (_, answer) = wait_for_the_caller(false).await;
    assert!(is_created(&answer));
}

#[tokio::test]
async fn it_works_in_every_isolation_level() {
    let opened = open_with_orders().await;
    for (number, level) in (0..).zip(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]) {
        let mut conn = opened.session().await;
        let mut transaction = conn.begin().await.unwrap();
        common::execute(&mut transaction, &format!("SET TRANSACTION ISOLATION LEVEL {level}"))
            .await;
        order(&mut transaction, number).await;
        let args = keyed(level);
        let created = opened.backend.create_execution_in(&mut transaction, args.clone()).await;
        assert!(is_created(&created.unwrap()), "{level}");
        let again = opened.backend.create_execution_in(&mut transaction, args.clone()).await;
        assert_eq!(again.unwrap(), duplicate(&args.execution_id), "{level}");
        transaction.commit().await.unwrap();
    }
    assert_eq!(orders(&opened).await, 3);
}

#[tokio::test]
async fn it_takes_no_connection_of_the_pool() {
    let opened =
        common::open_with(PostgresConfig { max_connections: 1, ..Default::default() }).await;
    let mut conn = opened.pool().acquire().await.unwrap();
    let mut transaction = conn.begin().await.unwrap();
    opened.backend.create_execution_in(&mut transaction, args()).await.unwrap();
    transaction.commit().await.unwrap();
}
