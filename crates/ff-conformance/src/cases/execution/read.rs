use ff_core::backend::FailureClass;
use ff_core::state::{AttemptOutcome, PublicState};
use ff_core::types::{AttemptIndex, LeaseEpoch};

use crate::assertions::{assert_not_found, assert_sound};
use crate::cx::{Cx, LEASE_TTL, ONE_MS, START, retries};

/// READ-1. An execution that is not stored is described as nothing.
pub(crate) async fn an_unknown_execution_is_none(cx: Cx) {
    let unknown = cx.mint_id();

    assert_eq!(cx.backend.describe_execution(&unknown).await.unwrap(), None);
    assert_eq!(cx.backend.read_outcomes(&[unknown]).await.unwrap(), [None]);
}

/// READ-1. What only a stored execution has is not found of one that is not.
pub(crate) async fn an_unknown_execution_is_not_found(cx: Cx) {
    cx.given_created().await;
    let unknown = cx.mint_id();

    assert_not_found(cx.backend.list_attempts(&unknown).await.unwrap_err());
    assert_not_found(cx.backend.get_execution_result(&unknown).await.unwrap_err());
    assert_not_found(cx.backend.read_execution_context(&unknown).await.unwrap_err());
}

/// READ-1. A description holds the current attempt with its lease.
pub(crate) async fn a_description_holds_the_lease(cx: Cx) {
    let handle = cx.given_claimed().await;

    let execution = cx.describe(handle.execution_id()).await;

    let lease = execution.lease().unwrap();
    assert_eq!((lease.lease_id, lease.epoch), (handle.lease_id(), handle.lease_epoch()));
    assert_eq!(&lease.worker_instance_id, handle.worker_instance_id());
    assert_eq!(lease.expires_at, START.saturating_add_millis(30_000));
    assert_eq!(execution.current_attempt, Some(cx.attempt(&handle).await));
}

/// READ-1. Every attempt is listed, in order, each with how it ended.
pub(crate) async fn attempts_are_listed_in_order(cx: Cx) {
    cx.create(|args| args.policy = Some(retries(20, 0))).await;
    for _ in 0..11 {
        let handle = cx.claim().await;
        cx.fail(&handle, FailureClass::Transient).await.unwrap();
    }
    let last = cx.claim().await;
    cx.backend.complete(&last, None).await.unwrap();

    let attempts = cx.attempts(last.execution_id()).await;

    let indexes: Vec<u32> = attempts.iter().map(|attempt| attempt.attempt_index.0).collect();
    assert_eq!(indexes, (0..12).collect::<Vec<u32>>());
    assert!(attempts[..11].iter().all(|one| one.outcome == Some(AttemptOutcome::Retry)));
    assert_eq!(attempts[11].outcome, Some(AttemptOutcome::Success));
    assert!(attempts.iter().all(|one| one.lease_epoch == LeaseEpoch::new(1)));
}

/// READ-1. Outcomes are read in the order asked for, unknown ids and repeated ones in their place.
pub(crate) async fn outcomes_are_read_in_the_order_asked_for(cx: Cx) {
    let done = cx.given_completed().await.execution_id().clone();
    let waiting = cx.given_created().await;
    let unknown = cx.mint_id();
    let ids = [waiting.clone(), unknown, done.clone(), waiting];

    let outcomes = cx.backend.read_outcomes(&ids).await.unwrap();

    let states: Vec<_> =
        outcomes.iter().map(|one| one.as_ref().map(|one| one.public_state)).collect();
    let (waiting, completed) = (Some(PublicState::Waiting), Some(PublicState::Completed));
    assert_eq!(states, [waiting, None, completed, waiting]);
    assert_eq!(outcomes[2].as_ref().unwrap().result.as_deref(), Some(b"result".as_slice()));
    assert_eq!(cx.backend.read_outcomes(&[]).await.unwrap(), []);
}

/// READ-1. The error of an outcome is that of the current attempt.
pub(crate) async fn an_outcome_has_the_error_of_the_current_attempt(cx: Cx) {
    let first = cx.given_claimed_with(retries(1, 0)).await;
    cx.fail(&first, FailureClass::Transient).await.unwrap();
    let ids = [first.execution_id().clone()];
    let error = async || {
        let outcome = cx.backend.read_outcomes(&ids).await.unwrap().remove(0).unwrap();
        outcome.error
    };

    let between = error().await;
    let second = cx.claim().await;
    cx.fail(&second, FailureClass::Permanent).await.unwrap();
    let last = error().await;

    assert_eq!(between, None);
    assert_eq!(last.unwrap().class, FailureClass::Permanent);
}

/// READ-1. A result is there once the execution completed, and not before.
pub(crate) async fn a_result_is_there_once_the_execution_completed(cx: Cx) {
    let handle = cx.given_claimed().await;
    let before = cx.result(handle.execution_id()).await;

    cx.backend.complete(&handle, Some(b"result".to_vec())).await.unwrap();

    assert_eq!(before, None);
    assert_eq!(cx.result(handle.execution_id()).await, Some(b"result".to_vec()));
}

/// READ-1, SAFE-1. What one process does, every other sees at once.
pub(crate) async fn a_second_process_sees_what_the_first_did(cx: Cx) {
    let other = cx.store.reopen().await;
    let handle = cx.given_claimed().await;
    let id = handle.execution_id();

    let running = other.describe_execution(id).await.unwrap();
    other.complete(&handle, Some(b"result".to_vec())).await.unwrap();

    assert_eq!(running.unwrap().public_state, PublicState::Running);
    assert_eq!(cx.result(id).await, Some(b"result".to_vec()));
}

/// READ-1, STATE-1. A reader never sees half an operation.
pub(crate) async fn a_reader_never_sees_half_an_operation(cx: Cx) {
    let id = cx.create(|args| args.policy = Some(retries(1_000, 0))).await;
    let (reader, other) = (cx.store.reopen().await, cx.store.reopen().await);
    let is_done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (read_id, stop) = (id.clone(), std::sync::Arc::clone(&is_done));
    let reading = tokio::spawn(async move {
        let mut reads = 0_u32;
        while !stop.load(std::sync::atomic::Ordering::SeqCst) || reads < 20 {
            let execution = reader.describe_execution(&read_id).await.unwrap().unwrap();
            assert_sound(&execution);
            reads += 1;
            tokio::task::yield_now().await;
        }
    });

    for round in 0..40 {
        let handle = cx.claim().await;
        other.renew(&handle).await.unwrap();
        if round % 2 == 0 {
            cx.fail(&handle, FailureClass::Transient).await.unwrap();
        } else {
            other.delay(&handle, cx.now()).await.unwrap();
        }
    }
    let last = cx.claim().await;
    cx.backend.complete(&last, None).await.unwrap();
    is_done.store(true, std::sync::atomic::Ordering::SeqCst);

    reading.await.unwrap();
    assert_eq!(cx.describe(&id).await.attempt_index, AttemptIndex::new(40));
}

/// READ-1. Between two attempts there is no current one; the history has those that ended.
pub(crate) async fn between_two_attempts_there_is_no_current_one(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.advance(LEASE_TTL - ONE_MS);
    cx.fail(&handle, FailureClass::Transient).await.unwrap();

    let execution = cx.describe(handle.execution_id()).await;

    assert_eq!(execution.current_attempt, None);
    assert_eq!(execution.attempt_index, AttemptIndex::new(1));
    assert_eq!(cx.attempts(handle.execution_id()).await.len(), 1);
}
