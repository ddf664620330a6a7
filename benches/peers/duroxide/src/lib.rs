//! The comparison's works on duroxide, over any of its stores. One unit is an orchestration that schedules nothing
//! and ends in its first turn, the least that the engine keeps durably.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duroxide::providers::Provider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{Client, OrchestrationContext, OrchestrationRegistry};
use peer_protocol::{Outcome, Peer, Run, handled};
use tokio::task::JoinSet;

const KIND: &str = "bench";
/// How many tasks fill the queue, which has no call for more than one.
const FILLERS: u64 = 8;

/// Where duroxide keeps what it has.
pub trait Store: Send + Sync + 'static {
    /// The engine's name in the line.
    const ENGINE: &'static str;

    /// Opens the store and makes its schema.
    fn open(store: &str) -> impl Future<Output = Outcome<Arc<dyn Provider>>> + Send;
}

/// The engine over a store.
pub struct Duroxide<S> {
    provider: Arc<dyn Provider>,
    slots: usize,
    created: Arc<AtomicU64>,
    store: std::marker::PhantomData<S>,
}

impl<S: Store> Peer for Duroxide<S> {
    const ENGINE: &'static str = S::ENGINE;

    async fn open(run: &Run) -> Outcome<Self> {
        let provider = S::open(&run.store).await?;
        let (slots, created) = (run.slots, Arc::default());
        Ok(Self { provider, slots, created, store: std::marker::PhantomData })
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

    async fn start(&self) -> Outcome<()> {
        let orchestrations = OrchestrationRegistry::builder()
            .register(KIND, |_: OrchestrationContext, input: String| async move {
                handled();
                Ok(input)
            })
            .build();
        let options =
            RuntimeOptions { orchestration_concurrency: self.slots, ..RuntimeOptions::default() };
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
