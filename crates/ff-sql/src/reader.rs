//! Reading the columns of a row, whose table, column and id every error names.

use std::fmt::Display;
use std::str::FromStr;

use ff_core::engine_error::EngineError;
use serde::de::DeserializeOwned;

/// Names the row in errors while its columns are read.
pub(crate) struct Reader<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a dyn Display,
}

impl Reader<'_> {
    pub(crate) fn corrupt(&self, column: &str, problem: impl Display) -> EngineError {
        EngineError::corruption(self.table, column, self.id, problem)
    }

    pub(crate) fn word<W>(&self, column: &str, text: &str) -> Result<W, EngineError>
    where
        W: FromStr,
        W::Err: Display,
    {
        text.parse().map_err(|error: W::Err| self.corrupt(column, error))
    }

    pub(crate) fn number<N: TryFrom<i64>>(
        &self,
        column: &str,
        value: i64,
    ) -> Result<N, EngineError> {
        N::try_from(value).map_err(|_| self.corrupt(column, format!("{value} is out of range")))
    }

    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        column: &str,
        text: &str,
    ) -> Result<T, EngineError> {
        serde_json::from_str(text).map_err(|error| self.corrupt(column, error))
    }

    /// JSON that must be an object: what is read as one could also be given as an array.
    pub(crate) fn object<T: DeserializeOwned>(
        &self,
        column: &str,
        text: &str,
    ) -> Result<T, EngineError> {
        if !text.trim_start().starts_with('{') {
            return Err(self.corrupt(column, "it is not an object"));
        }
        self.json(column, text)
    }
}
