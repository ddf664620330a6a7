use std::time::Duration;

use ff_runtime::{HandlerError, Job, WorkerBuilder, WorkerError};

use crate::common::Rig;

async fn nothing(_: Job<()>, (): ()) -> Result<(), HandlerError> {
    Ok(())
}

fn refusal(change: impl FnOnce(WorkerBuilder<()>) -> WorkerBuilder<()>) -> WorkerError {
    let builder = Rig::new().worker().handler("nothing", nothing);
    change(builder).build().err().expect("it should be refused")
}

#[test]
fn what_cannot_work_is_refused_when_it_is_built() {
    assert!(matches!(Rig::new().worker().build(), Err(WorkerError::NoHandler)));
    assert!(matches!(refusal(|b| b.concurrency(0)), WorkerError::NoConcurrency));
    assert!(matches!(refusal(|b| b.lease_ttl(Duration::ZERO)), WorkerError::LeaseTtl { .. }));
    assert!(matches!(refusal(|b| b.lease_ttl(Duration::MAX)), WorkerError::LeaseTtl { .. }));
    assert!(matches!(refusal(|b| b.lane("")), WorkerError::Invalid(_)));
    assert!(matches!(refusal(|b| b.worker_id("x".repeat(300))), WorkerError::Invalid(_)));
    assert!(matches!(refusal(|b| b.namespace("")), WorkerError::Invalid(_)));
}

#[test]
fn two_handlers_of_a_kind_are_refused_by_name() {
    let error = refusal(|b| b.handler("nothing", nothing));
    assert!(matches!(error, WorkerError::DuplicateHandler { kind } if kind == "nothing"));
}
