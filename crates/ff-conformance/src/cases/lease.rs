mod delay;
mod expiry;
mod fence;
mod renew;

pub(crate) use delay::*;
pub(crate) use expiry::*;
pub(crate) use fence::*;
pub(crate) use renew::*;

use ff_core::backend::{FailureClass, FailureReason, Handle};
use ff_core::engine_error::EngineError;

use crate::cx::Cx;

/// What each call by handle answers, by its name.
async fn calls_by_handle(cx: &Cx, handle: &Handle) -> Vec<(&'static str, Result<(), EngineError>)> {
    let (backend, now) = (&cx.backend, cx.now());
    let reason = FailureReason::new("boom");
    vec![
        ("renew", backend.renew(handle).await.map(drop)),
        ("progress", backend.progress(handle, serde_json::json!(1)).await),
        ("delay", backend.delay(handle, now).await),
        ("complete", backend.complete(handle, Some(b"late".to_vec())).await),
        ("fail", backend.fail(handle, reason, FailureClass::Transient).await.map(drop)),
    ]
}

/// Every call by handle is refused in the same way, and nothing changes.
async fn assert_refused(cx: &Cx, handle: &Handle, check: fn(EngineError)) {
    let id = handle.execution_id();
    let before = (cx.describe(id).await, cx.attempts(id).await, cx.result(id).await);
    for (name, answer) in calls_by_handle(cx, handle).await {
        let error = answer.err();
        assert!(error.is_some(), "{name} was accepted");
        error.into_iter().for_each(check);
    }
    assert_eq!((cx.describe(id).await, cx.attempts(id).await, cx.result(id).await), before);
}

/// The handle with one part of its text changed: backend, id, attempt, epoch, time, kind, worker.
fn forged(handle: &Handle, part: usize, value: &str) -> Handle {
    let text = handle.to_string();
    let mut parts: Vec<&str> = text.splitn(8, '/').collect();
    parts[part] = value;
    parts.join("/").parse().unwrap()
}
