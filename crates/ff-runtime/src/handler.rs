//! Handlers: what runs an execution of a kind.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use ff_core::backend::FailureClass;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::{Job, JobParts};

/// Why a handler did not succeed, and whether another attempt may.
///
/// Every [`std::error::Error`] becomes a transient one, so that `?` works in handlers. That is why this
/// type is not itself an `Error`. The message is stored with the attempt and never logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError {
    class: FailureClass,
    message: String,
}

impl HandlerError {
    /// It may go away: tried again as the execution's retry policy says.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Transient, message: message.into() }
    }

    /// It will not go away: the execution fails.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Permanent, message: message.into() }
    }

    /// The work is not wanted any more: the execution ends as cancelled.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Cancelled, message: message.into() }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Timeout, message: message.into() }
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::transient(message)
    }
}

/// What a handler returned, as JSON; `None` for `null`.
pub(crate) type Handled = Result<Option<Vec<u8>>, HandlerError>;

/// A handler with its types and its state inside.
pub(crate) type AnyHandler =
    Arc<dyn Fn(JobParts, Vec<u8>) -> BoxFuture<'static, Handled> + Send + Sync>;

/// Handlers by the kind that they run.
pub(crate) type Handlers = HashMap<String, AnyHandler>;

/// Joins a typed handler and its state.
pub(crate) fn erase<S, P, R, F, Fut>(state: Arc<S>, handler: F) -> AnyHandler
where
    S: Send + Sync + 'static,
    P: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: Fn(Job<S>, P) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |parts, payload| {
        let (handler, state) = (Arc::clone(&handler), Arc::clone(&state));
        Box::pin(async move {
            let payload = decode(&payload)?;
            let returned = handler(Job::new(state, parts), payload).await?;
            encode(&returned)
        })
    })
}

/// An empty payload reads as `null`, which is what a handler without a payload takes.
fn decode<P: DeserializeOwned>(payload: &[u8]) -> Result<P, HandlerError> {
    let json = if payload.is_empty() { b"null" } else { payload };
    serde_json::from_slice(json).map_err(|error| {
        HandlerError::permanent(format!("the payload is not what the handler takes: {error}"))
    })
}

fn encode<R: Serialize>(returned: &R) -> Handled {
    let json = serde_json::to_vec(returned).map_err(|error| {
        HandlerError::permanent(format!("what the handler returned has no JSON form: {error}"))
    })?;
    Ok((json != b"null").then_some(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_makes_a_transient_error_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot send")]
        struct Outer(#[source] std::num::ParseIntError);

        let cause = "x".parse::<u8>().unwrap_err();
        let error = HandlerError::from(Outer(cause));
        assert_eq!(error.class(), FailureClass::Transient);
        assert_eq!(error.message(), "cannot send: invalid digit found in string");
    }

    #[test]
    fn nothing_is_null_both_ways() {
        assert_eq!(decode::<()>(b""), Ok(()));
        assert_eq!(decode::<Option<u8>>(b"null"), Ok(None));
        assert_eq!(encode(&()), Ok(None));
        assert_eq!(encode(&Some(1)), Ok(Some(b"1".to_vec())));
    }

    #[test]
    fn a_number_is_given_to_its_last_digit() {
        let number = 1.923_695_541_741_717_9_f64;
        let json = encode(&number).unwrap().unwrap();
        assert_eq!(decode::<f64>(&json), Ok(number));
    }

    #[test]
    fn what_cannot_be_read_or_written_is_permanent() {
        assert_eq!(decode::<u8>(b"\"x\"").unwrap_err().class(), FailureClass::Permanent);
        let by_bytes = HashMap::from([(vec![1_u8], 2)]);
        assert_eq!(encode(&by_bytes).unwrap_err().class(), FailureClass::Permanent);
    }
}
