//! `ff doctor`: what is wrong with a store, and what to do about it.

use std::process::ExitCode;

use flowfabric::core::contracts::Examination;
use serde_json::json;

use crate::output::{Failure, Output, one_line};
use crate::store;

/// Look at the store and its database, change nothing, and tell what is wrong.
///
/// Prints a line for each finding, with what to do about it. Ends with 1 when there is a problem; a
/// note is none.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(
    db: &str,
    _arguments: Arguments,
    output: &Output,
) -> Result<ExitCode, Failure> {
    store::require_file(db)?;
    let examination = flowfabric::examine(db).await?;
    if output.is_json() {
        output.document(&json!({
            "server": examination.server,
            "schema_version": examination.schema_version,
            "findings": examination.findings,
        }))?;
    } else {
        print_text(&examination, output)?;
    }
    Ok(if examination.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_text(examination: &Examination, output: &Output) -> Result<(), Failure> {
    let schema = match examination.schema_version {
        Some(version) => format!("schema version {version}"),
        None => "no schema".to_owned(),
    };
    output.line(&format!("{}, {schema}", one_line(&examination.server)))?;
    for finding in &examination.findings {
        let line = format!("{}: {}. To do: {}", finding.severity, finding.what, finding.remedy);
        output.line(&one_line(&line))?;
    }
    if examination.is_sound() {
        output.line("nothing is wrong")?;
    }
    Ok(())
}
