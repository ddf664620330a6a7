//! How much work a statement is, in instructions of SQLite's virtual machine: those are the same in every
//! run, as times are not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{MANY, START, load_backlog, open};
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

const PICK: &str = include_str!("../sql/claim/pick.sql");
const LIST: &str = include_str!("../sql/execution/list.sql");
const READ_COMPLETION: &str = include_str!("../sql/event/read_completion.sql");
const FIND_DUE: &str = include_str!("../sql/timer/find_due.sql");
const FIND_EXPIRED_LEASES: &str = include_str!("../sql/timer/find_expired_leases.sql");
const FIND_PAST_DEADLINE: &str = include_str!("../sql/timer/find_past_deadline.sql");
const FIND_PAST_RETENTION: &str = include_str!("../sql/timer/find_past_retention.sql");

/// A fiftieth of [`MANY`], and enough that no statement runs out of rows.
const FEW: i64 = 2_000;

type Statement = Query<'static, Sqlite, SqliteArguments>;

fn pick(lanes: &str, capabilities: &'static str, limit: i64) -> Statement {
    let query = sqlx::query(PICK).bind(lanes.to_owned()).bind(capabilities);
    query.bind(START.0).bind("[]").bind(limit)
}

fn all_lanes() -> String {
    let lanes: Vec<String> = (0..20).map(|number| format!("lane-{number}")).collect();
    serde_json::to_string(&lanes).unwrap()
}

/// Looks for what time has made due, and nothing is.
fn find(statement: &'static str) -> Statement {
    sqlx::query(statement).bind(START.0).bind("[]").bind(10)
}

fn list() -> Statement {
    let nothing: Option<String> = None;
    let mut query = sqlx::query(LIST).bind(all_lanes());
    for _ in 0..5 {
        query = query.bind(nothing.clone());
    }
    query = query.bind(i64::MIN);
    for _ in 0..4 {
        query = query.bind(nothing.clone());
    }
    query.bind(10)
}

/// What must not grow with the executions that are stored, by name; given how many those are.
fn statements(executions: i64) -> Vec<(&'static str, Statement)> {
    vec![
        ("claim of one", pick(r#"["lane-7"]"#, "[]", 1)),
        ("claim of ten from all lanes", pick(&all_lanes(), "[]", 10)),
        ("claim of ten with a capability", pick(r#"["lane-7"]"#, r#"["gpu"]"#, 10)),
        ("claim from an empty lane", pick(r#"["lane-empty"]"#, "[]", 1)),
        ("page of executions", list()),
        ("page of events", sqlx::query(READ_COMPLETION).bind(executions / 2).bind(10)),
        ("look for what is due", find(FIND_DUE)),
        ("look for expired leases", find(FIND_EXPIRED_LEASES)),
        ("look for passed deadlines", find(FIND_PAST_DEADLINE)),
        ("look for what is kept too long", find(FIND_PAST_RETENTION)),
    ]
}

/// The rows that a statement returns, and the instructions that it takes.
async fn measure(conn: &mut SqliteConnection, statement: Statement) -> (usize, u64) {
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    let every_step = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        true
    };
    conn.lock_handle().await.unwrap().set_progress_handler(1, every_step);
    let rows = statement.fetch_all(&mut *conn).await.unwrap().len();
    conn.lock_handle().await.unwrap().remove_progress_handler();
    (rows, steps.load(Ordering::Relaxed))
}

async fn measure_all(executions: i64) -> Vec<(&'static str, usize, u64)> {
    let opened = open().await;
    load_backlog(&opened, executions).await;
    let mut conn = opened.backend.pool_for_test().acquire().await.unwrap();
    let mut measured = Vec::new();
    for (name, statement) in statements(executions) {
        let (rows, steps) = measure(&mut conn, statement).await;
        measured.push((name, rows, steps));
    }
    measured
}

#[tokio::test]
async fn a_statement_is_as_much_work_on_fifty_times_the_backlog() {
    let few = measure_all(FEW).await;

    let many = measure_all(MANY).await;

    assert_eq!(many, few);
    assert!(few.iter().all(|(_, _, steps)| *steps > 0), "{few:?}");
}
