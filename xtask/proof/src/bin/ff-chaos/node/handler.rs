//! Runs tasks as they are planned.

use std::sync::Arc;
use std::time::Duration;

use ff_runtime::{HandlerError, Job};
use tokio::time::sleep;

use crate::ledger::{Entry, Ledger};
use crate::task::{LEASE_TTL, Plan, Returned, Task};

pub(super) async fn handle(job: Job<Arc<Ledger>>, task: Task) -> Result<Returned, HandlerError> {
    let run = Entry::Run { key: task.key.clone(), attempt: job.attempt() };
    job.state().write(&run).map_err(|error| HandlerError::transient(error.to_string()))?;
    match task.plan {
        Plan::Work(millis) => sleep(Duration::from_millis(millis)).await,
        Plan::Flaky(failures) if job.attempt() <= failures => {
            return Err(HandlerError::transient("flaky"));
        }
        Plan::Slow => {
            sleep(LEASE_TTL / 2).await;
            // Who looks on may see an older report.
            let _ = job.progress("half").await;
            sleep(LEASE_TTL).await;
        }
        Plan::Hang if job.attempt() == 1 => std::future::pending().await,
        Plan::Panic if job.attempt() == 1 => std::panic::resume_unwind(Box::new("as planned")),
        Plan::GiveUp => return Err(HandlerError::permanent("hopeless")),
        Plan::Exhaust => return Err(HandlerError::transient("exhausting")),
        Plan::Quit => return Err(HandlerError::cancelled("pointless")),
        Plan::Unwanted | Plan::Member => sleep(Duration::from_millis(50)).await,
        Plan::Flaky(_) | Plan::Hang | Plan::Panic | Plan::Delayed(_) | Plan::Late => {}
    }
    Ok(task.returns())
}
