//! How many statements an operation costs, by the driver's own log. One test to the program: the log
//! is the whole program's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::{args, claim, open};
use ff_core::engine_backend::EngineBackend;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

const PING: &str = include_str!("../sql/admin/ping.sql");
const PICK: &str = include_str!("../sql/claim/pick.sql");

#[derive(Clone, Default)]
struct StatementLog(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct StatementText {
    /// The first words.
    summary: String,
    /// The whole, where that is more.
    statement: String,
}

impl Visit for StatementText {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.statement = value.trim().to_owned(),
            _ => {}
        }
    }
}

impl Subscriber for StatementLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = StatementText::default();
        event.record(&mut text);
        let StatementText { summary, statement } = text;
        self.0.lock().unwrap().push(if statement.is_empty() { summary } else { statement });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl StatementLog {
    /// What was logged but for pings and for what sets a new connection up.
    fn statements(&self) -> Vec<String> {
        let log = self.0.lock().unwrap();
        let counts = |text: &&String| *text != PING.trim() && !text.starts_with("PRAGMA");
        log.iter().filter(counts).cloned().collect()
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn a_claim_on_an_empty_lane_is_one_statement() {
    let log = StatementLog::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let opened = open().await;
    opened.backend.ping().await.unwrap();
    log.clear();

    assert!(claim(&opened.backend).await.is_none());

    // A connection's thread logs a statement after it has answered: the pings give it time.
    while !log.statements().contains(&PICK.trim().to_owned()) {
        opened.backend.ping().await.unwrap();
    }
    for _ in 0..10 {
        opened.backend.ping().await.unwrap();
    }
    assert_eq!(log.statements(), [PICK.trim()]);

    opened.backend.create_execution(args()).await.unwrap();
    log.clear();
    assert!(claim(&opened.backend).await.is_some());
    assert!(log.statements().len() > 1, "the log tells of the writer too");
}
