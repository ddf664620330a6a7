//! FLOW-9: a flow's cancellation costs as many statements however many members it has, by the driver's own
//! log. One test to the program: the log is the whole program's.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "common/statement_log.rs"]
mod statement_log;

use common::{Opened, START, args, open};
use ff_core::backend::{CancelFlowPolicy, CancelFlowWait};
use ff_core::contracts::{
    CancelFlowArgs, CancelFlowHeader, CancelFlowResult, CreateFlowArgs, ReconcileTask, ScanReport,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{FlowId, Namespace};
use statement_log::StatementLog;

const FEW: u32 = 10;
const MANY: u32 = 10_000;

async fn create_flow(opened: &Opened, members: u32) -> FlowId {
    let flow_id = FlowId::new();
    let flow = CreateFlowArgs {
        flow_id,
        flow_kind: "import".to_owned(),
        namespace: Namespace::new("default"),
        tags: Default::default(),
        now: START,
    };
    opened.backend.create_flow(flow).await.unwrap();
    let batch = (0..members).map(|_| args()).collect();
    opened.backend.create_executions(batch).await.unwrap();
    sqlx::query("UPDATE ff_exec_core SET flow_id = $1 WHERE flow_id IS NULL")
        .bind(flow_id.0)
        .execute(opened.backend.pool_for_test())
        .await
        .unwrap();
    flow_id
}

/// What the writer has done since the log was cleared.
async fn written(opened: &Opened, log: &StatementLog) -> Vec<String> {
    // A connection's thread logs a statement after it has answered: the pings give it time.
    while !log.all().contains(&"COMMIT".to_owned()) {
        opened.backend.ping().await.unwrap();
    }
    let all = log.all();
    let begun = all.iter().position(|statement| statement.starts_with("BEGIN IMMEDIATE")).unwrap();
    let committed = all.iter().position(|statement| statement == "COMMIT").unwrap();
    let is_of_reader = |text: &String| text.contains("max(version)") || text.starts_with("PRAGMA");
    all[begun..=committed].iter().filter(|text| !is_of_reader(text)).cloned().collect()
}

async fn cancel(opened: &Opened, log: &StatementLog, members: u32) -> Vec<String> {
    let flow_id = create_flow(opened, members).await;
    log.clear();
    let (policy, wait) = (CancelFlowPolicy::CancelAll, CancelFlowWait::NoWait);
    let answer = opened.backend.cancel_flow(&flow_id, policy, wait).await.unwrap();
    let CancelFlowResult::Cancelled { member_execution_ids, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(member_execution_ids.len(), members as usize);
    written(opened, log).await
}

async fn cancel_by_name(opened: &Opened, log: &StatementLog, members: u32) -> Vec<String> {
    let flow_id = create_flow(opened, members).await;
    log.clear();
    let args = CancelFlowArgs {
        flow_id,
        reason: "enough".to_owned(),
        cancellation_policy: "cancel_all".to_owned(),
        now: START,
    };
    let answer = opened.backend.cancel_flow_header(args).await.unwrap();
    let CancelFlowHeader::Cancelled { member_execution_ids, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(member_execution_ids.len(), members as usize);
    written(opened, log).await
}

async fn drain(opened: &Opened, log: &StatementLog, members: u32) -> Vec<String> {
    log.clear();
    let task = ReconcileTask::DrainCancelBacklog;
    let report = opened.backend.reconcile(task, members).await.unwrap();
    assert_eq!(report, ScanReport { processed: members, errors: 0 });
    written(opened, log).await
}

#[tokio::test]
async fn a_flow_of_ten_thousand_is_cancelled_by_as_many_statements_as_one_of_ten() {
    let log = StatementLog::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let opened = open().await;

    let few = cancel(&opened, &log, FEW).await;
    let few_by_name = cancel_by_name(&opened, &log, FEW).await;
    let few_drained = drain(&opened, &log, FEW).await;
    let many = cancel(&opened, &log, MANY).await;
    let many_by_name = cancel_by_name(&opened, &log, MANY).await;
    let many_drained = drain(&opened, &log, MANY).await;

    assert_eq!((many, &many_by_name, many_drained), (few.clone(), &few_by_name, few_drained));
    assert_eq!((few.len(), few_by_name.len()), (8, 11), "{few_by_name:#?}");
}
