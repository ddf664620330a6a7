//! How SQLite plans the statement files: each prepares, and an index serves it, on an empty store and on a
//! full one, with statistics and without.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{MANY, Opened, load_backlog, open};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// Those that every execution needs, the sweeps that look for what is due, and reads.
const HOT: &[&str] = &[
    "claim/pick",
    "event/append_completion",
    "event/append_flow_operator",
    "event/append_lease",
    "event/append_operator",
    "event/read_completion",
    "event/read_lease",
    "event/read_operator",
    "execution/apply",
    "execution/complete",
    "execution/count",
    "execution/create",
    "execution/find_created",
    "execution/find_held",
    "execution/list",
    "execution/load",
    "flow/add_member",
    "flow/add_to_backlog",
    "flow/apply",
    "flow/close_backlog",
    "flow/create",
    "flow/describe",
    "flow/find_backlog",
    "flow/find_members",
    "flow/list",
    "flow/list_backlog",
    "flow/list_cancelled",
    "flow/list_members",
    "flow/load",
    "flow/open_backlog",
    "flow/raise_revision",
    "flow/reset_edge_group",
    "lease/apply",
    "lease/list_expired",
    "lease/renew",
    "timer/find_abandoned",
    "timer/find_due",
    "timer/find_expired_leases",
    "timer/find_past_deadline",
    "timer/find_past_retention",
    "timer/find_timed_out",
    "worker/append_event",
    "worker/find_lapsed",
    "worker/list",
    "worker/load",
    "worker/put",
    "worker/remove",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")
}

fn statement_files() -> Vec<PathBuf> {
    let areas = fs::read_dir(root()).unwrap().map(|area| area.unwrap().path());
    let mut files: Vec<PathBuf> = areas
        .flat_map(|area| fs::read_dir(area).unwrap().map(|file| file.unwrap().path()))
        .collect();
    files.sort();
    files
}

