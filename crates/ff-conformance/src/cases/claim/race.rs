use std::collections::BTreeSet;

use ff_core::backend::{CapabilitySet, Handle};
use ff_core::types::ExecutionId;

use crate::cases::at_once;
use crate::cx::{Cx, ENOUGH, LEASE_TTL, batch_of, lane, worker};

async fn given_queue(cx: &Cx, length: usize) -> BTreeSet<ExecutionId> {
    let args: Vec<_> = (0..length).map(|_| cx.args()).collect();
    let ids = args.iter().map(|args| args.execution_id.clone()).collect();
    cx.backend.create_executions(args).await.unwrap();
    ids
}

/// Every execution was claimed, and none twice.
fn assert_each_once(claimed: Vec<Handle>, ids: &BTreeSet<ExecutionId>) {
    assert_eq!(claimed.len(), ids.len());
    let distinct: BTreeSet<_> =
        claimed.into_iter().map(|handle| handle.execution_id().clone()).collect();
    assert_eq!(&distinct, ids);
}

/// CLAIM-1, SAFE-4. Of many claimers at once, no two take the same, and all is taken.
pub(crate) async fn concurrent_claimers_never_share(cx: Cx) {
    let ids = given_queue(&cx, 60).await;

    let claimed = at_once(8, &cx.backend, |backend, number| async move {
        let offered = CapabilitySet::default();
        let mut claimed = Vec::new();
        while claimed.len() < ENOUGH {
            let policy = worker(&format!("worker-{number}"));
            match backend.claim(&lane(), &offered, policy).await.unwrap() {
                Some(handle) => claimed.push(handle),
                None => break,
            }
        }
        claimed
    })
    .await;

    assert_each_once(claimed.into_iter().flatten().collect(), &ids);
}

/// CLAIM-1, CLAIM-6, SAFE-4. Of many batches at once, no two hold the same.
pub(crate) async fn concurrent_batches_never_share(cx: Cx) {
    let ids = given_queue(&cx, 200).await;

    let claimed = at_once(8, &cx.backend, |backend, _| async move {
        let mut claimed = Vec::new();
        while claimed.len() < ENOUGH {
            let batch = backend.claim_batch(batch_of(9)).await.unwrap();
            if batch.is_empty() {
                break;
            }
            claimed.extend(batch.into_iter().map(|one| one.handle));
        }
        claimed
    })
    .await;

    assert_each_once(claimed.into_iter().flatten().collect(), &ids);
}

/// CLAIM-1, SAFE-4. Two processes on one store never run one execution twice.
pub(crate) async fn two_processes_never_share(cx: Cx) {
    let ids = given_queue(&cx, 60).await;
    let second = cx.store.reopen().await;

    let claimed = at_once(6, &cx.backend, |first, number| {
        let backend = if number % 2 == 0 { first } else { second.clone() };
        async move {
            let offered = CapabilitySet::default();
            let mut claimed = Vec::new();
            while let Some(handle) =
                backend.claim(&lane(), &offered, worker("worker")).await.unwrap()
            {
                backend.complete(&handle, None).await.unwrap();
                claimed.push(handle);
                assert!(claimed.len() < ENOUGH, "there is no end of work");
            }
            claimed
        }
    })
    .await;

    assert_each_once(claimed.into_iter().flatten().collect(), &ids);
}

/// CLAIM-1, LEASE-2. An execution whose lease is over has one next holder, however many claim.
pub(crate) async fn a_reclaimed_execution_has_one_next_holder(cx: Cx) {
    let first = cx.given_claimed().await;
    cx.advance(LEASE_TTL);

    let claimed = at_once(8, &cx.backend, |backend, number| async move {
        let task = ff_core::contracts::ReconcileTask::ExpireLeases;
        backend.reconcile(task, 10).await.unwrap();
        let policy = worker(&format!("worker-{number}"));
        backend.claim(&lane(), &CapabilitySet::default(), policy).await.unwrap()
    })
    .await;

    let holders: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0].execution_id(), first.execution_id());
    assert_eq!(cx.attempts(first.execution_id()).await.len(), 2);
}
