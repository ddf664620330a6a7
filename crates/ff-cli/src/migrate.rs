//! `ff migrate`: the schema as this program has it.

use std::process::ExitCode;

use serde_json::json;

use crate::output::{Failure, Output};

/// Bring the store's schema up to date, or make the store.
///
/// Every program does so when it opens a store. Run it by itself where programs may not create tables.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(
    db: &str,
    _arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let migrated = flowfabric::migrate(db).await?;
    let after = migrated.after;
    if output.is_json() {
        output.document(&json!({ "before": migrated.before, "after": after }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&match migrated.before {
        _ if migrated.was_up_to_date() => format!("already up to date at version {after}"),
        Some(before) => format!("migrated from version {before} to version {after}"),
        None => format!("made a store at version {after}"),
    })?;
    Ok(ExitCode::SUCCESS)
}
