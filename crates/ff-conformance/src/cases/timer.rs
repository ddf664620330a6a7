mod deadline;
mod expire;
mod promote;
mod retention;
mod sweep;
mod timeout;

pub(crate) use deadline::*;
pub(crate) use expire::*;
pub(crate) use promote::*;
pub(crate) use retention::*;
pub(crate) use sweep::*;
pub(crate) use timeout::*;
