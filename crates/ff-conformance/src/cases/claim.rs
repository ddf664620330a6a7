mod batch;
mod fence;
mod grant;
mod order;
mod race;
mod wait;

pub(crate) use batch::*;
pub(crate) use fence::*;
pub(crate) use grant::*;
pub(crate) use order::*;
pub(crate) use race::*;
pub(crate) use wait::*;
