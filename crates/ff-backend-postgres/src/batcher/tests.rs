use std::sync::Mutex;

use ff_core::engine_error::ContentionKind;
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Batches as they were run, and what lets the next one run.
#[derive(Clone)]
struct Store {
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
    go: Arc<Semaphore>,
}

fn busy() -> EngineError {
    EngineError::Contention(ContentionKind::StoreBusy)
}

impl Store {
    fn new(permits: usize) -> Self {
        Self { batches: Arc::default(), go: Arc::new(Semaphore::new(permits)) }
    }

    /// 13 breaks a batch, 99 breaks the way to the store, and an odd number is refused for itself.
    fn batcher(&self, running_max: usize) -> Arc<Batcher<u32, u32>> {
        let store = self.clone();
        Arc::new(Batcher::new(running_max, move |items: Vec<u32>| {
            let store = store.clone();
            Box::pin(async move {
                store.go.acquire().await.unwrap().forget();
                store.batches.lock().unwrap().push(items.clone());
                if items.contains(&99) {
                    return Err(EngineError::Transport { backend: LABEL, source: "cut".into() });
                }
                if items.contains(&13) {
                    return Err(busy());
                }
                let answer = |item| {
                    if item % 2 == 1 {
                        Err(EngineError::execution_not_found())
                    } else {
                        Ok(item * 10)
                    }
                };
                Ok(items.into_iter().map(answer).collect())
            })
        }))
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }
}

/// Begins the calls, so that the first is under way and the others wait.
async fn begin(batcher: &Arc<Batcher<u32, u32>>, items: &[u32]) -> Vec<JoinHandle<Answer<u32>>> {
    let mut calls = Vec::new();
    for item in items.iter().copied() {
        let batcher = Arc::clone(batcher);
        calls.push(tokio::spawn(async move { batcher.call(item, 1).await }));
        // A turn for each task that is there: the call, and the batch that it begins.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    calls
}

/// Makes the calls, the first alone and the others while it is under way.
async fn call_all(
    store: &Store,
    batcher: &Arc<Batcher<u32, u32>>,
    items: &[u32],
) -> Vec<Answer<u32>> {
    let calls = begin(batcher, items).await;
    store.go.add_permits(1_000);
    join_all(calls).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn calls_beside_each_other_are_one_batch_and_each_has_its_answer() {
    let store = Store::new(0);
    let answers = call_all(&store, &store.batcher(1), &[2, 4, 7, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 7, 6]]);
    let answers: Vec<_> = answers.into_iter().map(Result::ok).collect();
    assert_eq!(answers, [Some(20), Some(40), None, Some(60)]);
}

#[tokio::test]
async fn what_one_call_breaks_is_made_again_one_by_one() {
    let store = Store::new(0);
    let answers = call_all(&store, &store.batcher(1), &[2, 4, 13, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 13, 6], vec![4], vec![13], vec![6]]);
    assert!(matches!(answers[2], Err(EngineError::Contention(ContentionKind::StoreBusy))));
    assert_eq!([&answers[1], &answers[3]].map(|answer| *answer.as_ref().unwrap()), [40, 60]);
}

#[tokio::test]
async fn a_store_out_of_reach_is_told_to_all_and_not_asked_again() {
    let store = Store::new(0);
    let answers = call_all(&store, &store.batcher(1), &[2, 4, 99, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 99, 6]]);
    assert!(
        answers[1..].iter().all(|answer| answer.as_ref().is_err_and(EngineError::is_retryable))
    );
}

#[tokio::test]
async fn what_is_under_way_is_done_without_its_caller_and_what_waits_is_not() {
    let store = Store::new(0);
    let batcher = store.batcher(1);
    let mut first = Box::pin(batcher.call(2, 1));
    assert!(first.as_mut().now_or_never().is_none());
    tokio::task::yield_now().await;
    drop(first);
    assert!(batcher.call(4, 1).now_or_never().is_none());
    store.go.add_permits(2);
    assert_eq!(batcher.call(6, 1).await.unwrap(), 60);
    assert_eq!(store.batches(), [vec![2], vec![6]]);
}

#[test]
fn outside_a_runtime_the_caller_makes_the_call() {
    let store = Store::new(1);
    let answer = store.batcher(1).call(2, 1).now_or_never();
    assert_eq!(answer.unwrap().unwrap(), 20);
}

#[test]
fn a_runtime_that_ends_leaves_no_caller_waiting() {
    let store = Store::new(0);
    let batcher = store.batcher(1);
    let (first, second) = (
        tokio::runtime::Builder::new_current_thread().build().unwrap(),
        tokio::runtime::Builder::new_current_thread().build().unwrap(),
    );
    first.block_on(async { assert!(batcher.call(2, 1).now_or_never().is_none()) });
    second.block_on(async {
        let call = batcher.call(4, 1);
        let mut call = std::pin::pin!(call);
        assert!(call.as_mut().now_or_never().is_none());
        std::thread::spawn(move || drop(first)).join().unwrap();
        assert!(call.await.is_err_and(|error| error.is_retryable()));
        store.go.add_permits(1);
        assert_eq!(batcher.call(6, 1).await.unwrap(), 60);
    });
}
