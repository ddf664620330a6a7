mod read;
mod record;
mod safety;

pub(crate) use read::*;
pub(crate) use record::*;
pub(crate) use safety::*;
