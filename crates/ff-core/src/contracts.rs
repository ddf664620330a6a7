//! The arguments and results of every operation, by area.

mod admin;
mod claim;
mod event;
mod execution;
mod flow;
mod lease;
mod operator;
mod timer;
mod worker;

pub use admin::*;
pub use claim::*;
pub use event::*;
pub use execution::*;
pub use flow::*;
pub use lease::*;
pub use operator::*;
pub use timer::*;
pub use worker::*;
