//! The comparison's works on duroxide and its own store, a SQLite file in WAL mode. It sets `synchronous` to a word
//! that SQLite does not know, which makes it NORMAL: its commits are not synced, and the last ones may be lost when
//! the machine loses its power. One unit is an orchestration that schedules nothing and ends in its first turn, the
//! least that the engine keeps durably.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duroxide::providers::Provider;
use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{Client, OrchestrationContext, OrchestrationRegistry};
use peer_protocol::{Outcome, Peer, Run, handled};
use tokio::task::JoinSet;

const KIND: &str = "bench";
/// How many tasks fill the queue, which has no call for more than one.
const FILLERS: u64 = 8;

struct Duroxide {
    provider: Arc<dyn Provider>,
    created: Arc<AtomicU64>,
}

impl Peer for Duroxide {
    const ENGINE: &'static str = "duroxide";

    async fn open(run: &Run) -> Outcome<Self> {
        let provider = SqliteProvider::new(&format!("sqlite:{}?mode=rwc", run.store), None).await?;
        Ok(Self { provider: Arc::new(provider), created: Arc::default() })
    }

    async fn create(&self) -> Outcome<()> {
        start(&Client::new(Arc::clone(&self.provider)), &self.created).await
    }

    async fn fill(&self, jobs: u64) -> Outcome<()> {
        let mut fillers = JoinSet::new();
        for filler in 0..FILLERS {
            let share = jobs / FILLERS + u64::from(filler < jobs % FILLERS);
            let client = Client::new(Arc::clone(&self.provider));
            let created = Arc::clone(&self.created);
            fillers.spawn(async move {
                for _ in 0..share {
                    start(&client, &created).await?;
                }
                Outcome::Ok(())
            });
        }
        while let Some(ended) = fillers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// With its own number of dispatchers, whatever the slots: more lock each other out of the file, and
    /// orchestrations fail of it.
    async fn start(&self) -> Outcome<()> {
        let orchestrations = OrchestrationRegistry::builder()
            .register(KIND, |_: OrchestrationContext, input: String| async move {
                handled();
                Ok(input)
            })
            .build();
        let options = RuntimeOptions::default();
        let activities = ActivityRegistry::builder().build();
        let provider = Arc::clone(&self.provider);
        Runtime::start_with_options(provider, activities, orchestrations, options).await;
        Ok(())
    }

    /// What is finished stays, with its history.
    async fn is_drained(&self) -> Outcome<bool> {
        let metrics = Client::new(Arc::clone(&self.provider)).get_system_metrics().await?;
        Ok(metrics.completed_instances == self.created.load(Ordering::Relaxed))
    }
}

async fn start(client: &Client, created: &AtomicU64) -> Outcome<()> {
    let n = created.fetch_add(1, Ordering::Relaxed);
    Ok(client.start_orchestration(format!("{KIND}-{n}"), KIND, "1").await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Duroxide>().await
}
