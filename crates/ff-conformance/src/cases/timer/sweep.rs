use std::collections::BTreeSet;

use ff_core::contracts::{RECONCILE_MAX_LIMIT, ReconcileTask, ScanReport};
use ff_core::policy::{ExecutionPolicy, TimeoutPolicy};
use ff_core::state::PublicState;
use ff_core::types::{ExecutionId, Namespace};

use crate::assertions::assert_invalid;
use crate::cases::at_once;
use crate::cx::{Cx, ENOUGH, LEASE_TTL, LIMIT, retries};
use crate::fixture::AttemptKey;

const TASKS: [ReconcileTask; 5] = [
    ReconcileTask::ExpireLeases,
    ReconcileTask::PromoteDue,
    ReconcileTask::TimeOutAttempts,
    ReconcileTask::ExpireDeadlines,
    ReconcileTask::TrimRetention,
];

/// Makes `count` executions that the task will find due once the leases' time has passed.
async fn given_due(cx: &Cx, task: ReconcileTask, count: usize) -> BTreeSet<ExecutionId> {
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        ids.insert(given_one_due(cx, task).await);
    }
    cx.advance(LEASE_TTL);
    ids
}

async fn given_one_due(cx: &Cx, task: ReconcileTask) -> ExecutionId {
    let soon = Some(cx.now().saturating_add_millis(1));
    match task {
        ReconcileTask::PromoteDue => cx.create(|args| args.delay_until = soon).await,
        ReconcileTask::ExpireDeadlines => cx.create(|args| args.execution_deadline_at = soon).await,
        ReconcileTask::TrimRetention => {
            let namespace = Namespace::new("trimmed");
            cx.backend.set_retention(&namespace, Some(LEASE_TTL)).await.unwrap();
            cx.create(|args| args.namespace = namespace).await;
            let handle = cx.claim().await;
            cx.backend.complete(&handle, None).await.unwrap();
            handle.execution_id().clone()
        }
        _ => {
            let attempt_timeout_ms = Some(1);
            let timeout = TimeoutPolicy { attempt_timeout_ms, ..TimeoutPolicy::default() };
            let policy = ExecutionPolicy { timeout_policy: Some(timeout), ..retries(1, 0) };
            cx.given_claimed_with(policy).await.execution_id().clone()
        }
    }
}

/// TIME-8. A call acts on at most as many rows as it is told, and the next goes on.
pub(crate) async fn a_sweep_keeps_to_its_limit(cx: Cx) {
    for task in TASKS {
        given_due(&cx, task, 5).await;

        let mut processed = Vec::new();
        for _ in 0..4 {
            processed.push(cx.backend.reconcile(task, 2).await.unwrap().processed);
        }

        assert_eq!(processed, [2, 2, 1, 0], "{task}");
        settle(&cx).await;
    }
}

/// Leaves nothing that a later task would find due.
async fn settle(cx: &Cx) {
    for handle in cx.claim_all().await {
        cx.backend.complete(&handle, None).await.unwrap();
    }
}

/// TIME-8, SAFE-4. However many nodes run a task at once, each row is acted on once.
pub(crate) async fn each_row_is_acted_on_once(cx: Cx) {
    let second = cx.store.reopen().await;
    for task in TASKS {
        let ids = given_due(&cx, task, 20).await;

        let reports = at_once(6, &cx.backend, |first, number| {
            let backend = if number % 2 == 0 { first } else { second.clone() };
            async move {
                let mut total = 0;
                for _ in 0..ENOUGH {
                    let report = backend.reconcile(task, 7).await.unwrap();
                    assert_eq!(report.errors, 0);
                    total += report.processed;
                    if report.processed == 0 {
                        break;
                    }
                }
                total
            }
        })
        .await;

        let rest = cx.reconcile(task).await.processed;
        assert_eq!(reports.iter().sum::<u32>() + rest, u32::try_from(ids.len()).unwrap(), "{task}");
        settle(&cx).await;
    }
}

/// TIME-8, SAFE-4. Different tasks at once, and workers among them, leave every execution sound.
pub(crate) async fn different_tasks_at_once_agree(cx: Cx) {
    let mut ids = given_due(&cx, ReconcileTask::ExpireLeases, 10).await;
    ids.extend(given_due(&cx, ReconcileTask::PromoteDue, 10).await);
    ids.extend(given_due(&cx, ReconcileTask::ExpireDeadlines, 10).await);

    at_once(10, &cx.backend, |backend, number| async move {
        for _ in 0..4 {
            let task = TASKS[number % 4];
            backend.reconcile(task, 5).await.unwrap();
            backend.claim_batch(crate::cx::batch_of(2)).await.unwrap();
        }
    })
    .await;

    for id in &ids {
        let execution = cx.describe(id).await;
        assert!(execution.reclaim_count + execution.retry_count <= 1, "{execution:#?}");
    }
}

/// TIME-8. A repeated sweep finds nothing that the first has done.
pub(crate) async fn a_repeated_sweep_does_nothing(cx: Cx) {
    for task in TASKS {
        given_due(&cx, task, 3).await;
        let first = cx.reconcile(task).await;

        let again = cx.reconcile(task).await;

        assert_eq!(first, ScanReport { processed: 3, errors: 0 }, "{task}");
        assert_eq!(again, ScanReport::default(), "{task}");
        settle(&cx).await;
    }
}

/// TIME-8, SAFE-7. A corrupt row is counted and does not hold up the rest, however small the limit.
pub(crate) async fn a_corrupt_row_does_not_hold_up_a_sweep(cx: Cx) {
    let corrupt = cx.given_claimed().await;
    let at =
        AttemptKey { execution_id: corrupt.execution_id(), attempt_index: corrupt.attempt_index() };
    cx.probe().write_attempt_number(at, "lease_epoch", -1).await;
    cx.advance(crate::cx::ONE_MS);
    let sound = cx.given_several_claimed(2).await;
    cx.advance(LEASE_TTL);

    let mut total = ScanReport::default();
    for _ in 0..4 {
        let report = cx.backend.reconcile(ReconcileTask::ExpireLeases, 1).await.unwrap();
        assert!(report.processed <= 1, "{report:?}");
        total.processed += report.processed;
        total.errors += report.errors;
    }

    assert_eq!(total.processed, 2);
    assert!(total.errors > 0, "nobody is told of the corrupt row");
    for handle in &sound {
        let state = cx.describe(handle.execution_id()).await.public_state;
        assert_eq!(state, PublicState::Waiting);
    }
}

/// TIME-8. A task has a limit of 1 to 10,000 rows.
pub(crate) async fn a_limit_out_of_range_is_refused(cx: Cx) {
    for task in TASKS {
        let none = cx.backend.reconcile(task, 0).await.unwrap_err();
        let many = cx.backend.reconcile(task, RECONCILE_MAX_LIMIT + 1).await.unwrap_err();

        assert_invalid(none, "limit");
        assert_invalid(many, "limit");
        cx.backend.reconcile(task, RECONCILE_MAX_LIMIT).await.unwrap();
    }
}

/// TIME-8. A sweep of an empty store does nothing.
pub(crate) async fn a_sweep_of_an_empty_store_does_nothing(cx: Cx) {
    for task in TASKS {
        let report = cx.backend.reconcile(task, LIMIT).await.unwrap();
        assert_eq!(report, ScanReport::default(), "{task}");
    }
}
