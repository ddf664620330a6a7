//! A PostgreSQL server that processes which work and processes which submit share, by way of a proxy.

#[path = "../../../../../../crates/ff-backend-postgres/tests/common/cluster.rs"]
mod cluster;
#[path = "../../../../../../crates/ff-backend-postgres/tests/common/proxy.rs"]
#[expect(clippy::unwrap_used, reason = "tests share it, which fail by panicking")]
mod proxy;
mod server;
mod session;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_backend_postgres::PostgresBackend;
use ff_core::contracts::Examination;
use ff_core::engine_backend::EngineBackend;
use sqlx::Row;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::{Arena, LeftOut, Site};
use crate::audit::{COUNT_OPEN, Stored, read_from};
use crate::fault::Fault;
use crate::node::Arguments;
use crate::random::Random;
use crate::{Backend, Outcome};
use proxy::{At, Cut, Proxy};
use server::Server;
use session::Sessions;

/// Connections of the nodes that work and of those that submit. Some have very few.
const WORKERS: [u32; 3] = [6, 3, 1];
const SUBMITTERS: [u32; 2] = [3, 1];
/// Looks at the proxy after which nothing is there to cut.
const LOOKS: usize = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

pub(crate) struct PostgresArena {
    server: Server,
    sessions: Sessions,
    proxy: Proxy,
    /// One cut at a time.
    cutting: Mutex<()>,
    nodes: Vec<Arguments>,
}

impl PostgresArena {
    pub(super) async fn build(site: &Site<'_>) -> Outcome<Self> {
        let server = Server::start(site).await?;
        let url = server.url().to_owned();
        ff_backend_postgres::migrate(&url).await?;
        let proxy = Proxy::start(PgConnectOptions::from_str(&url)?).await;
        let nodes = nodes(site, &proxy.url(&url));
        let (sessions, cutting) = (Sessions::new(url), Mutex::default());
        Ok(Self { server, sessions, proxy, cutting, nodes })
    }

    /// Cuts the next connection that comes to a commit, before the server gets it or before its answer is got.
    async fn cut(&self, random: &mut Random) -> Outcome<bool> {
        let _one = self.cutting.lock().await;
        let at = [At::Run, At::Settle, At::Commit][random.place(3)];
        self.proxy.arm([Cut::Before(at), Cut::After(at)][random.place(2)]);
        for _ in 0..LOOKS {
            if self.proxy.has_cut() {
                return Ok(true);
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Ok(false)
    }
}

fn nodes(site: &Site<'_>, url: &str) -> Vec<Arguments> {
    let node = |name: String, pool| {
        let node = site.node(&name, Backend::Postgres, url);
        Arguments { pool, ..node }
    };
    let workers = WORKERS.iter().enumerate().map(|(number, pool)| {
        let node = node(format!("worker{}", number + 1), *pool);
        Arguments { works: true, ..node }
    });
    let submitters = SUBMITTERS.iter().enumerate().map(|(number, pool)| {
        let node = node(format!("submitter{}", number + 1), *pool);
        Arguments { submits: true, ..node }
    });
    workers.chain(submitters).collect()
}

#[async_trait]
impl Arena for PostgresArena {
    fn nodes(&self) -> Vec<Arguments> {
        self.nodes.clone()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.server.left_out()
    }

    async fn inject(&self, fault: Fault, random: &mut Random) -> Outcome<bool> {
        let time = fault.time(random);
        match fault {
            Fault::Terminate => self.sessions.terminate(1 + random.below(8)).await,
            Fault::Cut => self.cut(random).await,
            Fault::Restart => self.server.restart().await.map(|()| true),
            Fault::FullDisk => self.server.fill_tables(time).await,
            Fault::FullLog => self.server.fill_log(time).await,
            Fault::Lock => self.sessions.lock(time).await,
            Fault::Snapshot => self.sessions.hold_snapshot(time).await,
            Fault::Hog => self.sessions.take_all(time).await,
            Fault::Kill | Fault::KillAll | Fault::Freeze => Ok(false),
        }
    }

    /// A process that is killed has nothing of the store's in its hands.
    async fn check_after_kill(&self) -> Outcome<()> {
        Ok(())
    }

    async fn restore(&self) -> Outcome<()> {
        self.server.restore().await
    }

    async fn count_open(&self) -> Outcome<u64> {
        let row = sqlx::query(COUNT_OPEN).fetch_one(&mut self.sessions.begin().await?).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?)?)
    }

    async fn read(&self) -> Outcome<Stored> {
        read_from!(&mut self.sessions.begin().await?)
    }

    async fn open(&self) -> Outcome<Arc<dyn EngineBackend>> {
        Ok(PostgresBackend::connect(self.server.url()).await?)
    }

    async fn examine(&self) -> Outcome<Examination> {
        Ok(ff_backend_postgres::examine(self.server.url()).await?)
    }

    async fn keep(&self, folder: &Path) -> Outcome<()> {
        self.server.keep(folder).await
    }
}
