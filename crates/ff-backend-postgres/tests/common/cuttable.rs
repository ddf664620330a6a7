//! A store whose backend's connections can be cut.

use std::sync::Arc;

use ff_backend_postgres::{PostgresBackend, PostgresConfig};
use ff_core::clock::{Clock, ManualClock};

use super::database::server;
use super::proxy::{At, Cut, Proxy};
use super::{Opened, open};

pub(crate) const RUN: [Cut; 2] = [Cut::Before(At::Run), Cut::After(At::Run)];
pub(crate) const COMMIT: [Cut; 2] = [Cut::Before(At::Commit), Cut::After(At::Commit)];

/// A store, and a backend that reaches it by way of a proxy.
pub(crate) struct Cuttable {
    pub(crate) opened: Opened,
    pub(crate) proxy: Proxy,
    pub(crate) backend: Arc<PostgresBackend>,
}

pub(crate) async fn cuttable() -> Cuttable {
    let opened = open().await;
    let proxy = Proxy::start(server()).await;
    let clock = Some(Arc::<ManualClock>::clone(&opened.clock) as Arc<dyn Clock>);
    // The listener's statements are none of the operations'.
    let config = PostgresConfig { clock, listen: false, ..PostgresConfig::default() };
    let url = proxy.url(&opened.database.url());
    let backend = PostgresBackend::connect_with(&url, config).await.unwrap();
    Cuttable { opened, proxy, backend }
}

impl Cuttable {
    /// Awaits an operation in which a connection is cut.
    pub(crate) async fn cut<T>(&self, cut: Cut, operation: impl Future<Output = T>) -> T {
        self.proxy.arm(cut);
        let answer = operation.await;
        assert!(self.proxy.has_cut(), "{cut:?}");
        answer
    }
}
