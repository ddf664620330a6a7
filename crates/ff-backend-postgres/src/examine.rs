//! Looks at a store and at its server, and changes nothing.

mod holders;
mod server;
mod tables;

use std::time::Duration;

use ff_core::contracts::{Examination, Finding};
use ff_core::engine_error::{EngineError, OpenKind};
use ff_sql::schema;
use sqlx::postgres::Postgres;
use sqlx::{AssertSqlSafe, Connection, Transaction};
use tokio::time::timeout;

use crate::config::PostgresConfig;
use crate::error::{self, code, from_sqlx};
use crate::migrate;
use crate::pool::{self, First, OLDEST_VERSION, Place};

/// How long all the questions may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// From when on something counts as old.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A transaction.
    pub transaction_age: Duration,
    /// What a replication slot or a standby still needs, counted in transactions.
    pub transactions_behind: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transaction_age: Duration::from_secs(300), transactions_behind: 10_000_000 }
    }
}

/// Looks at the store in the database and at the server, and tells what is wrong and what is good to know:
/// settings that put data at risk, migrations, missing or broken indexes, transactions that hold back events
/// and vacuum, events that nobody can read. It opens one connection, changes nothing, and waits for no lock
/// for long.
///
/// # Errors
/// As [`PostgresBackend::connect`](crate::PostgresBackend::connect), and `Timeout` when the server takes too
/// long to answer.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let examination = ff_backend_postgres::examine("postgres://ff@db.example/jobs").await?;
/// for finding in &examination.findings {
///     println!("{}: {}; {}", finding.severity, finding.what, finding.remedy);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn examine(url: &str) -> Result<Examination, EngineError> {
    examine_for_test(url, Limits::default()).await
}

/// As [`examine`], with other limits.
#[doc(hidden)]
pub async fn examine_for_test(url: &str, limits: Limits) -> Result<Examination, EngineError> {
    let place = Place::parse(url)?;
    let config = PostgresConfig::default();
    let first = pool::first_connection(&place, &config).await?;
    let looked = timeout(PATIENCE, look(first, &config, limits)).await;
    let looked = looked.map_err(|_| EngineError::Timeout { op: "examine", elapsed: PATIENCE })?;
    looked.map_err(|error| match error::sqlstate(&error).as_deref() {
        Some(code::INSUFFICIENT_PRIVILEGE) => {
            let detail = format!("the user may not look at the store at {place}: {error}");
            EngineError::Open { kind: OpenKind::AccessDenied, detail }
        }
        _ => from_sqlx(error),
    })
}

async fn look(
    first: First,
    config: &PostgresConfig,
    limits: Limits,
) -> Result<Examination, sqlx::Error> {
    let First { mut conn, version, keeps_session, .. } = first;
    // One transaction, so that behind a pooler all questions meet one server.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL lock_timeout = {}; \
         SET LOCAL statement_timeout = {}",
        config.lock_timeout.as_millis(),
        PATIENCE.as_millis(),
    );
    let mut tx = conn.begin_with(AssertSqlSafe(begin)).await?;
    let server = server::read(&mut tx).await?;
    let mut findings = Vec::new();
    if !keeps_session {
        findings.push(Finding::note(
            "a transaction pooler stands between: no connection listens for new work, which a waiting \
             claim finds at its next look, within 100 ms",
            "connect to the server itself where that is too late",
        ));
    }
    let mut schema_version = None;
    if version < OLDEST_VERSION {
        findings.push(server::too_old(&server.name));
    } else {
        findings.extend(server.findings());
        findings.extend(holders::look(&mut tx, limits).await?);
        schema_version = look_at_schema(&mut tx, &mut findings).await?;
    }
    tx.rollback().await?;
    let _ = conn.close().await;
    Ok(Examination::new(server.name, schema_version, findings))
}

/// Looks at what migrations have made if they are this program's; returns the schema's version.
async fn look_at_schema(
    tx: &mut Transaction<'_, Postgres>,
    findings: &mut Vec<Finding>,
) -> Result<Option<i64>, sqlx::Error> {
    let applied = migrate::applied(tx).await?;
    match schema::check_migrations(&applied, &migrate::ours()) {
        Some(finding) => findings.push(finding),
        None => findings.extend(tables::look(tx).await?),
    }
    Ok(schema::version(&applied))
}
