//! What cases assert again and again.

use ff_core::contracts::CreateExecutionResult;
use ff_core::engine_error::{ContentionKind, EngineError, StateKind, ValidationKind};
use ff_core::execution::Execution;
use ff_core::state::{EligibilityState, LifecyclePhase, OwnershipState, derive_public_state};
use ff_core::types::ExecutionId;

#[track_caller]
pub(crate) fn assert_lease_conflict(error: EngineError) {
    let is_it = matches!(error, EngineError::Contention(ContentionKind::LeaseConflict));
    assert!(is_it, "not a lease conflict: {error:?}");
}

#[track_caller]
pub(crate) fn assert_lease_expired(error: EngineError) {
    let is_it = matches!(error, EngineError::State(StateKind::LeaseExpired));
    assert!(is_it, "not an expired lease: {error:?}");
}

#[track_caller]
pub(crate) fn assert_already_terminal(error: EngineError) {
    let is_it = matches!(error, EngineError::State(StateKind::AttemptAlreadyTerminal));
    assert!(is_it, "not an attempt that is already terminal: {error:?}");
}

#[track_caller]
pub(crate) fn assert_not_found(error: EngineError) {
    let is_it = matches!(error, EngineError::NotFound { entity: "execution" });
    assert!(is_it, "not a missing execution: {error:?}");
}

/// An invalid input whose text names the field.
#[track_caller]
pub(crate) fn assert_invalid(error: EngineError, field: &str) {
    let EngineError::Validation { kind: ValidationKind::InvalidInput, detail } = &error else {
        unreachable!("not an invalid input: {error:?}");
    };
    assert!(detail.contains(field), "{detail:?} does not name {field}");
}

#[track_caller]
pub(crate) fn assert_too_large(error: EngineError) {
    let is_it =
        matches!(error, EngineError::Validation { kind: ValidationKind::PayloadTooLarge, .. });
    assert!(is_it, "not a payload that is too large: {error:?}");
}

#[track_caller]
pub(crate) fn assert_other_backend(error: EngineError) {
    let kind = ValidationKind::HandleFromOtherBackend;
    let is_it = matches!(&error, EngineError::Validation { kind: found, .. } if *found == kind);
    assert!(is_it, "not a handle from another backend: {error:?}");
}

/// A corruption whose text names the table, the column and the execution (SAFE-7).
#[track_caller]
pub(crate) fn assert_corruption(error: EngineError, column: &str, id: &ExecutionId) {
    let EngineError::Validation { kind: ValidationKind::Corruption, detail } = &error else {
        unreachable!("not a corruption: {error:?}");
    };
    assert!(detail.contains(column), "{detail:?} does not name {column}");
    assert!(detail.contains(&id.uuid().to_string()), "{detail:?} does not name {id}");
}

#[track_caller]
pub(crate) fn assert_duplicate(result: &CreateExecutionResult, id: &ExecutionId) {
    let expected = CreateExecutionResult::Duplicate { execution_id: id.clone() };
    assert_eq!(*result, expected);
}

/// What holds of an execution after every operation: STATE-1, and the meaning of each word.
#[track_caller]
pub(crate) fn assert_sound(execution: &Execution) {
    let phase = execution.lifecycle_phase;
    let attempt = execution.current_attempt.as_ref();
    let derived = derive_public_state(
        phase,
        execution.eligibility_state,
        attempt.and_then(|attempt| attempt.outcome),
    );
    assert_eq!(derived, Some(execution.public_state), "{execution:#?}");
    let is_active = phase == LifecyclePhase::Active;
    let is_leased = execution.ownership_state == OwnershipState::Leased;
    assert_eq!(is_active, is_leased, "{execution:#?}");
    assert_eq!(is_active, execution.lease().is_some(), "{execution:#?}");
    assert_eq!(phase.is_finished(), execution.terminal_at.is_some(), "{execution:#?}");
    let waits_for_time = execution.eligibility_state == EligibilityState::NotEligibleUntilTime;
    assert_eq!(waits_for_time, execution.eligible_at.is_some(), "{execution:#?}");
    if let Some(attempt) = attempt {
        assert_eq!(attempt.attempt_index, execution.attempt_index, "{execution:#?}");
        let is_open = attempt.terminal_at.is_none();
        assert_eq!(is_open, attempt.lease_expires_at.is_some(), "{execution:#?}");
        assert!(!is_open || attempt.outcome.is_none(), "{execution:#?}");
    }
}
