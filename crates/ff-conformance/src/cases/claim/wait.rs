use std::time::Duration;

use ff_core::backend::{CapabilitySet, FailureClass, Handle};
use ff_core::types::LaneId;
use tokio::task::JoinHandle;

use crate::cx::{Cx, batch_of, lane, retries, waiting_worker, worker};

/// Longer than any case runs: what comes back before was woken.
const LONG: Option<Duration> = Some(Duration::from_secs(3_600));
/// What does not wait comes back within it.
const A_WHILE: Duration = Duration::from_millis(30);
/// Nothing comes within it.
const SHORT: Option<Duration> = Some(A_WHILE);

/// Starts a claim that waits, and lets it get as far as it can.
async fn begin_to_wait(cx: &Cx) -> JoinHandle<Option<Handle>> {
    let backend = cx.backend.clone();
    let mut waiting = tokio::spawn(async move {
        let policy = waiting_worker("waiting", LONG);
        backend.claim(&lane(), &CapabilitySet::default(), policy).await.unwrap()
    });
    let early = tokio::time::timeout(A_WHILE, &mut waiting).await;
    assert!(early.is_err(), "it did not wait");
    waiting
}

/// CLAIM-5. A claim that waits is answered when work is created.
pub(crate) async fn a_waiting_claim_gets_what_is_created(cx: Cx) {
    let waiting = begin_to_wait(&cx).await;

    let id = cx.given_created().await;

    assert_eq!(waiting.await.unwrap().unwrap().execution_id(), &id);
}

/// CLAIM-5. A claim that waits is answered when another process creates work.
pub(crate) async fn a_waiting_claim_gets_what_another_process_creates(cx: Cx) {
    let other = cx.store.reopen().await;
    let waiting = begin_to_wait(&cx).await;
    let args = cx.args();

    other.create_execution(args.clone()).await.unwrap();

    assert_eq!(waiting.await.unwrap().unwrap().execution_id(), &args.execution_id);
}

/// CLAIM-5. A claim that waits is answered when work is given back.
pub(crate) async fn a_waiting_claim_gets_what_is_given_back(cx: Cx) {
    let handle = cx.given_claimed_with(retries(1, 0)).await;
    let waiting = begin_to_wait(&cx).await;

    cx.fail(&handle, FailureClass::Transient).await.unwrap();

    assert_eq!(waiting.await.unwrap().unwrap().execution_id(), handle.execution_id());
}

/// CLAIM-5. A claim that waits is answered when what is delayed becomes due.
pub(crate) async fn a_waiting_claim_gets_what_becomes_due(cx: Cx) {
    let id = cx.create(|args| args.delay_until = Some(crate::cx::after_start(10))).await;
    let waiting = begin_to_wait(&cx).await;

    cx.advance(Duration::from_millis(10));

    assert_eq!(waiting.await.unwrap().unwrap().execution_id(), &id);
}

/// CLAIM-5. A claim that has waited long enough comes back with nothing.
pub(crate) async fn a_waiting_claim_ends_with_nothing(cx: Cx) {
    cx.create(|args| args.lane_id = LaneId::new("other")).await;
    let offered = CapabilitySet::default();

    let claimed =
        cx.backend.claim(&lane(), &offered, waiting_worker("worker", SHORT)).await.unwrap();

    assert_eq!(claimed, None);
}

/// CLAIM-5. A claim does not wait when there is work, or when it is told not to.
pub(crate) async fn a_claim_with_work_does_not_wait(cx: Cx) {
    let id = cx.given_created().await;
    let offered = CapabilitySet::default();

    let claimed =
        cx.backend.claim(&lane(), &offered, waiting_worker("worker", LONG)).await.unwrap();
    let at_once = cx.backend.claim(&lane(), &offered, worker("worker")).await.unwrap();
    let no_time = Some(Duration::ZERO);
    let in_no_time =
        cx.backend.claim(&lane(), &offered, waiting_worker("worker", no_time)).await.unwrap();

    assert_eq!(claimed.unwrap().execution_id(), &id);
    assert_eq!((at_once, in_no_time), (None, None));
}

/// CLAIM-5, CLAIM-6. A batch that waits comes back with what there is, not with what it asked for.
pub(crate) async fn a_waiting_batch_comes_back_with_what_there_is(cx: Cx) {
    let mut args = batch_of(10);
    args.policy = waiting_worker("waiting", LONG);
    let backend = cx.backend.clone();
    let waiting = tokio::spawn(async move { backend.claim_batch(args).await.unwrap() });
    tokio::task::yield_now().await;

    let id = cx.given_created().await;

    let claimed = waiting.await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].handle.execution_id(), &id);
}

/// CLAIM-5. Of several claims that wait for one execution, one gets it and the rest wait on.
pub(crate) async fn one_of_several_waiting_claims_gets_the_work(cx: Cx) {
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(begin_to_wait(&cx).await);
    }

    let mut got = Vec::new();
    for _ in 0..3 {
        let id = cx.given_created().await;
        let (claimed, _, rest) = futures::future::select_all(waiting).await;
        assert_eq!(claimed.unwrap().unwrap().execution_id(), &id);
        got.push(id);
        waiting = rest;
    }

    assert_eq!(got.len(), 3);
    assert!(waiting.is_empty());
}

/// CLAIM-5, SAFE-2. A claim that is dropped while it waits takes nothing.
pub(crate) async fn a_claim_dropped_while_it_waits_takes_nothing(cx: Cx) {
    let waiting = begin_to_wait(&cx).await;
    waiting.abort();
    assert!(waiting.await.is_err_and(|error| error.is_cancelled()));

    let id = cx.given_created().await;

    assert_eq!(cx.claim().await.execution_id(), &id);
}
