//! The comparison's works on effectum in a file in WAL mode, where it does not sync each commit.

use std::process::ExitCode;

use peer_effectum::Effectum;

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Effectum<true>>().await
}
