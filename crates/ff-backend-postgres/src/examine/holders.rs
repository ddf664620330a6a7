//! What holds back vacuum and readers of events.

use std::time::Duration;

use ff_core::contracts::Finding;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Row, Transaction};

use super::Limits;

const FIND_HOLDERS: &str = include_str!("../../sql/admin/find_holders.sql");
const COUNT_HIDDEN_SESSIONS: &str = include_str!("../../sql/admin/count_hidden_sessions.sql");

pub(super) async fn look(
    tx: &mut Transaction<'_, Postgres>,
    limits: Limits,
) -> Result<Vec<Finding>, sqlx::Error> {
    let age_ms = i64::try_from(limits.transaction_age.as_millis()).unwrap_or(i64::MAX);
    let find = sqlx::query(FIND_HOLDERS).persistent(false);
    let find = find.bind(age_ms).bind(limits.transactions_behind);
    let rows = find.fetch_all(&mut **tx).await?;
    let mut findings = rows.iter().map(finding).collect::<Result<Vec<_>, _>>()?;
    let count = sqlx::query(COUNT_HIDDEN_SESSIONS).persistent(false);
    let hidden: i64 = count.fetch_one(&mut **tx).await?.try_get("hidden")?;
    if hidden > 0 {
        findings.push(Finding::note(
            format!("{hidden} sessions of other users hide how old their transactions are"),
            "grant pg_read_all_stats to this user to have them looked at too",
        ));
    }
    Ok(findings)
}

fn finding(row: &PgRow) -> Result<Finding, sqlx::Error> {
    let (kind, name): (String, String) = (row.try_get("kind")?, row.try_get("name")?);
    let (owner, age): (String, i64) = (row.try_get("owner")?, row.try_get("age")?);
    let quoted = name.replace('\'', "''");
    let open = || format!("{:?}", Duration::from_secs(age.unsigned_abs() / 1_000));
    let (what, remedy) = match kind.as_str() {
        "transaction" => (
            format!("process {name} ({owner}) has had a transaction open for {}", open()),
            format!("end it: SELECT pg_terminate_backend({name})"),
        ),
        "prepared transaction" => (
            format!("the prepared transaction {name:?} ({owner}) has waited for {}", open()),
            format!("end it: COMMIT PREPARED '{quoted}' or ROLLBACK PREPARED '{quoted}'"),
        ),
        "standby" => (
            format!("the standby {name:?} ({owner}) reads a state {age} transactions old"),
            "end its long queries, or turn off its hot_standby_feedback".to_owned(),
        ),
        _ => (
            format!("the replication slot {name:?} ({owner}) needs a state {age} transactions old"),
            format!("drop it if nobody needs it: SELECT pg_drop_replication_slot('{quoted}')"),
        ),
    };
    let held = if kind.ends_with("transaction") {
        "dead rows stay, and readers of events may wait"
    } else {
        "dead rows stay"
    };
    Ok(Finding::problem(format!("{what}: {held}"), remedy))
}