/// The consecutive statements of a file, without its comments.
fn statements(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let parts = code.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// The statement as it is for many rows of values.
fn with_rows(statement: &str) -> String {
    let (first, rest) = statement.split_once("VALUES ").unwrap_or((statement, ""));
    match rest.split_once(')') {
        Some((row, rest)) => {
            let rows = vec![format!("{row})"); 64].join(", ");
            format!("{first}VALUES {rows}{rest}")
        }
        None => statement.to_owned(),
    }
}

/// Of its own, so that it knows the statistics of now: others may know older ones.
async fn connect(opened: &Opened) -> SqliteConnection {
    SqliteConnection::connect(opened.path.to_str().unwrap()).await.unwrap()
}

async fn plan(conn: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
        .fetch_all(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{statement}"));
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

/// Arrays that were given as parameters, and what was made of them.
fn scans_a_table(step: &str) -> bool {
    let made_here = [
        "SCAN named",
        "SCAN lane",
        "SCAN q",
        "SCAN picked",
        "SCAN s",
        "SCAN CONSTANT ROW",
        "SCAN (subquery",
    ];
    step.starts_with("SCAN ")
        && !step.contains("VIRTUAL TABLE")
        && !made_here.iter().any(|prefix| step.starts_with(prefix))
}

fn searches(steps: &[String]) -> impl Iterator<Item = &String> {
    steps.iter().filter(|step| step.starts_with("SEARCH "))
}

/// Whether the step reads a table.
fn reads_a_table(step: &str) -> bool {
    step.starts_with("SEARCH ") || scans_a_table(step)
}

async fn scans(opened: &Opened) -> String {
    let mut conn = connect(opened).await;
    let mut scans = String::new();
    for file in statement_files() {
        for statement in statements(&file) {
            let steps = plan(&mut conn, &statement).await;
            for step in steps.iter().filter(|step| scans_a_table(step)) {
                scans.push_str(&format!("{}: {step}\n", file.file_stem().unwrap().display()));
            }
        }
    }
    scans
}

async fn plans_of_hot_statements(opened: &Opened) -> String {
    let mut conn = connect(opened).await;
    let mut plans = String::new();
    for name in HOT {
        plans.push_str(&format!("{name}\n"));
        for statement in statements(&root().join(format!("{name}.sql"))) {
            let steps = plan(&mut conn, &statement).await;
            let with_rows = plan(&mut conn, &with_rows(&statement)).await;
            assert!(searches(&with_rows).eq(searches(&steps)), "{name}: {with_rows:?}");
            for step in steps.iter().filter(|step| reads_a_table(step)) {
                plans.push_str(&format!("    {step}\n"));
            }
        }
    }
    plans
}

async fn analyze(opened: &Opened) {
    sqlx::query("ANALYZE").execute(opened.backend.pool_for_test()).await.unwrap();
}

#[tokio::test]
async fn only_small_tables_are_scanned() {
    let opened = open().await;

    let of_empty = scans(&opened).await;
    load_backlog(&opened, MANY).await;
    let of_many = scans(&opened).await;
    analyze(&opened).await;
    let of_known = scans(&opened).await;

    // Lanes, namespaces and migrations are few; open attempts are those that run now.
    expect_test::expect![[r#"
        list_lanes: SCAN ff_lane
        lease: SCAN item
        lease: SCAN item
        complete: SCAN item
        complete: SCAN item
        find_held: SCAN call
        find_held: SCAN item
        renew: SCAN item
        find_past_retention: SCAN n
        find_timed_out: SCAN a USING INDEX ff_attempt_open
    "#]]
    .assert_eq(&of_empty);
    assert_eq!(of_many, of_empty);
    assert_eq!(of_known, of_empty);
}

#[tokio::test]
async fn hot_statements_use_the_indexes_that_are_there_for_them() {
    let opened = open().await;

    let of_empty = plans_of_hot_statements(&opened).await;
    analyze(&opened).await;
    let known_as_empty = plans_of_hot_statements(&opened).await;
    load_backlog(&opened, MANY).await;
    analyze(&opened).await;
    let known_as_many = plans_of_hot_statements(&opened).await;

    expect_test::expect![[r#"
        claim/pick
            SEARCH l USING PRIMARY KEY (lane_id=?)
            SEARCH r USING INDEX ff_exec_core_claimable (lane_id=?)
            SEARCH r USING INDEX ff_exec_core_claimable (lane_id=? AND required_set>?)
            SEARCH r USING INTEGER PRIMARY KEY (rowid=?)
            SEARCH ready USING INDEX ff_exec_core_claimable (lane_id=? AND required_set=?)
            SEARCH c USING PRIMARY KEY (execution_id=?)
            SEARCH due USING INTEGER PRIMARY KEY (rowid=?)
            SEARCH next USING INDEX ff_exec_core_delayed_in_lane (lane_id=? AND eligible_at_ms<?)
            SEARCH c USING PRIMARY KEY (execution_id=?)
            SEARCH e USING INTEGER PRIMARY KEY (rowid=?)
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?) LEFT-JOIN
        event/append_completion
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        event/append_flow_operator
            SEARCH f USING INDEX sqlite_autoindex_ff_flow_core_1 (partition_key=? AND flow_id=?)
        event/append_lease
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        event/append_operator
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        event/read_completion
            SEARCH ff_completion_event USING INTEGER PRIMARY KEY (rowid>?)
        event/read_lease
            SEARCH ff_lease_event USING INTEGER PRIMARY KEY (rowid>?)
        event/read_operator
            SEARCH ff_operator_event USING INTEGER PRIMARY KEY (rowid>?)
        execution/apply
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        execution/complete
            SCAN item
            SEARCH e USING INTEGER PRIMARY KEY (rowid=?)
            SCAN item
            SEARCH e USING INTEGER PRIMARY KEY (rowid=?)
        execution/count
            SEARCH e USING COVERING INDEX ff_exec_core_listed (lane_id=?)
            SEARCH e USING COVERING INDEX ff_exec_core_listed (lane_id=? AND public_state>?)
            SEARCH r USING INDEX ff_exec_core_listed (lane_id=? AND public_state=? AND created_at_ms>?)
        execution/create
        execution/find_created
            SEARCH ff_exec_core USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        execution/find_held
            SCAN call
            SCAN item
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?)
        execution/list
            SEARCH e USING COVERING INDEX ff_exec_core_listed (lane_id=?)
            SEARCH e USING COVERING INDEX ff_exec_core_listed (lane_id=? AND public_state>?)
            SEARCH e USING INTEGER PRIMARY KEY (rowid=?)
            SEARCH r USING INDEX ff_exec_core_listed (lane_id=? AND public_state=? AND created_at_ms>?)
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?) LEFT-JOIN
        execution/load
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?) LEFT-JOIN
        flow/add_member
            SEARCH ff_exec_core USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        flow/add_to_backlog
        flow/apply
            SEARCH ff_flow_core USING INDEX sqlite_autoindex_ff_flow_core_1 (partition_key=? AND flow_id=?)
        flow/close_backlog
            SEARCH b USING PRIMARY KEY (partition_key=? AND flow_id=?)
            SEARCH m USING PRIMARY KEY (partition_key=? AND flow_id=?)
        flow/create
        flow/describe
            SEARCH ff_flow_core USING INDEX sqlite_autoindex_ff_flow_core_1 (partition_key=? AND flow_id=?)
        flow/find_backlog
            SEARCH ff_cancel_backlog_member USING PRIMARY KEY (partition_key=? AND flow_id=?)
        flow/find_members
            SEARCH ff_exec_core USING INDEX ff_exec_core_members (flow_id=?)
        flow/list
            SEARCH f USING INDEX ff_flow_core_listed (created_at_ms>?)
            SEARCH f USING INDEX ff_flow_core_listed_in_state (public_flow_state=? AND created_at_ms>?)
        flow/list_backlog
            SEARCH m USING PRIMARY KEY (partition_key=? AND flow_id=?)
            SEARCH e USING COVERING INDEX ff_exec_core_members (flow_id=? AND execution_id=?) LEFT-JOIN
        flow/list_cancelled
            SEARCH ff_exec_core USING INDEX ff_exec_core_members (flow_id=?)
        flow/list_members
            SEARCH e USING INDEX ff_exec_core_members (flow_id=? AND (execution_id,partition_key)>(?,?))
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?) LEFT-JOIN
        flow/load
            SEARCH ff_flow_core USING INDEX sqlite_autoindex_ff_flow_core_1 (partition_key=? AND flow_id=?)
        flow/open_backlog
        flow/raise_revision
            SEARCH ff_flow_core USING INDEX sqlite_autoindex_ff_flow_core_1 (partition_key=? AND flow_id=?)
        flow/reset_edge_group
            SEARCH ff_edge_group USING INTEGER PRIMARY KEY (rowid=?)
            SEARCH g USING COVERING INDEX sqlite_autoindex_ff_edge_group_1 (partition_key=? AND flow_id=? AND downstream_eid=?)
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        lease/apply
        lease/list_expired
            SEARCH a USING INDEX ff_attempt_open (lease_expires_at_ms>? AND lease_expires_at_ms<?)
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        lease/renew
            SCAN item
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?)
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        timer/find_abandoned
            SEARCH m USING PRIMARY KEY (partition_key=?)
            SEARCH e USING INDEX ff_exec_core_members (flow_id=? AND execution_id=?)
            SEARCH a USING PRIMARY KEY (partition_key=? AND execution_id=? AND attempt_index=?)
            SEARCH w USING INDEX ff_worker_registry_instance (worker_instance_id=?)
            SEARCH b USING PRIMARY KEY (partition_key=?)
            SEARCH m USING PRIMARY KEY (partition_key=? AND flow_id=?)
        timer/find_due
            SEARCH ff_exec_core USING INDEX ff_exec_core_delayed (eligible_at_ms<?)
            SEARCH ff_exec_core USING INDEX ff_exec_core_submitted (created_at_ms<?)
        timer/find_expired_leases
            SEARCH a USING INDEX ff_attempt_open (lease_expires_at_ms<?)
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        timer/find_past_deadline
            SEARCH ff_exec_core USING INDEX ff_exec_core_deadline (deadline_at_ms>? AND deadline_at_ms<?)
        timer/find_past_retention
            SCAN n
            SEARCH e USING INDEX ff_exec_core_finished (namespace=? AND terminal_at_ms<?)
        timer/find_timed_out
            SCAN a USING INDEX ff_attempt_open
            SEARCH e USING INDEX sqlite_autoindex_ff_exec_core_1 (partition_key=? AND execution_id=?)
        worker/append_event
        worker/find_lapsed
            SEARCH ff_worker_registry USING PRIMARY KEY ((namespace,worker_instance_id)>(?,?))
        worker/list
            SEARCH ff_worker_registry USING INDEX ff_worker_registry_instance (worker_instance_id>? AND worker_instance_id<?)
            SEARCH w USING COVERING INDEX ff_worker_registry_instance (worker_instance_id>?)
            SEARCH page
        worker/load
            SEARCH w USING PRIMARY KEY (namespace=? AND worker_instance_id=?)
            SEARCH v USING INDEX ff_worker_registry_event_instance (namespace=? AND worker_instance_id=?)
        worker/put
        worker/remove
            SEARCH ff_worker_registry USING PRIMARY KEY (namespace=? AND worker_instance_id=?)
    "#]].assert_eq(&of_empty);
    assert_eq!(known_as_empty, of_empty);
    assert_eq!(known_as_many, of_empty);
}

/// SQLite looks at the value of a bare parameter there when it plans, and so plans again at every call.
#[test]
fn no_limit_is_a_bare_parameter() {
    for file in statement_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("LIMIT $"), "{}: write LIMIT ($n + 0)", file.display());
    }
}
