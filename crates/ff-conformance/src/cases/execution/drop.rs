use std::future::Future;

use ff_core::backend::{CapabilitySet, FailureClass, FailureReason};
use ff_core::contracts::{Completion, ExecutionFilter, ReconcileTask};

use crate::cx::{Cx, LIMIT, batch_of, lane, retries, worker};

/// How often a call is polled before it is dropped: each number drops it at another await.
const POLLS: std::ops::Range<usize> = 0..6;

/// Polls a call so often and drops it, as a time-out or a `select!` would.
async fn cut_short<T>(polls: usize, call: impl Future<Output = T>) {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        if futures::poll!(call.as_mut()).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// SAFE-2. A creation that is dropped is done or not done, and can be repeated.
pub(crate) async fn a_dropped_creation_can_be_repeated(cx: Cx) {
    for polls in POLLS {
        let args = cx.args_with(|args| args.idempotency_key = Some(format!("key-{polls}")));

        cut_short(polls, cx.backend.create_execution(args.clone())).await;
        cut_short(polls, cx.backend.create_executions(vec![args.clone(), cx.args()])).await;

        let again = cx.backend.create_execution(args.clone()).await.unwrap();
        assert_eq!(again.execution_id(), &args.execution_id);
        cx.describe(&args.execution_id).await;
        cx.assert_usable().await;
    }
}

/// SAFE-2. A claim that is dropped took the execution or did not: nobody else has half of it.
pub(crate) async fn a_dropped_claim_takes_all_or_nothing(cx: Cx) {
    for polls in POLLS {
        let id = cx.given_created().await;
        let offered = CapabilitySet::default();

        cut_short(polls, cx.backend.claim(&lane(), &offered, worker("dropped"))).await;
        cut_short(polls, cx.backend.claim_batch(batch_of(3))).await;

        cx.describe(&id).await;
        cx.assert_usable().await;
    }
}

/// SAFE-2. An ending that is dropped is done or not done, and can be repeated.
pub(crate) async fn a_dropped_ending_can_be_repeated(cx: Cx) {
    for polls in POLLS {
        let [completed, failed, batched] = [
            cx.given_claimed().await,
            cx.given_claimed_with(retries(1, 1_000_000)).await,
            cx.given_claimed().await,
        ];
        let item = Completion { handle: batched.clone(), result: Some(b"result".to_vec()) };
        let reason = FailureReason::new("boom");

        cut_short(polls, cx.backend.complete(&completed, None)).await;
        cut_short(polls, cx.backend.fail(&failed, reason, FailureClass::Transient)).await;
        cut_short(polls, cx.backend.complete_batch(vec![item])).await;

        for handle in [&completed, &failed, &batched] {
            cx.describe(handle.execution_id()).await;
        }
        cx.backend.complete(&completed, None).await.unwrap();
        cx.fail(&failed, FailureClass::Transient).await.unwrap();
        cx.backend.complete(&batched, Some(b"result".to_vec())).await.unwrap();
        cx.assert_usable().await;
    }
}

/// SAFE-2. A renewal or a report that is dropped leaves the lease in force.
pub(crate) async fn a_dropped_renewal_leaves_the_lease_in_force(cx: Cx) {
    for polls in POLLS {
        let handle = cx.given_claimed().await;

        cut_short(polls, cx.backend.renew(&handle)).await;
        cut_short(polls, cx.backend.renew_batch(std::slice::from_ref(&handle))).await;
        cut_short(polls, cx.backend.progress(&handle, serde_json::json!(polls))).await;

        cx.describe(handle.execution_id()).await;
        cx.backend.complete(&handle, None).await.unwrap();
        cx.assert_usable().await;
    }
}

/// SAFE-2. A give-back that is dropped is done or not done.
pub(crate) async fn a_dropped_delay_is_done_or_not_done(cx: Cx) {
    for polls in POLLS {
        let handle = cx.given_claimed().await;
        let until = cx.now().saturating_add_millis(1_000_000);

        cut_short(polls, cx.backend.delay(&handle, until)).await;

        let execution = cx.describe(handle.execution_id()).await;
        let is_back = execution.lease().is_none();
        assert!(!is_back || execution.eligible_at == Some(until), "{execution:#?}");
        cx.assert_usable().await;
    }
}

/// SAFE-2. A read that is dropped holds nothing up.
pub(crate) async fn a_dropped_read_holds_nothing_up(cx: Cx) {
    let id = cx.given_created().await;
    for polls in POLLS {
        cut_short(polls, cx.backend.describe_execution(&id)).await;
        cut_short(polls, cx.backend.list_attempts(&id)).await;
        cut_short(polls, cx.backend.read_execution_context(&id)).await;
        cut_short(polls, cx.backend.get_execution_result(&id)).await;
        let everything = ExecutionFilter::default();
        cut_short(polls, cx.backend.list_executions(&everything, None, LIMIT)).await;
        cut_short(polls, cx.backend.count_executions(&everything)).await;

        cx.assert_usable().await;
    }
}

/// SAFE-2. A sweep that is dropped is finished by the next ones.
pub(crate) async fn a_dropped_sweep_is_finished_by_the_next(cx: Cx) {
    for polls in POLLS {
        let handle = cx.given_claimed().await;
        cx.advance(crate::cx::LEASE_TTL);

        cut_short(polls, cx.backend.reconcile(ReconcileTask::ExpireLeases, LIMIT)).await;
        // What the dropped one has locked is passed by until the server has noticed.
        while cx.describe(handle.execution_id()).await.lease().is_some() {
            cx.reconcile(ReconcileTask::ExpireLeases).await;
            tokio::task::yield_now().await;
        }

        let execution = cx.describe(handle.execution_id()).await;
        assert_eq!((execution.lease(), execution.reclaim_count), (None, 1));
        let again = cx.claim().await;
        cx.backend.complete(&again, None).await.unwrap();
        cx.assert_usable().await;
    }
}

/// SAFE-2. Many calls that are aborted at once leave the store and its connections usable.
pub(crate) async fn many_aborted_calls_leave_the_store_usable(cx: Cx) {
    for _ in 0..8 {
        let calls: Vec<_> = (0..32)
            .map(|_| {
                let (backend, args) = (cx.backend.clone(), cx.args());
                tokio::spawn(async move {
                    let id = args.execution_id.clone();
                    backend.create_execution(args).await.unwrap();
                    let offered = CapabilitySet::default();
                    backend.claim(&lane(), &offered, worker("aborted")).await.unwrap();
                    backend.describe_execution(&id).await.unwrap();
                })
            })
            .collect();
        tokio::task::yield_now().await;
        for call in &calls {
            call.abort();
        }
        for call in calls {
            let aborted = call.await.err();
            assert!(aborted.is_none_or(|error| error.is_cancelled()), "a call panicked");
        }

        cx.assert_usable().await;
    }
    let page = cx.backend.list_executions(&ExecutionFilter::default(), None, 1_000).await.unwrap();
    page.executions.iter().for_each(crate::assertions::assert_sound);
}
