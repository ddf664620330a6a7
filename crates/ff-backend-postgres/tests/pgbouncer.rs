//! The conformance suite through PgBouncer in transaction mode, which keeps no session between two
//! statements of a client. Without PgBouncer on this machine it is one ignored test, which says so.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{Fixture, Store};
use ff_core::clock::ManualClock;
use libtest_mimic::{Arguments, Trial};

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/database.rs"]
mod database;
#[path = "common/fixture.rs"]
mod fixture;
#[path = "common/pooler.rs"]
mod pooler;

use database::Database;
use fixture::PostgresStore;
use pooler::Pooler;

/// Stores in databases of their own, reached through the pooler.
struct PooledFixture(Arc<Pooler>);

#[async_trait]
impl Fixture for PooledFixture {
    async fn open(&self, clock: Arc<ManualClock>) -> Box<dyn Store> {
        let database = Database::migrated().await;
        let url = self.0.url(&database.name);
        Box::new(PostgresStore::open(database, url, clock).await)
    }
}

fn main() -> ExitCode {
    let Some(program) = Pooler::program() else {
        let not_here = "install_pgbouncer_to_run_the_suite_through_it";
        let trial = Trial::test(not_here, || Err("pgbouncer is not installed".into()));
        let arguments = Arguments::from_args();
        return libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(true)]).exit_code();
    };
    let pooler = Arc::new(Pooler::start(&program).unwrap());
    ff_conformance::runner::main(PooledFixture(pooler), "postgres through PgBouncer")
}
