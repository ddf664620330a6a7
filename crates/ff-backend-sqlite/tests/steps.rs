//! How much work a statement is, in instructions of SQLite's virtual machine: those are the same in every
//! run, as times are not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{MANY, START, load_backlog, open};
use ff_core::types::ExecutionId;
use ff_sql::document::{KeyDocument, to_parameter};
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use uuid::Uuid;

const PICK: &str = include_str!("../sql/claim/pick.sql");
const LIST: &str = include_str!("../sql/execution/list.sql");
const READ_COMPLETION: &str = include_str!("../sql/event/read_completion.sql");
const LIST_FLOWS: &str = include_str!("../sql/flow/list.sql");
const FIND_MEMBERS: &str = include_str!("../sql/flow/find_members.sql");
const LIST_MEMBERS: &str = include_str!("../sql/flow/list_members.sql");
const LIST_BACKLOG: &str = include_str!("../sql/flow/list_backlog.sql");
const FIND_BACKLOG: &str = include_str!("../sql/flow/find_backlog.sql");
const ACK_MEMBER: &str = include_str!("../sql/flow/ack_member.sql");
const CLOSE_BACKLOG: &str = include_str!("../sql/flow/close_backlog.sql");
const RESET_EDGE_GROUP: &str = include_str!("../sql/flow/reset_edge_group.sql");
const LIST_EXPIRED: &str = include_str!("../sql/lease/list_expired.sql");
const FIND_DUE: &str = include_str!("../sql/timer/find_due.sql");
const FIND_EXPIRED_LEASES: &str = include_str!("../sql/timer/find_expired_leases.sql");
const FIND_PAST_DEADLINE: &str = include_str!("../sql/timer/find_past_deadline.sql");
const FIND_PAST_RETENTION: &str = include_str!("../sql/timer/find_past_retention.sql");
const LOAD_WORKER: &str = include_str!("../sql/worker/load.sql");
const LIST_WORKERS: &str = include_str!("../sql/worker/list.sql");

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
    let mut query = sqlx::query(LIST).bind(all_lanes());
    for _ in 0..5 {
        query = query.bind(nothing());
    }
    query = query.bind(i64::MIN);
    for _ in 0..4 {
        query = query.bind(nothing());
    }
    query.bind(10)
}

/// The first flow of the backlog, which is cancelled.
fn flow() -> Uuid {
    Uuid::from_u128(0xf << 124)
}

fn nothing() -> Option<String> {
    None
}

fn list_flows(state: &'static str) -> Statement {
    let query = sqlx::query(LIST_FLOWS).bind(nothing()).bind(state);
    query.bind(START.0).bind(flow()).bind(2)
}

fn list_expired() -> Statement {
    let query = sqlx::query(LIST_EXPIRED).bind(START.0).bind(nothing());
    query.bind(nothing()).bind(nothing()).bind(nothing()).bind(10)
}

fn reset_edge_group() -> Statement {
    let key = KeyDocument::new(&ExecutionId::from_parts(0, Uuid::nil()));
    sqlx::query(RESET_EDGE_GROUP).bind(to_parameter(&[key]).unwrap())
}

/// What must not grow with the flows and workers that are stored; a flow has a hundred members.
fn statements_of_flows() -> Vec<(&'static str, Statement)> {
    let of_flow = |statement| sqlx::query(statement).bind(flow());
    let flow_ids = format!(r#"["{}"]"#, flow());
    let member = format!(r#"[{{"flow_id": "{}", "execution_id": "{}"}}]"#, flow(), Uuid::nil());
    let of_worker = |statement| sqlx::query(statement).bind("default").bind("instance-1");
    vec![
        ("page of cancelled flows", list_flows("cancelled")),
        ("unfinished members of a flow", of_flow(FIND_MEMBERS)),
        ("page of members", of_flow(LIST_MEMBERS).bind(Uuid::nil()).bind(0).bind(10)),
        ("backlog of a flow", of_flow(LIST_BACKLOG)),
        ("look at the backlog of a flow", of_flow(FIND_BACKLOG)),
        ("end of a backlog that has members", sqlx::query(CLOSE_BACKLOG).bind(flow_ids)),
        ("acknowledgement", sqlx::query(ACK_MEMBER).bind(member)),
        ("reset of an edge group", reset_edge_group()),
        ("page of expired leases", list_expired()),
        ("a worker and its last heartbeat", of_worker(LOAD_WORKER)),
        ("page of a namespace's workers", of_worker(LIST_WORKERS).bind(10)),
    ]
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
    for (name, statement) in statements(executions).into_iter().chain(statements_of_flows()) {
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
