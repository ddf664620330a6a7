use super::{Checked, check_lane, check_name};
use crate::contracts::{
    HeartbeatWorkerArgs, MARK_WORKER_DEAD_REASON_MAX_BYTES, MarkWorkerDeadArgs, RegisterWorkerArgs,
};
use crate::engine_error::EngineError;
use crate::types::{Namespace, WorkerInstanceId};

/// Checks a worker process to register.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_register(args: &RegisterWorkerArgs) -> Checked {
    check_name("worker_id", args.worker_id.as_str())?;
    check_instance(&args.worker_instance_id, &args.namespace)?;
    args.lanes.iter().try_for_each(check_lane)?;
    args.capabilities.iter().try_for_each(|name| check_name("capabilities", name))?;
    if args.liveness_ttl_ms == 0 || i64::try_from(args.liveness_ttl_ms).is_err() {
        return Err(EngineError::invalid_input(format!(
            "liveness_ttl_ms: {}, and 1 to {} is the range",
            args.liveness_ttl_ms,
            i64::MAX
        )));
    }
    Ok(())
}

/// Checks a heartbeat.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_heartbeat(args: &HeartbeatWorkerArgs) -> Checked {
    check_instance(&args.worker_instance_id, &args.namespace)
}

/// Checks a death (WORK-3).
///
/// # Errors
/// `Validation { InvalidInput }` naming the field.
pub fn check_mark_dead(args: &MarkWorkerDeadArgs) -> Checked {
    check_instance(&args.worker_instance_id, &args.namespace)?;
    const LIMIT: usize = MARK_WORKER_DEAD_REASON_MAX_BYTES;
    let length = args.reason.len();
    if length > LIMIT {
        return Err(EngineError::invalid_input(format!(
            "reason: {length} bytes, and {LIMIT} is the limit"
        )));
    }
    if args.reason.chars().any(char::is_control) {
        return Err(EngineError::invalid_input(format!(
            "reason: it has a control character; it is text of at most {LIMIT} bytes, and has {length}"
        )));
    }
    Ok(())
}

fn check_instance(instance: &WorkerInstanceId, namespace: &Namespace) -> Checked {
    check_name("worker_instance_id", instance.as_str())?;
    check_name("namespace", namespace.as_str())
}
