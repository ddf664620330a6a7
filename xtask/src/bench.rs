//! `cargo xtask bench`: what FlowFabric costs, measured.

mod peers;

use crate::shell::Outcome;

/// Runs what the arguments name.
pub(crate) fn run(args: &[&str]) -> Outcome<()> {
    match args {
        ["--peers", args @ ..] => peers::run(args),
        _ => Err(format!("usage: cargo xtask bench --peers [options]\n{}", peers::OPTIONS).into()),
    }
}
