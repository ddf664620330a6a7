//! The cases, by area. A case that `list.rs` does not name does not compile.

#![deny(dead_code)]
#![expect(clippy::unwrap_used, reason = "a case is a test: what fails here is the backend")]

pub(crate) mod admin;
pub(crate) mod claim;
pub(crate) mod event;
pub(crate) mod execution;
pub(crate) mod flow;
pub(crate) mod lease;
pub(crate) mod operator;
pub(crate) mod timer;
pub(crate) mod worker;

use std::future::Future;
use std::sync::Arc;

use ff_core::engine_backend::EngineBackend;

/// Runs `count` calls beside each other and answers what they answered.
async fn at_once<T, F>(
    count: usize,
    backend: &Arc<dyn EngineBackend>,
    call: impl Fn(Arc<dyn EngineBackend>, usize) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> =
        (0..count).map(|number| tokio::spawn(call(Arc::clone(backend), number))).collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
