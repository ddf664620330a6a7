//! The tables and indexes that the migrations have made, and the events in them.

use ff_core::contracts::Finding;
use ff_sql::schema::Objects;
use sqlx::postgres::Postgres;
use sqlx::{Row, Transaction};

use crate::migrate;

const LIST_TABLES: &str = include_str!("../../sql/admin/list_tables.sql");
const LIST_INDEXES: &str = include_str!("../../sql/admin/list_indexes.sql");
const FIND_FUTURE_EVENTS: &str = include_str!("../../sql/admin/find_future_events.sql");

/// A table or an index.
struct Found {
    name: String,
    /// Of a table, whether autovacuum looks after it; of an index, whether it can be used.
    is_well: bool,
}

pub(super) async fn look(tx: &mut Transaction<'_, Postgres>) -> Result<Vec<Finding>, sqlx::Error> {
    let wanted = migrate::objects();
    let tables = list(tx, LIST_TABLES, &wanted.tables).await?;
    let indexes = list(tx, LIST_INDEXES, &wanted.tables).await?;
    let (table_names, index_names) = (names(&tables), names(&indexes));
    let mut findings = wanted.find_missing(&table_names, &index_names);
    let without_key = table_names.iter().filter(|table| !index_names.contains(&key_of(table)));
    findings.extend(without_key.map(|table| missing_key(table)));
    let unattended = tables.iter().filter(|table| !table.is_well);
    findings.extend(unattended.map(|table| without_autovacuum(&table.name)));
    let unusable = indexes.iter().filter(|index| !index.is_well);
    findings.extend(unusable.map(|index| invalid(&index.name, &wanted)));
    if wanted.tables.iter().all(|table| table_names.contains(table)) {
        let rows = sqlx::query(FIND_FUTURE_EVENTS).persistent(false).fetch_all(&mut **tx).await?;
        for row in rows {
            findings.push(future_events(row.try_get("name")?));
        }
    }
    Ok(findings)
}

async fn list(
    tx: &mut Transaction<'_, Postgres>,
    statement: &'static str,
    tables: &[String],
) -> Result<Vec<Found>, sqlx::Error> {
    let list = sqlx::query(statement).persistent(false).bind(tables);
    let rows = list.fetch_all(&mut **tx).await?;
    let found = rows.iter().map(|row| {
        let (name, is_well) = (row.try_get("name")?, row.try_get("is_well")?);
        Ok(Found { name, is_well })
    });
    found.collect()
}

fn names(found: &[Found]) -> Vec<String> {
    found.iter().map(|found| found.name.clone()).collect()
}

/// The server names the index of a primary key so.
fn key_of(table: &str) -> String {
    format!("{table}_pkey")
}

fn missing_key(table: &str) -> Finding {
    Finding::problem(
        format!("the primary key of {table} is missing: rows may be stored twice"),
        "remove the copies, and add it again as the migration that makes the table has it",
    )
}

fn without_autovacuum(table: &str) -> Finding {
    Finding::problem(
        format!(
            "autovacuum is off for {table}: dead rows gather, and it becomes slower and slower"
        ),
        format!("turn it on: ALTER TABLE {table} RESET (autovacuum_enabled)"),
    )
}

fn invalid(index: &str, wanted: &Objects) -> Finding {
    let is_ours = wanted.indexes.iter().any(|ours| ours.name == index)
        || wanted.tables.iter().any(|table| key_of(table) == index);
    let remedy = if is_ours {
        format!("make it anew: REINDEX INDEX CONCURRENTLY {index}")
    } else {
        format!("drop it: DROP INDEX {index}")
    };
    let what = format!("the index {index} is invalid: it is kept up to date and never read");
    Finding::problem(what, remedy)
}

/// They get the number of a transaction of now, as if they were written now: readers that have read up to now
/// would pass by a lower one.
fn future_events(table: &str) -> Finding {
    Finding::problem(
        format!(
            "{table} has events of transactions that this server has not begun, as after a restore \
             from another one: readers wait for them"
        ),
        format!(
            "UPDATE {table} SET transaction_id = pg_current_xact_id() \
             WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot()); \
             readers that have a cursor of the other server start without one"
        ),
    )
}
