mod record;
mod safety;

pub(crate) use record::*;
pub(crate) use safety::*;
