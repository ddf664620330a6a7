//! The comparison's works on duroxide's own store, a SQLite file in WAL mode. It sets `synchronous` to a word that
//! SQLite does not know, which makes it NORMAL: its commits are not synced, and the last ones may be lost when the
//! machine loses its power.

use std::process::ExitCode;
use std::sync::Arc;

use duroxide::providers::Provider;
use duroxide::providers::sqlite::SqliteProvider;
use peer_duroxide::{Duroxide, Store};
use peer_protocol::Outcome;

struct Sqlite;

impl Store for Sqlite {
    const ENGINE: &'static str = "duroxide";

    async fn open(store: &str) -> Outcome<Arc<dyn Provider>> {
        Ok(Arc::new(SqliteProvider::new(&format!("sqlite:{store}?mode=rwc"), None).await?))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Duroxide<Sqlite>>().await
}
