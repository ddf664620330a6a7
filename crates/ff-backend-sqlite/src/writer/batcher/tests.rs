use std::sync::Mutex;
use std::time::Duration;

use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::ContentionKind;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use sqlx::Connection;
use tokio::sync::Semaphore;

use super::*;
use crate::error::from_sqlx;
use crate::{SqliteBackend, SqliteConfig};

/// A store whose batcher notes each item in a table.
struct Store {
    backend: Arc<SqliteBackend>,
    batcher: Batcher<u32, u32>,
    /// The batches as they were run.
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
    /// What lets a batch run.
    go: Arc<Semaphore>,
    directory: tempfile::TempDir,
}

impl Store {
    async fn open(keeps_unawaited: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.db");
        let config =
            SqliteConfig { busy_timeout: Duration::from_millis(10), ..SqliteConfig::default() };
        let backend = SqliteBackend::open(path.to_str().unwrap(), config).await.unwrap();
        let create = backend.writer.run(async |tx: &mut Tx<'_>| {
            let create = sqlx::query("CREATE TABLE noted (item INTEGER NOT NULL)");
            create.execute(tx.conn()).await.map(drop).map_err(from_sqlx)
        });
        create.await.unwrap();
        let batches: Arc<Mutex<Vec<Vec<u32>>>> = Arc::default();
        let go = Arc::new(Semaphore::new(0));
        let (noted, may_go) = (Arc::clone(&batches), Arc::clone(&go));
        let kind = Kind {
            run: Box::new(move |tx, items| {
                noted.lock().unwrap().push(items.to_vec());
                let may_go = Arc::clone(&may_go);
                Box::pin(async move {
                    may_go.acquire().await.unwrap().forget();
                    note(tx, items).await
                })
            }),
            keeps_unawaited,
        };
        let batcher = Batcher::of(backend.writer.clone(), kind);
        Self { backend, batcher, batches, go, directory }
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }

    /// Begins a call of 2, and returns when the writer is in the midst of it.
    async fn begin(&self) -> BoxFuture<'_, Answer<u32>> {
        let mut first = self.batcher.call(2, 1).boxed();
        assert!(first.as_mut().now_or_never().is_none());
        while self.batches().is_empty() {
            tokio::task::yield_now().await;
        }
        first
    }

    /// Makes the calls while the writer is in the midst of another one.
    async fn call_all(&self, items: &[u32]) -> Vec<Answer<u32>> {
        let first = self.begin().await;
        let mut calls = join_all(items.iter().map(|item| self.batcher.call(*item, 1))).boxed();
        assert!(calls.as_mut().now_or_never().is_none());
        self.go.add_permits(1_000);
        assert_eq!(first.await.unwrap(), 20);
        calls.await
    }

    async fn connect(&self) -> sqlx::SqliteConnection {
        let path = self.directory.path().join("jobs.db");
        sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap()
    }

    async fn noted(&self) -> Vec<u32> {
        let noted = sqlx::query_scalar("SELECT item FROM noted ORDER BY rowid");
        noted.fetch_all(&self.backend.readers).await.unwrap()
    }
}

/// 13 breaks a batch, 99 breaks the way to the store, and an odd number is refused for itself.
async fn note(tx: &mut Tx<'_>, items: &[u32]) -> Answer<Vec<Answer<u32>>> {
    for item in items {
        let note = sqlx::query("INSERT INTO noted VALUES ($1)").bind(i64::from(*item));
        note.execute(tx.conn()).await.map_err(from_sqlx)?;
    }
    if items.contains(&99) {
        return Err(transport("cut"));
    }
    if items.contains(&13) {
        return Err(EngineError::Contention(ContentionKind::LeaseConflict));
    }
    let answer = |item: &u32| match item % 2 {
        1 => Err(EngineError::execution_not_found()),
        _ => Ok(item * 10),
    };
    Ok(items.iter().map(answer).collect())
}

fn is_busy(answer: &Answer<u32>) -> bool {
    matches!(answer, Err(EngineError::Contention(ContentionKind::StoreBusy)))
}

#[tokio::test]
async fn calls_that_wait_for_the_writer_are_one_batch_and_each_has_its_answer() {
    let store = Store::open(true).await;
    let answers = store.call_all(&[4, 7, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 7, 6]]);
    assert_eq!([&answers[0], &answers[2]].map(|answer| *answer.as_ref().unwrap()), [40, 60]);
    assert!(matches!(answers[1], Err(EngineError::NotFound { .. })));
}

#[tokio::test]
async fn what_one_call_breaks_is_undone_and_made_again_one_by_one() {
    let store = Store::open(true).await;
    let answers = store.call_all(&[4, 13, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 13, 6], vec![4], vec![13], vec![6]]);
    assert!(matches!(answers[1], Err(EngineError::Contention(ContentionKind::LeaseConflict))));
    assert_eq!([&answers[0], &answers[2]].map(|answer| *answer.as_ref().unwrap()), [40, 60]);
    assert_eq!(store.noted().await, [2, 4, 6]);
}

#[tokio::test]
async fn a_store_out_of_reach_is_told_to_all_and_not_asked_again() {
    let store = Store::open(true).await;
    let answers = store.call_all(&[4, 99, 6]).await;
    assert_eq!(store.batches(), [vec![2], vec![4, 99, 6]]);
    let is_told = |answer: &Answer<u32>| matches!(answer, Err(EngineError::Transport { .. }));
    assert!(answers.iter().all(is_told), "{answers:?}");
    assert_eq!(store.noted().await, [2]);
}

