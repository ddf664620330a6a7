use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ff_core::backend::CapabilitySet;
use ff_core::contracts::{
    DEFAULT_INSTANCE_TAG_KEY, EventCursor, EventStream, READ_EVENTS_MAX_LIMIT, ReconcileTask,
    RecordedEvent,
};
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, Namespace, TimestampMs};

use crate::assertions::assert_invalid;
use crate::cases::at_once;
use crate::cx::{Cx, LEASE_TTL, LIMIT, ONE_MS, START, lane, waiting_worker};

/// Empty reads after which nothing more is waited for: a backend may hold back what is committed while
/// somebody else's transaction is open.
const PATIENCE: usize = 20_000;

/// Somebody who reads a stream and goes on from the cursor of the last event.
struct Subscriber {
    backend: Arc<dyn EngineBackend>,
    stream: EventStream,
    cursor: Option<EventCursor>,
    seen: Vec<RecordedEvent>,
}

impl Subscriber {
    fn new(cx: &Cx, stream: EventStream) -> Self {
        Self { backend: Arc::clone(&cx.backend), stream, cursor: None, seen: Vec::new() }
    }

    /// Reads a page and answers how many events it had.
    async fn read(&mut self, limit: u32) -> usize {
        let page = self.backend.read_events(self.stream, self.cursor, limit).await.unwrap();
        let count = page.len();
        self.cursor = page.last().map(|event| event.cursor).or(self.cursor);
        self.seen.extend(page);
        count
    }

    /// Reads on until this many events were seen in all, of a stream that has no more.
    async fn read_to_end(&mut self, cx: &Cx, count: usize) {
        cx.store.settle().await;
        let mut empty_reads = 0;
        while self.seen.len() < count {
            empty_reads = if self.read(LIMIT).await == 0 { empty_reads + 1 } else { 0 };
            let seen = self.seen.len();
            assert!(empty_reads < PATIENCE, "{seen} events were seen, and {count} were recorded");
            tokio::task::yield_now().await;
        }
        self.read(LIMIT).await;
        assert_eq!(self.seen.len(), count, "{:#?}", self.seen);
    }

    fn executions(&self) -> Vec<ExecutionId> {
        self.seen.iter().map(|event| event.execution_id.clone()).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.seen.iter().map(|event| event.name.as_str()).collect()
    }
}

async fn completed(cx: &Cx) -> ExecutionId {
    cx.given_completed().await.execution_id().clone()
}

#[track_caller]
fn assert_cursors_rise(events: &[RecordedEvent]) {
    let rise = events.is_sorted_by(|earlier, later| earlier.cursor < later.cursor);
    assert!(rise, "{events:#?}");
}

/// EVT-1. Pages put together are the stream, in its one order.
pub(crate) async fn a_stream_is_read_in_pages_without_a_gap(cx: Cx) {
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(completed(&cx).await);
    }
    let mut whole = Subscriber::new(&cx, EventStream::Completion);
    whole.read_to_end(&cx, 7).await;
    let mut paged = Subscriber::new(&cx, EventStream::Completion);

    let pages = [paged.read(3).await, paged.read(3).await, paged.read(3).await];

    assert_eq!(pages, [3, 3, 1]);
    assert_eq!(paged.executions(), ids);
    assert_eq!(paged.seen, whole.seen);
    assert_cursors_rise(&paged.seen);
}

/// EVT-1. What is recorded after a read is what the next one returns.
pub(crate) async fn a_subscriber_goes_on_from_its_cursor(cx: Cx) {
    let first = completed(&cx).await;
    let mut subscriber = Subscriber::new(&cx, EventStream::Completion);
    subscriber.read_to_end(&cx, 1).await;

    let second = completed(&cx).await;
    subscriber.read_to_end(&cx, 2).await;
    let third = completed(&cx).await;
    subscriber.read_to_end(&cx, 3).await;

    assert_eq!(subscriber.executions(), [first, second, third]);
    assert_cursors_rise(&subscriber.seen);
}

