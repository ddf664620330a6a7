//! Subscribers that stop after every page and go on from their cursor.

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_core::contracts::EventStream;
use ff_core::engine_backend::EngineBackend;

use super::log::Log;
use super::record::{Answer, Call, SeenEvent};
use super::recorder::Recorder;

/// How much is read at once when a stream is read to its end.
const PAGE: u32 = 50;
/// Pages after which a stream that should have ended is one without end.
const ENOUGH: usize = 10_000;

/// A subscriber of one stream. Between two pages it keeps nothing but the text of its cursor.
#[derive(Debug)]
pub(super) struct Subscriber {
    name: String,
    stream: EventStream,
    cursor: Option<String>,
}

impl Subscriber {
    /// One that begins at the beginning.
    pub(super) fn new(process: &str, stream: EventStream) -> Self {
        Self { name: format!("{process}/{stream}"), stream, cursor: None }
    }

    /// Reads the next page and says whether there may be more.
    pub(super) async fn read_page(&mut self, recorder: &Recorder, limit: u32) -> bool {
        let after = self.cursor.as_deref().and_then(|text| text.parse().ok());
        let call = Call::Read { subscriber: self.name.clone(), stream: self.stream, after, limit };
        let read = async {
            match recorder.backend().read_events(self.stream, after, limit).await {
                Ok(events) => Answer::Page(events.into_iter().map(SeenEvent::from).collect()),
                Err(error) => Answer::of_error(&error),
            }
        };
        let Answer::Page(events) = recorder.one(call, read).await else { return true };
        let Some(last) = events.last() else { return false };
        self.cursor = Some(last.cursor.to_string());
        // Otherwise a backend that gives the same page again and again would be read for ever.
        Some(last.cursor) > after
    }
}

/// Lets every subscriber of a log, whichever process it was in, go on from its last cursor to the end of its
/// stream. Call it when nothing else is done to the store and every event can be read.
pub async fn catch_up(backend: &Arc<dyn EngineBackend>, log: &Arc<Log>) {
    let recorder = Recorder::new(Arc::clone(backend), Arc::clone(log), "catch-up".to_owned());
    for mut subscriber in subscribers(log) {
        for _ in 0..ENOUGH {
            if !subscriber.read_page(&recorder, PAGE).await {
                break;
            }
        }
    }
}

/// The subscribers of a log, where their answered pages end.
fn subscribers(log: &Log) -> Vec<Subscriber> {
    let mut found: BTreeMap<String, Subscriber> = BTreeMap::new();
    for made in super::calls::join(&log.entries()) {
        let Call::Read { subscriber: name, stream, .. } = made.call else { continue };
        let cursor = match made.answer {
            Some(Answer::Page(events)) => events.last().map(|event: &SeenEvent| event.cursor),
            _ => None,
        };
        let subscriber =
            found.entry(name.clone()).or_insert_with(|| Subscriber { name, stream, cursor: None });
        if let Some(cursor) = cursor {
            subscriber.cursor = Some(cursor.to_string());
        }
    }
    found.into_values().collect()
}
