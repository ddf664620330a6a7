//! The comparison's works on effectum as it is.

use std::process::ExitCode;

use peer_effectum::Effectum;

#[tokio::main]
async fn main() -> ExitCode {
    peer_protocol::main::<Effectum<false>>().await
}