/// EVT-1. Each stream has its own events, and its own cursor.
pub(crate) async fn each_stream_has_its_own_events(cx: Cx) {
    let handle = cx.given_claimed().await;
    cx.backend.delay(&handle, cx.now()).await.unwrap();
    let again = cx.claim().await;
    cx.backend.complete(&again, None).await.unwrap();
    let [mut leases, mut completions, mut operators] =
        [EventStream::Lease, EventStream::Completion, EventStream::Operator]
            .map(|stream| Subscriber::new(&cx, stream));

    leases.read_to_end(&cx, 3).await;
    completions.read_to_end(&cx, 1).await;
    operators.read_to_end(&cx, 0).await;

    assert_eq!(leases.names(), ["acquired", "released", "acquired"]);
    assert_eq!(completions.names(), ["success"]);
}

/// EVT-1. An event carries its time, and its execution's namespace and instance tag, if it has one.
pub(crate) async fn an_event_carries_what_its_execution_has(cx: Cx) {
    let tagged = cx
        .create(|args| {
            args.namespace = Namespace::new("tenant");
            args.tags.insert(DEFAULT_INSTANCE_TAG_KEY.to_owned(), "blue".to_owned());
            args.tags.insert("team".to_owned(), "red".to_owned());
        })
        .await;
    let first = cx.claim().await;
    cx.advance(ONE_MS);
    cx.backend.complete(&first, None).await.unwrap();
    let (first_at, plain) = (cx.now(), completed(&cx).await);
    let recorded = |cursor, id: &ExecutionId, at: TimestampMs, name: &str| {
        let mut event = RecordedEvent::new(cursor, id.clone(), at, name);
        if *id == tagged {
            event.namespace = Namespace::new("tenant");
            event.instance_tag = Some("blue".to_owned());
        }
        event
    };

    for (stream, name, times) in [
        (EventStream::Lease, "acquired", [START, first_at]),
        (EventStream::Completion, "success", [first_at, first_at]),
    ] {
        let mut subscriber = Subscriber::new(&cx, stream);
        subscriber.read_to_end(&cx, 2).await;

        let expected: Vec<_> = [&tagged, &plain]
            .into_iter()
            .zip(times)
            .zip(&subscriber.seen)
            .map(|((id, at), event)| recorded(event.cursor, id, at, name))
            .collect();
        assert_eq!(subscriber.seen, expected);
    }
}

/// EVT-1. There is nothing to read in an empty store, nor after the last event.
pub(crate) async fn the_end_of_a_stream_is_empty(cx: Cx) {
    let mut subscriber = Subscriber::new(&cx, EventStream::Completion);
    let before = subscriber.read(LIMIT).await;
    completed(&cx).await;
    subscriber.read_to_end(&cx, 1).await;

    let after = [subscriber.read(LIMIT).await, subscriber.read(1).await];

    assert_eq!((before, after), (0, [0, 0]));
}

/// EVT-1. A read returns 1 to 10,000 events.
pub(crate) async fn a_limit_outside_its_range_is_refused(cx: Cx) {
    for stream in EventStream::ALL {
        let none = cx.backend.read_events(*stream, None, 0).await.unwrap_err();
        let many = cx.backend.read_events(*stream, None, READ_EVENTS_MAX_LIMIT + 1).await;

        assert_invalid(none, "limit");
        assert_invalid(many.unwrap_err(), "limit");
        assert_eq!(cx.backend.read_events(*stream, None, READ_EVENTS_MAX_LIMIT).await.unwrap(), []);
    }
}

