use super::{Checked, check_range, check_tag_key};
use crate::contracts::{
    ExecutionFilter, LIST_EXECUTIONS_MAX_LIMIT, LIST_EXPIRED_LEASES_DEFAULT_LIMIT,
    LIST_EXPIRED_LEASES_MAX_LIMIT, LIST_FLOWS_DEFAULT_LIMIT, LIST_FLOWS_MAX_LIMIT,
    LIST_WORKERS_DEFAULT_LIMIT, LIST_WORKERS_MAX_LIMIT, ListExpiredLeasesArgs, ListFlowsArgs,
    ListWorkersArgs,
};
use crate::engine_error::EngineError;
use crate::types::Namespace;

/// Checks a filter and the size of its page.
///
/// # Errors
/// `Validation { InvalidInput }`.
pub fn check_list(filter: &ExecutionFilter, limit: u32) -> Checked {
    check_range("limit", limit, LIST_EXECUTIONS_MAX_LIMIT)?;
    check_filter(filter)
}

/// Checks a filter.
///
/// # Errors
/// `Validation { InvalidInput }` naming the field: for a tag's key that none can have, and for a NUL.
pub fn check_filter(filter: &ExecutionFilter) -> Checked {
    check_namespace(filter.namespace.as_ref())?;
    check_sought("lane_id", filter.lane_id.as_ref().map(|lane| lane.as_str()))?;
    check_sought("execution_kind", filter.execution_kind.as_deref())?;
    if let Some((key, value)) = &filter.tag {
        check_tag_key(key)?;
        check_sought("tag", Some(value))?;
    }
    Ok(())
}

/// Checks a list of flows, and says how many a page of it has.
///
/// # Errors
/// `Validation { InvalidInput }` for a limit of 0, and for a NUL.
pub fn check_list_flows(args: &ListFlowsArgs) -> Result<u32, EngineError> {
    check_namespace(args.namespace.as_ref())?;
    page_limit(args.limit, LIST_FLOWS_DEFAULT_LIMIT, LIST_FLOWS_MAX_LIMIT)
}

/// Checks a list of workers, and says how many a page of it has.
///
/// # Errors
/// As [`check_list_flows`].
pub fn check_list_workers(args: &ListWorkersArgs) -> Result<u32, EngineError> {
    check_namespace(args.namespace.as_ref())?;
    check_sought("after", args.after.as_ref().map(|after| after.as_str()))?;
    page_limit(args.limit, LIST_WORKERS_DEFAULT_LIMIT, LIST_WORKERS_MAX_LIMIT)
}

/// Checks a list of expired leases, and says how many a page of it has.
///
/// # Errors
/// As [`check_list_flows`].
pub fn check_list_expired_leases(args: &ListExpiredLeasesArgs) -> Result<u32, EngineError> {
    check_namespace(args.namespace.as_ref())?;
    page_limit(args.limit, LIST_EXPIRED_LEASES_DEFAULT_LIMIT, LIST_EXPIRED_LEASES_MAX_LIMIT)
}

fn check_namespace(namespace: Option<&Namespace>) -> Checked {
    check_sought("namespace", namespace.map(Namespace::as_str))
}

/// PostgreSQL cannot even be asked for a text with a NUL.
fn check_sought(field: &str, text: Option<&str>) -> Checked {
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(EngineError::invalid_input(format!("{field}: it has a NUL")));
    }
    Ok(())
}

/// How many rows a page has: what is asked for, but no more than `max`, and `default` where nothing is.
fn page_limit(asked: Option<u32>, default: u32, max: u32) -> Result<u32, EngineError> {
    match asked {
        None => Ok(default),
        Some(0) => {
            Err(EngineError::invalid_input("limit: it is 0, and a page has one row or more"))
        }
        Some(limit) => Ok(limit.min(max)),
    }
}