#[tokio::test]
async fn more_calls_than_a_batch_takes_are_all_made() {
    let store = Store::open(true).await;
    let items: Vec<u32> = (1_000..1_600).map(|item| item * 2).collect();
    let answers = store.call_all(&items).await;
    assert!(answers.iter().all(Result::is_ok));
    let sizes: Vec<_> = store.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 256, 256, 88]);
}

#[tokio::test]
async fn what_is_under_way_is_kept_without_its_caller_where_it_is_worth_something() {
    for (keeps_unawaited, noted) in [(true, vec![2, 6]), (false, vec![6])] {
        let store = Store::open(keeps_unawaited).await;
        drop(store.begin().await);
        store.go.add_permits(2);
        assert_eq!(store.batcher.call(6, 1).await.unwrap(), 60);
        assert_eq!(store.noted().await, noted);
    }
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_before_the_writer_came_to_it_is_not_made() {
    let store = Store::open(true).await;
    let first = store.begin().await;
    assert!(store.batcher.call(4, 1).now_or_never().is_none());
    store.go.add_permits(2);
    assert_eq!(first.await.unwrap(), 20);
    assert_eq!(store.batcher.call(6, 1).await.unwrap(), 60);
    assert_eq!(store.batches(), [[2], [6]]);
}

#[tokio::test]
async fn a_lock_that_another_holds_is_told_to_all_as_contention() {
    let store = Store::open(true).await;
    store.go.add_permits(1_000);
    let mut other = store.connect().await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let answers = join_all([2, 4, 6].map(|item| store.batcher.call(item, 1))).await;

    assert!(answers.iter().all(is_busy), "{answers:?}");
    assert_eq!(store.batches(), [[0; 0]; 0]);
    lock.rollback().await.unwrap();
    assert_eq!(store.batcher.call(8, 1).await.unwrap(), 80);
    assert_eq!(store.noted().await, [8]);
}

#[tokio::test]
async fn what_is_left_has_its_turn_between_what_came_before_and_what_comes_later() {
    let store = Store::open(true).await;
    let first = store.begin().await;
    let calls = join_all([4, 13, 6].map(|item| store.batcher.call(item, 1)));
    let writer = store.backend.writer.clone();
    let before = store.backend.writer.run(async move |tx: &mut Tx<'_>| {
        let later = writer.run(async |tx: &mut Tx<'_>| note(tx, &[200]).await);
        assert!(later.now_or_never().is_none());
        note(tx, &[100]).await
    });
    let mut all = Box::pin(futures::future::join3(first, calls, before));
    assert!(all.as_mut().now_or_never().is_none());
    store.go.add_permits(1_000);
    all.await.2.unwrap();

    store.backend.writer.run(async |_: &mut Tx<'_>| Ok(())).await.unwrap();
    assert_eq!(store.noted().await, [2, 100, 4, 6, 200]);
}

#[tokio::test]
async fn a_group_that_is_lost_is_told_to_all_of_it() {
    let store = Store::open(true).await;
    let first = store.begin().await;
    let second = store.batcher.call(4, 1);
    let break_transaction = store.backend.writer.run(async |tx: &mut Tx<'_>| {
        sqlx::query("ROLLBACK").execute(tx.conn()).await.map(drop).map_err(from_sqlx)
    });
    let third = store.batcher.call(6, 1);
    let mut group = Box::pin(futures::future::join4(first, second, break_transaction, third));
    assert!(group.as_mut().now_or_never().is_none());
    store.go.add_permits(1_000);

    let (first, second, broken, third) = group.await;

    for answer in [first, second, third] {
        assert!(matches!(answer, Err(EngineError::Transport { .. })), "{answer:?}");
    }
    assert!(broken.is_err());
    assert_eq!(store.batcher.call(8, 1).await.unwrap(), 80);
    assert_eq!(store.noted().await, [8]);
}

#[tokio::test]
async fn a_writer_that_stops_leaves_no_caller_waiting() {
    let store = Store::open(true).await;
    let first = store.begin().await;
    let calls = join_all((0..600).map(|item| store.batcher.call(item * 2, 1)));
    let stops = join_all((0..2).map(|_| store.backend.shutdown()));
    let mut all = Box::pin(futures::future::join3(first, calls, stops));
    assert!(all.as_mut().now_or_never().is_none());
    store.go.add_permits(1_000);

    let (first, calls, stops) = all.await;

    assert_eq!(first.unwrap(), 20);
    assert!(stops.into_iter().all(|stopped| stopped.is_ok()));
    let made: usize = store.batches().iter().skip(1).map(Vec::len).sum();
    assert_eq!(calls.iter().filter(|answer| answer.is_ok()).count(), made);
    let is_told = |answer: &&Answer<u32>| matches!(answer, Err(EngineError::Transport { .. }));
    assert_eq!(calls.iter().filter(is_told).count(), 600 - made);
}

#[tokio::test]
async fn a_writer_that_has_stopped_leaves_no_caller_waiting() {
    let store = Store::open(true).await;
    store.go.add_permits(1_000);
    store.backend.shutdown().await.unwrap();
    for item in [2, 4] {
        let error = store.batcher.call(item, 1).await.unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
    }
}