/// EVT-1. A subscriber whose process ended goes on in another, from the text of its cursor.
pub(crate) async fn a_reopened_store_reads_on_from_the_cursor(cx: Cx) {
    completed(&cx).await;
    let mut first = Subscriber::new(&cx, EventStream::Completion);
    first.read_to_end(&cx, 1).await;
    let kept = first.cursor.unwrap().to_string();
    let later = completed(&cx).await;

    let mut second = Subscriber::new(&cx, EventStream::Completion);
    second.backend = cx.store.reopen().await;
    second.cursor = Some(kept.parse().unwrap());
    second.read_to_end(&cx, 1).await;

    assert_eq!(second.executions(), [later]);
}

/// EVT-1, TIME-7. A cursor stays good when its event has been trimmed, and its place is not given again.
pub(crate) async fn a_cursor_outlives_its_event(cx: Cx) {
    cx.backend.set_retention(&Namespace::new("default"), Some(Duration::ZERO)).await.unwrap();
    completed(&cx).await;
    completed(&cx).await;
    let mut subscriber = Subscriber::new(&cx, EventStream::Completion);
    subscriber.read_to_end(&cx, 2).await;
    cx.advance(ONE_MS);
    let trimmed = cx.reconcile(ReconcileTask::TrimRetention).await;

    let kept = completed(&cx).await;
    subscriber.read_to_end(&cx, 3).await;
    let mut newcomer = Subscriber::new(&cx, EventStream::Completion);
    newcomer.read_to_end(&cx, 1).await;

    assert_eq!(trimmed.processed, 2);
    assert_eq!(subscriber.seen[2].execution_id, kept);
    assert_cursors_rise(&subscriber.seen);
    assert_eq!(newcomer.seen, subscriber.seen[2..]);
}

/// EVT-1. A subscriber that reads while many finish sees each ending once.
pub(crate) async fn a_subscriber_beside_concurrent_finishers_sees_each_once(cx: Cx) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut subscriber = Subscriber::new(&cx, EventStream::Completion);
    let args: Vec<_> = (0..80).map(|_| cx.args()).collect();
    let mut ids: Vec<_> = args.iter().map(|args| args.execution_id.clone()).collect();
    let reading = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            while !is_over.load(Ordering::SeqCst) {
                subscriber.read(7).await;
                tokio::task::yield_now().await;
            }
            subscriber
        }
    });

    at_once(8, &cx.backend, |backend, number| {
        let mine = args[number * 10..][..10].to_vec();
        async move {
            for args in mine {
                backend.create_execution(args).await.unwrap();
                // It waits where all that it could see was taken by others just then.
                let policy = waiting_worker("worker", Some(LEASE_TTL));
                let offered = CapabilitySet::default();
                let claimed = backend.claim(&lane(), &offered, policy).await.unwrap();
                backend.complete(&claimed.unwrap(), None).await.unwrap();
            }
        }
    })
    .await;
    is_over.store(true, Ordering::SeqCst);
    let mut subscriber = reading.await.unwrap();
    subscriber.read_to_end(&cx, 80).await;

    assert_cursors_rise(&subscriber.seen);
    let mut seen = subscriber.executions();
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

/// EVT-1. An event that has the lower id and commits last is seen, and neither event twice. Where writers
/// take turns, the events are seen in the order of their commits.
pub(crate) async fn a_lower_id_that_commits_last_is_not_missed(cx: Cx) {
    let late = cx.given_claimed().await;
    let begun = cx.probe().begin_completion_event(late.execution_id()).await;
    let takes_turns = begun.is_none();
    let early = completed(&cx).await;
    let mut subscriber = Subscriber::new(&cx, EventStream::Completion);
    subscriber.read(LIMIT).await;
    let before = subscriber.executions();

    match begun {
        Some(event) => event.commit().await,
        None => cx.backend.complete(&late, None).await.unwrap(),
    }
    subscriber.read_to_end(&cx, 2).await;

    let mut seen = subscriber.executions();
    let mut expected = [early.clone(), late.execution_id().clone()];
    if takes_turns {
        assert_eq!(before, [early]);
    } else {
        seen.sort();
        expected.sort();
    }
    assert_eq!(seen, expected);
    assert_cursors_rise(&subscriber.seen);
}
